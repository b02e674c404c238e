// SPDX-License-Identifier: MIT
using System.Diagnostics;
using System.Diagnostics.CodeAnalysis;
using Devmap.Debugging;
using Devmap.Interop;
using Devmap.Native;
using Devmap.Telemetry;

namespace Devmap;

/// <summary>
/// A hold on the gate, until it is disposed; see <see cref="DevmapGate.Hold"/>. One that is lost keeps the gate on, and is reported
/// as <see cref="DevmapFaultKind.LostGateHold"/>.
/// </summary>
[DebuggerDisplay("{ToString(),nq}")]
[DebuggerTypeProxy(typeof(DevmapGateHoldView))]
[SuppressMessage("Usage", "MA0055:Do not use finalizer", Justification = "Only tells; frees nothing.")]
public sealed class DevmapGateHold : IDisposable
{
    private const string MoreAtFull = $"; with {nameof(DevmapDiagnostics)}.{nameof(DevmapDiagnostics.Level)} at {nameof(DiagnosticLevel.Full)}, a lost hold's stack is told";

    private static int s_out;
    private static int s_tellsAtExit;

    private string? _stack;
    private LeakItem? _item;

    // 1 while it holds the gate.
    private int _holds;

    internal DevmapGateHold()
    {
    }

    /// <summary>Says that the hold was lost.</summary>
    ~DevmapGateHold()
    {
        if (Interlocked.Exchange(ref _holds, 0) == 0)
            return;
        Interlocked.Decrement(ref s_out);
        Report("a hold of the gate was lost without being disposed" + (_stack is null ? MoreAtFull : "; taken:\n" + _stack));
    }

    /// <summary>Ends the hold. Any thread; again it does nothing.</summary>
    /// <exception cref="InvalidOperationException">Somebody else gave this hold back: the native puts are unbalanced.</exception>
    public void Dispose()
    {
        if (Interlocked.Exchange(ref _holds, 0) == 0)
            return;
        GC.SuppressFinalize(this);
        Interlocked.Decrement(ref s_out);
        _item?.End();
        int result = NativeMethods.devmap_pagemap_put_ops();
        if (result != 0)
            throw new InvalidOperationException("The gate had no holder left: somebody gave back a hold that was not theirs.");
        DiagnosticEvents.GateReleased();
    }

    /// <summary>Whether it holds the gate.</summary>
    internal bool IsHeld => Volatile.Read(ref _holds) != 0;

    /// <summary>Where it was taken, if that was noted.</summary>
    internal string? Stack => _stack;

    /// <inheritdoc/>
    public override string ToString() => IsHeld ? "hold of the gate" : "ended hold of the gate";

    /// <summary>Takes the hold; nothing fails after that.</summary>
    /// <returns>0, or the native side's error.</returns>
    internal int Begin()
    {
        if (Interlocked.Exchange(ref s_tellsAtExit, 1) == 0)
            AppDomain.CurrentDomain.ProcessExit += static (_, _) => TellAtExit();
        LeakItem? item = LeakItem.Begin(static () => "hold of the gate");
        _stack = ProcessLevel.IsFull ? StackDepot.Capture() : null;
        int result = NativeMethods.devmap_pagemap_get_ops();
        if (result != 0)
        {
            item?.End();
            return result;
        }

        _item = item;
        Interlocked.Increment(ref s_out);
        Volatile.Write(ref _holds, 1);
        return 0;
    }

    private static void TellAtExit()
    {
        int left = Interlocked.Exchange(ref s_out, 0);
        if (left > 0)
            Report($"{left} {(left == 1 ? "hold" : "holds")} of the gate not given back by the end of the process{(ProcessLevel.IsFull ? null : MoreAtFull)}");
    }

    private static unsafe void Report(string message)
    {
        if (ProcessLevel.Reports)
            FaultReporter.Report(DevmapFaultKind.LostGateHold, null, message);
    }
}
