// SPDX-License-Identifier: MIT
using System.Globalization;
using Spectre.Console;

namespace Devmap.CommandLine.Far;

/// <summary>Shows where a job stands while it runs.</summary>
internal static class FarProgress
{
    /// <summary>Runs <paramref name="job"/> and shows it.</summary>
    public static Task<FarReport> RunAsync(IAnsiConsole console, FarJob job, CancellationToken interrupt) =>
        LiveProgress.RunAsync(console, job.RunAsync, () => Frame(job.Snapshot()), () => Line(job.Snapshot()), interrupt);

    internal static string Line(FarSnapshot snapshot) => string.Create(
        CultureInfo.InvariantCulture,
        $"{snapshot.Elapsed.TotalSeconds,6:0.0} s  {FarTable.NameOf(snapshot.Phase)}: {Pages(snapshot)}, {snapshot.Statistics.Faults:N0} page faults, {snapshot.Statistics.ToDevice:N0} to the store, {snapshot.Statistics.ToMemory:N0} to memory");

    private static Table Frame(FarSnapshot snapshot)
    {
        Table table = FigureTable.Create();
        table.AddFigure("time", string.Create(CultureInfo.InvariantCulture, $"{snapshot.Elapsed.TotalSeconds:0.0} s"));
        table.AddFigure(FarTable.NameOf(snapshot.Phase), Pages(snapshot));
        table.AddFigure("page faults", snapshot.Statistics.Faults);
        table.AddFigure("pages to the store", snapshot.Statistics.ToDevice);
        table.AddFigure("pages to memory", snapshot.Statistics.ToMemory);
        table.AddFigure("wrong pages", snapshot.WrongPages);
        return table;
    }

    private static string Pages(FarSnapshot snapshot) => string.Create(
        CultureInfo.InvariantCulture, $"{snapshot.Visits:N0}{(snapshot.Total is { } total ? $" of {total.ToString("N0", CultureInfo.InvariantCulture)}" : null)} pages");
}
