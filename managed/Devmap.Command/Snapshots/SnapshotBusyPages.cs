// SPDX-License-Identifier: MIT
using System.Globalization;
using Spectre.Console;

namespace Devmap.CommandLine.Snapshots;

/// <summary>Pages in use in a line each: who has held it for longest, and from where.</summary>
internal static class SnapshotBusyPages
{
    private const int NameLength = 32;
    private const int PlaceLength = 64;

    public static Table Create(DevmapSnapshot snapshot, int limit)
    {
        Table table = new Table().Border(TableBorder.Rounded)
            .AddColumn(new TableColumn("page").RightAligned().NoWrap())
            .AddColumn(new TableColumn("of map"))
            .AddColumn(new TableColumn("count").RightAligned().NoWrap())
            .AddColumn(new TableColumn("held for").RightAligned().NoWrap())
            .AddColumn(new TableColumn("by"))
            .AddColumn(new TableColumn("from"));
        foreach (BusyPageSnapshot page in InOrder(snapshot).Take(limit))
        {
            PageHolder? holder = page.Holders.Count > 0 ? page.Holders[0] : null;
            table.AddRow(
                new Text(SnapshotText.Count(page.PageIndex)),
                new Text(SnapshotText.End(MapOf(snapshot, page), NameLength)),
                new Text(page.Count.ToString(CultureInfo.InvariantCulture)),
                new Text(holder is null ? string.Empty : SnapshotText.Age(holder.Age)),
                new Text(holder is null ? "not followed" : Holder(holder)),
                new Text(holder is null ? string.Empty : Place(holder)));
        }

        return snapshot.BusyPages.Count > limit ? table.Caption(new TableTitle($"{SnapshotText.Count(snapshot.BusyPages.Count - limit)} more pages")) : table;
    }

    /// <summary>Those held for longest first, those whose holders are not known last.</summary>
    public static IEnumerable<BusyPageSnapshot> InOrder(DevmapSnapshot snapshot) =>
        snapshot.BusyPages.OrderByDescending(page => page.Holders.Count > 0 ? page.Holders.Max(holder => holder.Age) : TimeSpan.MinValue);

    public static string MapOf(DevmapSnapshot snapshot, BusyPageSnapshot page) =>
        snapshot.Maps.FirstOrDefault(map => map.Id == page.MapId)?.Name ?? "a map that came later";

    public static string Holder(PageHolder holder)
    {
        string name = string.IsNullOrEmpty(holder.ThreadName) ? "thread" : SnapshotText.Name(holder.ThreadName);
        return $"{name} {holder.ThreadId}";
    }

    private static string Place(PageHolder holder)
    {
        string place = holder.Stack is null ? string.Empty : SnapshotText.Lines(holder.Stack).FirstOrDefault() ?? string.Empty;
        if (place.StartsWith("at ", StringComparison.Ordinal))
            place = place[3..];
        return place.Length <= PlaceLength ? place : $"{place[..(PlaceLength - 1)]}…";
    }
}
