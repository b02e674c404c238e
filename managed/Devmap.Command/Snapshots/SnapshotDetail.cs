// SPDX-License-Identifier: MIT
namespace Devmap.CommandLine.Snapshots;

/// <summary>How much of a snapshot is shown.</summary>
internal sealed record SnapshotDetail
{
    /// <summary>Lines that a table takes besides its rows: borders, heads, and what it says of rows that are left out.</summary>
    private const int LinesOfTable = 5;

    /// <summary>Everything: for a file that is looked at once.</summary>
    public static SnapshotDetail Whole { get; } = new() { Maps = int.MaxValue, BusyPages = int.MaxValue, Faults = int.MaxValue, HasStacks = true };

    /// <summary>What one looks at again and again.</summary>
    public static SnapshotDetail Brief { get; } = new() { Maps = 10, BusyPages = 10, Faults = 3 };

    /// <summary>The most maps.</summary>
    public required int Maps { get; init; }

    /// <summary>The most busy pages.</summary>
    public required int BusyPages { get; init; }

    /// <summary>The most faults.</summary>
    public required int Faults { get; init; }

    /// <summary>Whether all holders are shown, with all that is known of each, or a line a page.</summary>
    public bool HasStacks { get; init; }

    /// <summary>What fits in some lines below the figures: first maps, then busy pages, then faults, none of which takes all while there are others.</summary>
    public static SnapshotDetail ForLines(DevmapSnapshot snapshot, int lines)
    {
        int faults = Math.Min(snapshot.Faults.Count, Math.Max(0, (lines / 4) - LinesOfTable));
        if (faults > 0)
            lines -= faults + LinesOfTable;
        int busy = Math.Min(snapshot.BusyPages.Count, Math.Max(0, (lines / 2) - LinesOfTable));
        int maps = Math.Min(snapshot.Maps.Count, Math.Max(0, lines - LinesOfTable - (busy > 0 ? busy + LinesOfTable : 0)));
        if (busy > 0)
            busy = Math.Min(snapshot.BusyPages.Count, Math.Max(busy, lines - LinesOfTable - (maps > 0 ? maps + LinesOfTable : 0)));
        return new SnapshotDetail { Maps = maps, BusyPages = busy, Faults = faults };
    }
}
