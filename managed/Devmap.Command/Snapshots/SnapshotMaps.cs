// SPDX-License-Identifier: MIT
using System.Globalization;
using Spectre.Console;

namespace Devmap.CommandLine.Snapshots;

/// <summary>The maps, those with the most pages in use first.</summary>
internal static class SnapshotMaps
{
    private const int BarCells = 10;
    private const int NameLength = 48;

    public static Table Create(DevmapSnapshot snapshot, int limit, bool isWide)
    {
        Table table = new Table().Border(TableBorder.Rounded)
            .AddColumn(new TableColumn("map").RightAligned().NoWrap())
            .AddColumn(new TableColumn("name"))
            .AddColumn(new TableColumn("memory").NoWrap())
            .AddColumn(new TableColumn("size").RightAligned().NoWrap())
            .AddColumn(new TableColumn("pages").RightAligned().NoWrap())
            .AddColumn(new TableColumn("in use").RightAligned().NoWrap())
            .AddColumn(new TableColumn(string.Empty).NoWrap())
            .AddColumn(new TableColumn("state"));
        foreach (MapSnapshot map in snapshot.Maps.OrderByDescending(map => map.PagesInUse).ThenBy(map => map.Id).Take(limit))
        {
            table.AddRow(
                new Text(map.Id.ToString(CultureInfo.InvariantCulture)),
                new Text(isWide ? SnapshotText.Name(map.Name) : SnapshotText.End(map.Name, NameLength)),
                new Text(map.Type.ToString()),
                new Text(new ByteSize(map.Length).ToString()),
                new Text(SnapshotText.Count(map.PageCount)),
                new Text(SnapshotText.Count(map.PagesInUse)),
                new Text(Bar(map.PagesInUse, map.PageCount)),
                new Text(State(map)));
        }

        return snapshot.Maps.Count > limit ? table.Caption(new TableTitle($"{SnapshotText.Count(snapshot.Maps.Count - limit)} more maps")) : table;
    }

    /// <summary>Any page in use is seen; a full bar is a full map.</summary>
    internal static string Bar(long used, long pages)
    {
        int cells = pages == 0 ? 0 : (int)(BarCells * (double)used / pages);
        if (used > 0 && cells == 0)
            cells = 1;
        return $"{new string('█', cells)}{new string('░', BarCells - cells)}";
    }

    private static string State(MapSnapshot map)
    {
        List<string> words = [map.State == MapState.Live ? "live" : "being disposed"];
        if (map.IsClaimed)
            words.Add("claimed");
        if (map.LayoutBreaks > 0)
            words.Add($"{SnapshotText.Count(map.LayoutBreaks)} layout break{(map.LayoutBreaks == 1 ? null : "s")}");
        if (map.IsFarMemory)
            words.Add($"{SnapshotText.Count(map.Resident)} resident, {SnapshotText.Count(map.OnDevice)} in store");
        if (!map.HasDriver)
            words.Add("no driver");
        if (map.Level is { } level)
            words.Add($"level {OptionParsers.WordOf(level)}");
        return string.Join(", ", words);
    }
}
