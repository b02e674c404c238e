// SPDX-License-Identifier: MIT
using System.Runtime.CompilerServices;
using Devmap.Interop;

namespace Devmap.Native;

/// <summary>
/// Uses that come too late: each is reported once, from <see cref="DiagnosticLevel.Counters"/> on, on the thread that met it.
/// </summary>
internal static unsafe class Misuse
{
    // A listener that misuses something itself is not told of that again and again.
    [ThreadStatic]
    private static bool t_reports;

    /// <summary>Reports the use of something disposed.</summary>
    /// <param name="type">Its type.</param>
    /// <param name="subject">What it says of itself, if there is anything left.</param>
    /// <param name="member">What was used.</param>
    /// <returns>The exception to throw.</returns>
    [MethodImpl(MethodImplOptions.NoInlining)]
    public static ObjectDisposedException Disposed(string type, object? subject = null, [CallerMemberName] string member = "")
    {
        Report(null, $"{member} of a disposed {type} was used{(subject is null ? null : $": {subject}")}");
        return new ObjectDisposedException(subject?.GetType().FullName ?? type);
    }

    /// <summary>Reports that a page's memory was asked for that nobody holds.</summary>
    public static void Untaken(DevicePage subject, string member)
    {
        // Looked up, as one that never was does not know its map.
        devmap_page* page = NativeMethods.devmap_pagemap_page(subject.Map.Pointer, (ulong)subject.Index);
        Report(page, $"{member} of {subject} was used, which nobody holds and whose callback does not run");
    }

    private static void Report(devmap_page* page, string message)
    {
        if (t_reports || !ProcessLevel.Reports)
            return;
        t_reports = true;
        try
        {
            string? stack = ProcessLevel.IsFull ? StackDepot.Capture() : null;
            FaultReporter.Report(DevmapFaultKind.UseAfterDispose, page, stack is null ? message : $"{message}\n{stack}");
        }
        finally
        {
            t_reports = false;
        }
    }
}
