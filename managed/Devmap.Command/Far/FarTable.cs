// SPDX-License-Identifier: MIT
using System.Globalization;
using Devmap.CommandLine.Run;
using Spectre.Console;

namespace Devmap.CommandLine.Far;

/// <summary>The tables at the end of a job: one of its phases, and one of the whole.</summary>
internal static class FarTable
{
    public static void Write(IAnsiConsole console, FarReport report)
    {
        console.Write(Phases(report));
        console.Write(Whole(report));
    }

    public static string NameOf(FarPhase phase) => phase switch
    {
        FarPhase.Fill => "fill",
        FarPhase.InOrder => "in order",
        FarPhase.Random => "at random",
        _ => "in order again",
    };

    private static Table Phases(FarReport report)
    {
        Table table = new Table().Border(TableBorder.Rounded).AddColumn(new TableColumn(string.Empty).NoWrap());
        foreach (FarPhaseReport phase in report.Phases)
            table.AddColumn(new TableColumn(NameOf(phase.Phase)).NoWrap().RightAligned());
        Add("time", phase => Invariant($"{phase.Duration.TotalSeconds:0.00} s"));
        Add("pages", phase => Number(phase.Visits));
        Add("  written", phase => Number(phase.Writes));
        Add("  a second", phase => Number((long)(phase.Visits / phase.Duration.TotalSeconds)));
        Add("MiB a second", phase => Number((long)(phase.Visits / phase.Duration.TotalSeconds * report.Settings.PageSize / (1 << 20))));
        Add("wrong pages", phase => Number(phase.WrongPages));
        Add("page faults", phase => Number(phase.Count(counts => counts.Faults)));
        Add("  on new pages", phase => Number(phase.Count(counts => counts.HoleFaults)));
        Add("  on pages away", phase => Number(phase.Count(counts => counts.DeviceFaults)));
        Add("  first writes", phase => Number(phase.Count(counts => counts.WriteFaults)));
        Add("  served already", phase => Number(phase.Count(counts => counts.FaultsServedAlready)));
        Add("pages to the store", phase => Number(phase.Count(counts => counts.ToDevice)));
        Add("  spared copying", phase => Number(phase.Count(counts => counts.ToDeviceUncopied)));
        Add("pages to memory", phase => Number(phase.Count(counts => counts.ToMemory)));
        Add("leases refused", phase => Number(phase.Refused));
        AddTimes("page in memory, wait", phase => phase.Resident);
        AddTimes("page not there, wait", phase => phase.Absent);
        return table;

        void Add(string name, Func<FarPhaseReport, string> figure) => table.AddRow([new Text(name), .. report.Phases.Select(phase => new Text(figure(phase)))]);

        void AddTimes(string name, Func<FarPhaseReport, LatencyHistogram> times)
        {
            Add($"{name} p50", phase => Time(times(phase).Percentile(50)));
            Add("  p99", phase => Time(times(phase).Percentile(99)));
            Add("  max", phase => Time(times(phase).Percentile(100)));
        }
    }

    private static Table Whole(FarReport report)
    {
        FarMemoryStatistics counts = report.Statistics;
        Table table = FigureTable.Create();
        table.AddFigure("far memory", report.Description);
        table.AddFigure("threads", report.Access);
        table.AddFigure("seed", report.Settings.Seed.ToString(CultureInfo.InvariantCulture));
        if (report.IsInterrupted)
            table.AddFigure("interrupted", $"in the phase '{NameOf(report.Phases[^1].Phase)}'");
        table.AddFigure("resident, peak", $"{new ByteSize(report.PeakResident)} of {new ByteSize(report.Settings.ResidentLimit)}");
        table.AddFigure("in the store", Invariant($"{counts.OnDevice + counts.Copies:N0} pages, {counts.Copies:N0} of them in memory too"));
        table.AddFigure("store takes", $"{new ByteSize(counts.StoreBytes)}{(report.Compression is { } ratio ? Invariant($", {ratio:0.00}:1") : null)}");
        table.AddFigure("memory limit", report.MemoryLimit);
        table.AddFigure("process, peak", $"{new ByteSize(report.PeakRss)} resident, for {new ByteSize(report.Settings.Length)} of data");
        AddMismatches(table, report);
        AddContracts(table, report);
        return table;
    }

    private static void AddMismatches(Table table, FarReport report)
    {
        table.AddFigure("mismatches", Invariant($"{report.WrongPages:N0} pages, {report.WrongBytes:N0} bytes"));
        foreach (FarMismatch mismatch in report.Mismatches)
            table.AddFigure("  among them", mismatch.ToString());
    }

    private static void AddContracts(Table table, FarReport report)
    {
        IReadOnlyList<RunContract> contracts = report.Contracts;
        table.AddFigure("contracts", Invariant($"{contracts.Count(contract => contract.IsKept)} of {contracts.Count} kept"));
        foreach (RunContract contract in contracts.Where(contract => !contract.IsKept))
            table.AddFigure("  BROKEN", $"{contract.Name}: {contract.Detail}");
    }

    private static string Number(long number) => number.ToString("N0", CultureInfo.InvariantCulture);

    private static string Time(TimeSpan? time) => time is null ? "none" : Invariant($"{time.Value.TotalMicroseconds:N1} µs");

    private static string Invariant(FormattableString text) => text.ToString(CultureInfo.InvariantCulture);
}
