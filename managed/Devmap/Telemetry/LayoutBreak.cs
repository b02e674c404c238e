// SPDX-License-Identifier: MIT
using System.Diagnostics;
using System.Runtime.InteropServices;
using Devmap.Native;

namespace Devmap.Telemetry;

/// <summary>A change of a file that waits for its readers, between its two events.</summary>
/// <param name="Operation">A number that no other change of the process has.</param>
/// <param name="File">The file.</param>
/// <param name="Change">What is done to it.</param>
/// <param name="StartedAt">When it began, as <see cref="Stopwatch.GetTimestamp"/> tells it.</param>
[StructLayout(LayoutKind.Auto)]
internal readonly record struct LayoutBreak(long Operation, DaxFile File, string Change, long StartedAt)
{
    public TimeSpan Elapsed => Stopwatch.GetElapsedTime(StartedAt);

    public static string OutcomeOf(int result) => result switch
    {
        0 => "done",
        -NativeError.ETIMEDOUT => "timeout",
        -NativeError.ECANCELED => "cancelled",
        _ => "failed",
    };
}
