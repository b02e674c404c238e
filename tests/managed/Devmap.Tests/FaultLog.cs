// SPDX-License-Identifier: MIT
using System.Collections.Concurrent;

namespace Devmap.Tests;

/// <summary>The faults raised while it is not disposed.</summary>
internal sealed class FaultLog : IDisposable
{
    private readonly ConcurrentQueue<DevmapFaultEventArgs> _faults = new();

    public FaultLog() => DevmapDiagnostics.Fault += OnFault;

    public IReadOnlyCollection<DevmapFaultEventArgs> Faults => _faults;

    public void Dispose() => DevmapDiagnostics.Fault -= OnFault;

    private void OnFault(object? sender, DevmapFaultEventArgs fault) => _faults.Enqueue(fault);
}
