// SPDX-License-Identifier: MIT
namespace Devmap.CommandLine.Snapshots;

/// <summary>What happened between two snapshots of a process, a second.</summary>
internal sealed record SnapshotRates
{
    /// <summary>Pages that went from idle to in use.</summary>
    public required double Activations { get; init; }

    /// <summary>Pages that went from in use to idle.</summary>
    public required double IdleEdges { get; init; }

    /// <summary>Of these, those whose driver was called.</summary>
    public required double Callbacks { get; init; }

    /// <summary>Page faults of far memory.</summary>
    public required double PageFaults { get; init; }

    /// <summary>Pages whose data went to a store.</summary>
    public required double ToDevice { get; init; }

    /// <summary>Pages whose data came back.</summary>
    public required double ToMemory { get; init; }

    /// <summary>Returns null where there is no rate: no time passed by the process's clock, which may have been set, or the two are of different processes.</summary>
    public static SnapshotRates? Between(DevmapSnapshot former, DevmapSnapshot later)
    {
        double seconds = (later.Time - former.Time).TotalSeconds;
        if (seconds <= 0 || former.ProcessId != later.ProcessId)
            return null;
        return new SnapshotRates
        {
            Activations = Rate(of => of.Statistics.Activations),
            IdleEdges = Rate(of => of.Statistics.IdleEdges),
            Callbacks = Rate(of => of.Statistics.IdleEdgesManaged),
            PageFaults = Rate(of => of.Migration.Faults),
            ToDevice = Rate(of => of.Migration.ToDevice),
            ToMemory = Rate(of => of.Migration.ToMemory),
        };

        double Rate(Func<DevmapSnapshot, long> count) => Math.Max(0, count(later) - count(former)) / seconds;
    }
}
