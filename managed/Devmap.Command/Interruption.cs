// SPDX-License-Identifier: MIT
using System.Runtime.InteropServices;

namespace Devmap.CommandLine;

/// <summary>
/// SIGINT (Ctrl-C) and SIGTERM as a token. The first one asks the program to come to its end; the second is the system's
/// to handle, which kills it.
/// </summary>
internal sealed class Interruption : IDisposable
{
    private readonly CancellationTokenSource _source = new();
    private readonly PosixSignalRegistration[] _registrations;
    private int _signals;

    public Interruption()
    {
        _registrations =
        [
            PosixSignalRegistration.Create(PosixSignal.SIGINT, OnSignal),
            PosixSignalRegistration.Create(PosixSignal.SIGTERM, OnSignal),
        ];
    }

    public CancellationToken Token => _source.Token;

    public void Dispose()
    {
        foreach (PosixSignalRegistration registration in _registrations)
            registration.Dispose();
        _source.Dispose();
    }

    private void OnSignal(PosixSignalContext context)
    {
        if (Interlocked.Increment(ref _signals) > 1)
        {
            // The live display hid it, and won't come to show it again.
            Console.CursorVisible = true;
            return;
        }

        context.Cancel = true;
        _source.Cancel();
    }
}
