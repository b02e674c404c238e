// SPDX-License-Identifier: MIT
using System.Globalization;
using Spectre.Console;

namespace Devmap.CommandLine.Snapshots;

/// <summary>The latest faults, the last one first.</summary>
internal static class SnapshotFaults
{
    public static Table Create(DevmapSnapshot snapshot, int limit, bool hasStacks)
    {
        Table table = new Table().Border(TableBorder.Rounded)
            .AddColumn(new TableColumn("fault").NoWrap())
            .AddColumn(new TableColumn("page").RightAligned().NoWrap())
            .AddColumn(new TableColumn("before").RightAligned().NoWrap())
            .AddColumn(new TableColumn("what happened"));
        foreach (FaultSnapshot fault in snapshot.Faults.Reverse().Take(limit))
        {
            table.AddRow(
                new Text(fault.Kind.ToString()),
                new Text(fault.PageIndex?.ToString("N0", CultureInfo.InvariantCulture) ?? string.Empty),
                new Text(SnapshotText.Age(snapshot.Time - fault.Time)),
                new Text(hasStacks && fault.Stack is not null
                    ? string.Join('\n', [SnapshotText.Name(fault.Message), .. SnapshotText.Lines(fault.Stack)])
                    : SnapshotText.Name(fault.Message)));
        }

        return snapshot.Faults.Count > limit ? table.Caption(new TableTitle($"{SnapshotText.Count(snapshot.Faults.Count - limit)} more faults")) : table;
    }
}
