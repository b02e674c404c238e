// SPDX-License-Identifier: MIT
using System.CommandLine;
using System.Globalization;
using System.Runtime.InteropServices;
using Spectre.Console;

namespace Devmap.CommandLine.Info;

/// <summary>The verb <c>info</c>.</summary>
internal static class InfoCommand
{
    private const string Details = "Exit status: 0 the library is loaded, 1 it is not.";

    public static Command Create(IAnsiConsole console)
    {
        var command = new DetailedCommand("info", "Says which native library is in use, what it was built with, and what it runs on.", Details);
        command.SetAction(_ => Show(console));
        return command;
    }

    private static int Show(IAnsiConsole console)
    {
        DevmapLoadReport report = DevmapDiagnostics.LoadReport;
        Table table = FigureTable.Create();
        table.AddFigure("libdevmap", report.Version ?? "not loaded");
        table.AddFigure("binary interface", Invariant($"{report.AbiVersion?.ToString(CultureInfo.InvariantCulture) ?? "none"} ({report.ExpectedAbiVersion} expected)"));
        table.AddFigure("features", report.Features ?? "none");
        foreach (string attempt in report.Attempts)
            table.AddFigure("tried", attempt);
        table.AddFigure("looked for", report.RuntimeIdentifier);
        table.AddFigure("system", $"{RuntimeInformation.OSDescription} ({RuntimeInformation.RuntimeIdentifier})");
        table.AddFigure("runtime", RuntimeInformation.FrameworkDescription);
        table.AddFigure("processors", Environment.ProcessorCount);
        table.AddFigure("system's page", new ByteSize(Environment.SystemPageSize).ToString());
        table.AddFigure("temporary files", Path.GetTempPath());
        console.Write(table);
        if (!report.IsLoaded)
            console.WriteLine(report.Error!);
        return report.IsLoaded ? ExitStatus.Success : ExitStatus.Broken;
    }

    private static string Invariant(FormattableString text) => text.ToString(CultureInfo.InvariantCulture);
}
