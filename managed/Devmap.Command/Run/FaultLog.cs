// SPDX-License-Identifier: MIT
using System.Collections.Concurrent;

namespace Devmap.CommandLine.Run;

/// <summary>
/// The faults that the library meets until this is disposed, but slow callbacks: a busy machine makes any callback slow, which
/// breaks no contract of a job's.
/// </summary>
internal sealed class FaultLog : IDisposable
{
    private readonly ConcurrentQueue<string> _messages = new();

    public FaultLog()
    {
        DevmapDiagnostics.Fault += OnFault;
    }

    public IReadOnlyCollection<string> Messages => _messages;

    public void Dispose() => DevmapDiagnostics.Fault -= OnFault;

    /// <summary>How many of them there were between two readings.</summary>
    public static long Between(DevmapStatistics before, DevmapStatistics after) =>
        after.Faults - before.Faults - (after.SlowCallbackFaults - before.SlowCallbackFaults);

    private void OnFault(object? sender, DevmapFaultEventArgs fault)
    {
        if (fault.Kind != DevmapFaultKind.SlowCallback)
            _messages.Enqueue($"{fault.Kind}: {fault.Message}");
    }
}
