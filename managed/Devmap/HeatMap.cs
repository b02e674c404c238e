// SPDX-License-Identifier: MIT
using System.Text.Json.Serialization;
using Devmap.Native;

namespace Devmap;

/// <summary>
/// Which pages of a map are in use, counted by cells of adjacent pages. Read after the map's other numbers, so that their sum
/// is <see cref="MapSnapshot.PagesInUse"/> only where nobody took or gave back pages meanwhile.
/// </summary>
public sealed record HeatMap
{
    /// <summary>Pages a cell; the last cell may have fewer.</summary>
    public required long PagesPerCell { get; init; }

    /// <summary>Pages in use of each cell: cell i is of the pages from i * <see cref="PagesPerCell"/> on.</summary>
    [JsonConverter(typeof(HeatMapCellsConverter))]
    public required IReadOnlyList<int> Cells { get; init; }
}
