// SPDX-License-Identifier: MIT
using Spectre.Console;
using Spectre.Console.Rendering;

namespace Devmap.CommandLine.Snapshots;

/// <summary>A snapshot as people read it: of a file, or of a process that is watched.</summary>
internal static class SnapshotView
{
    /// <summary>Lines of a table above and below its rows.</summary>
    private const int Borders = 2;

    /// <summary>A view as high as it gets.</summary>
    /// <param name="snapshot">What to show.</param>
    /// <param name="former">One taken before of the same process, for rates; or null.</param>
    /// <param name="detail">How much of it.</param>
    public static IRenderable Create(DevmapSnapshot snapshot, DevmapSnapshot? former, SnapshotDetail detail) =>
        Create(snapshot, SnapshotFigures.Create(snapshot, former), detail);

    /// <summary>A view that fits into some lines, where these have room for the figures and are not so short that some wrap.</summary>
    public static IRenderable CreateForLines(DevmapSnapshot snapshot, DevmapSnapshot? former, int lines)
    {
        Table figures = SnapshotFigures.Create(snapshot, former);
        return Create(snapshot, figures, SnapshotDetail.ForLines(snapshot, lines - figures.Rows.Count - Borders));
    }

    private static Rows Create(DevmapSnapshot snapshot, Table figures, SnapshotDetail detail)
    {
        List<IRenderable> parts = [figures];
        if (snapshot.Maps.Count > 0 && detail.Maps > 0)
            parts.Add(SnapshotMaps.Create(snapshot, detail.Maps, detail.HasStacks));
        if (snapshot.BusyPages.Count > 0 && detail.BusyPages > 0)
            parts.Add(detail.HasStacks ? SnapshotHolders.Create(snapshot) : SnapshotBusyPages.Create(snapshot, detail.BusyPages));
        if (snapshot.Faults.Count > 0 && detail.Faults > 0)
            parts.Add(SnapshotFaults.Create(snapshot, detail.Faults, detail.HasStacks));
        return new Rows(parts);
    }
}
