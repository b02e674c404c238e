// SPDX-License-Identifier: MIT
using Spectre.Console;

namespace Devmap.Benchmarks.Suite;

/// <summary>The targets at the end of a run: a table on a terminal, and the same without colours elsewhere.</summary>
internal static class TargetTable
{
    private const int PlainWidth = 160;

    public static void Write(TextWriter output, IReadOnlyList<TargetResult> targets)
    {
        Table table = new Table().Border(TableBorder.Rounded);
        foreach (string column in Report.TargetColumns)
            table.AddColumn(new TableColumn(new Text(column)));
        foreach (TargetResult target in targets)
            table.AddRow(Report.TargetCells(target).Select(cell => new Text(cell, Colour(cell))));
        Console(output).Write(table);
    }

    private static Style? Colour(string cell) => cell switch
    {
        "yes" => new Style(Color.Green),
        "no" => new Style(Color.Red),
        _ => null,
    };

    private static IAnsiConsole Console(TextWriter output)
    {
        if (ReferenceEquals(output, System.Console.Out) && !System.Console.IsOutputRedirected)
            return AnsiConsole.Create(new AnsiConsoleSettings());
        IAnsiConsole console = AnsiConsole.Create(new AnsiConsoleSettings
        {
            Ansi = AnsiSupport.No,
            ColorSystem = ColorSystemSupport.NoColors,
            Interactive = InteractionSupport.No,
            Enrichment = new ProfileEnrichment { UseDefaultEnrichers = false },
            Out = new AnsiConsoleOutput(output),
        });
        console.Profile.Width = PlainWidth;
        return console;
    }
}
