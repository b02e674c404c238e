// SPDX-License-Identifier: MIT
using System.Collections.Concurrent;

namespace Devmap.CommandLine.Run;

/// <summary>The faults that the library meets until this is disposed.</summary>
internal sealed class FaultLog : IDisposable
{
    private readonly ConcurrentQueue<string> _messages = new();

    public FaultLog()
    {
        DevmapDiagnostics.Fault += OnFault;
    }

    public IReadOnlyCollection<string> Messages => _messages;

    public void Dispose() => DevmapDiagnostics.Fault -= OnFault;

    private void OnFault(object? sender, DevmapFaultEventArgs fault) => _messages.Enqueue($"{fault.Kind}: {fault.Message}");
}
