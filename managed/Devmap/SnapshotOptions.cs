// SPDX-License-Identifier: MIT
namespace Devmap;

/// <summary>What <see cref="DevmapDiagnostics.Capture"/> reads beside the counters and the maps. All of it costs more than those.</summary>
public sealed record SnapshotOptions
{
    /// <summary>The most cells of a <see cref="HeatMap"/>.</summary>
    public const int MaxHeatMapCells = 65536;

    /// <summary>What a report shows: up to 4,096 cells a map, and up to 256 pages in use by name.</summary>
    public static SnapshotOptions ForReport { get; } = new() { HeatMapCells = 4096, BusyPageLimit = 256 };

    /// <summary>
    /// The most cells of each map's <see cref="HeatMap"/>, up to <see cref="MaxHeatMapCells"/>; 0 (the default) for none. Reading
    /// them goes through the metadata of every page that was ever used.
    /// </summary>
    public int HeatMapCells { get; init; }

    /// <summary>The most references that are followed to read, 256 unless set; 0 for none. Of more, any are read.</summary>
    public int HolderLimit { get; init; } = 256;

    /// <summary>
    /// The most pages in use to name of maps of this process's managed side, whether they are followed or not; 0 (the default)
    /// for only those that are followed. Finding them goes through the metadata of the pages before them.
    /// </summary>
    public int BusyPageLimit { get; init; }
}
