// SPDX-License-Identifier: MIT
using System.Globalization;
using Spectre.Console;

namespace Devmap.CommandLine;

/// <summary>A table of names and figures, as every verb writes it.</summary>
internal static class FigureTable
{
    public static Table Create() => new Table()
        .Border(TableBorder.Rounded)
        .HideHeaders()
        .AddColumn(new TableColumn(string.Empty).NoWrap())
        .AddColumn(string.Empty);

    public static void AddFigure(this Table table, string name, string figure) => table.AddRow(new Text(name), new Text(figure));

    public static void AddFigure(this Table table, string name, long figure) => table.AddFigure(name, figure.ToString("N0", CultureInfo.InvariantCulture));
}
