// SPDX-License-Identifier: MIT
namespace Devmap.CommandLine.Run;

/// <summary>Takes snapshots of a run for its report. Until it is disposed the library's level is Full, so that they have the holders, up to 4096.</summary>
internal sealed class RunRecorder : IDisposable
{
    /// <summary>Snapshots of the run itself: enough to see it change, and few enough to choose from.</summary>
    private const int Moments = 6;

    /// <summary>More than the readers that there are by default can hold; a report with those of 1024 would be hard to open.</summary>
    private const int Holders = 4096;

    private readonly List<DevmapSnapshot> _snapshots = [];
    private readonly DiagnosticLevel _before = DevmapDiagnostics.Level;

    public RunRecorder() => DevmapDiagnostics.Level = DiagnosticLevel.Full;

    /// <summary>What was taken, oldest first; not while <see cref="RunAsync"/> runs.</summary>
    public IReadOnlyList<DevmapSnapshot> Snapshots => _snapshots;

    /// <summary>Takes one now.</summary>
    public void Take() => _snapshots.Add(DevmapDiagnostics.Capture(SnapshotOptions.ForReport with { HolderLimit = Holders }));

    /// <summary>Takes them in equal parts of the run's time, until it ends.</summary>
    public async Task RunAsync(TimeSpan duration, CancellationToken end)
    {
        for (int i = 1; i <= Moments; i++)
        {
            await Task.Delay(duration / (Moments + 1), end).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
            if (end.IsCancellationRequested)
                return;
            Take();
        }
    }

    public void Dispose() => DevmapDiagnostics.Level = _before;
}
