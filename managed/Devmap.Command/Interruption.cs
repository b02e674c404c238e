// SPDX-License-Identifier: MIT
using System.Runtime.InteropServices;

namespace Devmap.CommandLine;

/// <summary>
/// SIGINT (Ctrl-C), SIGTERM, SIGHUP and SIGQUIT as a token. The first one asks the program to come to its end. What follows
/// within a second is the same one again: timeout(1) sends it to the program and to its group. A later one is the system's to
/// handle, which kills the program.
/// </summary>
internal sealed class Interruption : IDisposable
{
    private static readonly TimeSpan s_same = TimeSpan.FromSeconds(1);

    private readonly CancellationTokenSource _source = new();
    private readonly PosixSignalRegistration[] _registrations;
    private readonly TimeProvider _time;
    private readonly Lock _lock = new();
    private long? _first;

    /// <param name="time">By default the system's.</param>
    public Interruption(TimeProvider? time = null)
    {
        _time = time ?? TimeProvider.System;
        _registrations =
        [
            PosixSignalRegistration.Create(PosixSignal.SIGINT, OnSignal),
            PosixSignalRegistration.Create(PosixSignal.SIGTERM, OnSignal),
            PosixSignalRegistration.Create(PosixSignal.SIGHUP, OnSignal),
            PosixSignalRegistration.Create(PosixSignal.SIGQUIT, OnSignal),
        ];
    }

    public CancellationToken Token => _source.Token;

    public void Dispose()
    {
        foreach (PosixSignalRegistration registration in _registrations)
            registration.Dispose();
        _source.Dispose();
    }

    internal void OnSignal(PosixSignalContext context)
    {
        bool isFirst;
        lock (_lock)
        {
            isFirst = _first is null;
            _first ??= _time.GetTimestamp();
            context.Cancel = _time.GetElapsedTime(_first.Value) < s_same;
        }

        if (isFirst)
        {
            _source.Cancel();
        }
        else if (!context.Cancel)
        {
            LastSteps.Take();

            // The live display hid it, and won't come to show it again.
            Console.CursorVisible = true;
        }
    }
}
