// SPDX-License-Identifier: MIT
using Devmap.CommandLine;
using Spectre.Console;

namespace Devmap.Benchmarks.Suite;

/// <summary>The targets at the end of a run: a table on a terminal, and the same without colours elsewhere.</summary>
internal static class TargetTable
{
    public static void Write(TextWriter output, IReadOnlyList<TargetResult> targets)
    {
        Table table = new Table().Border(TableBorder.Rounded);
        foreach (string column in Report.TargetColumns)
            table.AddColumn(new TableColumn(new Text(column)));
        foreach (TargetResult target in targets)
            table.AddRow(Report.TargetCells(target).Select(cell => new Text(cell, Colour(cell))));
        CommandConsole.Create(output).Write(table);
    }

    private static Style? Colour(string cell) => cell switch
    {
        "yes" => new Style(Color.Green),
        "no" => new Style(Color.Red),
        _ => null,
    };
}
