// SPDX-License-Identifier: MIT
using System.Globalization;
using Spectre.Console;

namespace Devmap.CommandLine.Run;

/// <summary>The table at the end of a run.</summary>
internal static class RunTable
{
    public static void Write(IAnsiConsole console, RunReport report)
    {
        Table table = FigureTable.Create();
        table.AddFigure("file", report.Description);
        table.AddFigure("seed", report.Seed.ToString(CultureInfo.InvariantCulture));
        table.AddFigure("duration", Invariant($"{report.Duration.TotalSeconds:0.00} s{(report.IsInterrupted ? ", interrupted" : null)}"));
        AddReaders(table, report);
        table.AddFigure("idle callbacks", report.IdleCallbacks);
        table.AddFigure("idle edges", Invariant($"{report.IdleEdges:N0} (counted by the native side)"));
        AddChanges(table, report);
        table.AddFigure("gate", Invariant($"{report.Before.GateHolders} holders before, {report.After.GateHolders} after"));
        table.AddFigure("faults", report.After.Faults - report.Before.Faults);
        AddContracts(table, report);
        console.Write(table);
    }

    private static void AddReaders(Table table, RunReport report)
    {
        ReaderCounts both = report.Managed + report.Native;
        table.AddFigure("leases", Parts(both.Leases, report.Managed.Leases, report.Native.Leases));
        table.AddFigure("shares", Parts(both.Shares, report.Managed.Shares, report.Native.Shares));
        table.AddFigure("refused leases", Parts(both.Refused, report.Managed.Refused, report.Native.Refused));
        table.AddFigure("pages verified", Invariant($"{both.Pages:N0} ({new ByteSize(report.BytesVerified)})"));
        table.AddFigure("not written yet", Invariant($"{both.Unwritten:N0} pages"));
        table.AddFigure("mismatches", both.Mismatches);
    }

    private static void AddChanges(Table table, RunReport report)
    {
        table.AddFigure("truncations", Invariant($"{report.Truncations:N0}, and {report.GivenUp:N0} that gave up"));
        table.AddFigure("  waiting, p50", Time(report.Waits.Percentile(50)));
        table.AddFigure("  waiting, p99", Time(report.Waits.Percentile(99)));
        table.AddFigure("  waiting, max", Time(report.Waits.Percentile(100)));
        table.AddFigure("growths", report.Growths);
    }

    private static void AddContracts(Table table, RunReport report)
    {
        IReadOnlyList<RunContract> contracts = report.Contracts;
        table.AddFigure("contracts", Invariant($"{contracts.Count(contract => contract.IsKept)} of {contracts.Count} kept"));
        foreach (RunContract contract in contracts.Where(contract => !contract.IsKept))
            table.AddFigure("  BROKEN", $"{contract.Name}: {contract.Detail}");
    }

    private static string Parts(long both, long managed, long native) => Invariant($"{both:N0} (managed {managed:N0}, native {native:N0})");

    private static string Time(TimeSpan? time) => time is null ? "none" : Invariant($"{time.Value.TotalMilliseconds:0.000} ms");

    private static string Invariant(FormattableString text) => text.ToString(CultureInfo.InvariantCulture);
}
