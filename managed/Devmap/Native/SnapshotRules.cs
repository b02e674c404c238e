// SPDX-License-Identifier: MIT
using Devmap.Interop;

namespace Devmap.Native;

/// <summary>What holds of every snapshot, for those that come from a file or another process.</summary>
internal static class SnapshotRules
{
    /// <exception cref="InvalidDataException">It does not.</exception>
    public static void ThrowIfBroken(DevmapSnapshot snapshot)
    {
        Check(snapshot.Version == DevmapSnapshot.CurrentVersion, "its version is another one at its end");
        Check(snapshot.MapCount == snapshot.Maps.Count, "it counts other maps than it has");
        Check(snapshot.ProcessId > 0, "its process has no number");
        Check(Enum.IsDefined(snapshot.Level), "its level is none");
        Check(snapshot.TrackedReferences >= 0, "it has less than no references");
        CheckGate(snapshot.Gate);
        CheckHistogram(snapshot.Callbacks, "callbacks");
        CheckHistogram(snapshot.LayoutBreaks, "layout breaks");
        long lastId = 0;
        foreach (MapSnapshot map in snapshot.Maps)
        {
            Check(map is not null, "a map is null");
            Check(map!.Id > lastId, "its maps are not in the order of their ids");
            lastId = map.Id;
            CheckMap(map);
        }

        foreach (BusyPageSnapshot page in snapshot.BusyPages)
        {
            Check(page is not null, "a page in use is null");

            // Below 0 where it is saturated.
            Check(page!.PageIndex >= 0 && page.Count != 0, "a page in use has no index, or no count");
            Check(page.Holders.All(holder => holder is { References: > 0 }), "a page's holder holds nothing");
            Check(page.Holders.All(holder => holder.Age >= TimeSpan.Zero), "a page's holder has held it for less than no time");
            Check(page.History.Count <= NativeMethods.DEVMAP_PAGE_HISTORY && page.History.All(Enum.IsDefined), "a page's history is too long, or has an event that there is not");
        }

        Check(snapshot.Faults.Count <= RecentFaults.Capacity, "it has more faults than are kept");
        Check(snapshot.Faults.All(fault => fault is not null), "a fault is null");
        Check(snapshot.Faults.All(fault => Enum.IsDefined(fault.Kind)), "a fault is of no kind");
    }

    private static void CheckGate(GateSnapshot gate)
    {
        Check(gate.Holders >= 0 && gate.UserHolders >= 0 && gate.UserHolders <= gate.Holders, "its gate has more holders that are users than holders");
        Check(gate.History.Count <= NativeMethods.DEVMAP_GATE_HISTORY, "its gate has more changes than are kept");
        Check(gate.History.Count <= gate.Changes, "its gate changed less often than it tells");
        Check(gate.History.All(change => change.Holders >= 0), "its gate had less than no holders");
    }

    private static void CheckHistogram(DurationHistogram histogram, string what)
    {
        Check(histogram.Buckets.Count == DurationHistogram.BucketCount, $"its {what} have {histogram.Buckets.Count} buckets, and not {DurationHistogram.BucketCount}");
        Check(histogram.Buckets.All(bucket => bucket >= 0) && Sum(histogram.Buckets) == histogram.Count, $"its {what} are not as many as their buckets have");
        Check(histogram is { SumNanoseconds: >= 0, MaxNanoseconds: >= 0 }, $"its {what} took less than no time");
    }

    private static void CheckMap(MapSnapshot map)
    {
        string who = $"map {map.Id}";
        Check(map is { PageCount: > 0, PageSize: > 0 } && (Int128)map.PageCount * map.PageSize == map.Length, $"{who} has another length than its pages");
        Check(map.PagesInUse >= 0 && map.PagesInUse <= map.PageCount, $"{who} has more pages in use than pages");
        Check(map is { Resident: >= 0, OnDevice: >= 0 } && map.Resident <= map.PageCount && map.OnDevice <= map.PageCount, $"{who} has more pages of far memory than pages");
        Check(Enum.IsDefined(map.Type) && Enum.IsDefined(map.State) && (map.Level is not { } level || Enum.IsDefined(level)), $"{who} has a type, a state or a level that there is not");
        if (map.HeatMap is not { } heat)
            return;
        Check(heat.PagesPerCell > 0 && heat.Cells.Count == ((map.PageCount - 1) / heat.PagesPerCell) + 1, $"{who} has a heat map of another size");
        for (int i = 0; i < heat.Cells.Count; i++)
            Check(heat.Cells[i] >= 0 && heat.Cells[i] <= Math.Min(heat.PagesPerCell, map.PageCount - (i * heat.PagesPerCell)), $"{who} has a cell with more pages in use than pages");
    }

    private static Int128 Sum(IReadOnlyList<long> values)
    {
        Int128 sum = 0;
        foreach (long value in values)
            sum += value;
        return sum;
    }

    private static void Check(bool holds, string otherwise)
    {
        if (!holds)
            throw new InvalidDataException($"The snapshot is damaged: {otherwise}.");
    }
}
