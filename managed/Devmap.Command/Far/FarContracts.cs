// SPDX-License-Identifier: MIT
using System.Globalization;
using Devmap.CommandLine.Run;

namespace Devmap.CommandLine.Far;

/// <summary>What every job promises.</summary>
internal static class FarContracts
{
    public static IReadOnlyList<RunContract> Of(FarReport report) =>
    [
        Content(report),
        new("every page was verified", report.PagesInOrder == report.Settings.Pages, Invariant($"{report.PagesInOrder} of {report.Settings.Pages} pages, in order, after all were written")),
        new("nothing failed to migrate", report.Statistics is { Failed: 0, FaultsFailed: 0 }, Invariant($"{report.Statistics.Failed} pages and {report.Statistics.FaultsFailed} page faults")),
        Resident(report),
        .. Memory(report),
        new("every thread lasted", report.Errors.Count == 0, report.Errors.Count == 0 ? "no errors" : string.Join("; ", report.Errors)),
        new("no faults", FaultLog.Between(report.Before, report.After) == 0 && report.Faults.Count == 0, FaultDetail(report)),
        Closing(report),
    ];

    private static RunContract Content(FarReport report) => new(
        "every byte was what was written to it",
        report.WrongPages == 0,
        report.WrongPages == 0
            ? Invariant($"{report.Phases.Sum(phase => phase.Compared)} times a page was compared")
            : Invariant($"{report.WrongPages} times a page was not, {report.WrongBytes} bytes: {string.Join("; ", report.Mismatches)}"));

    private static RunContract Resident(FarReport report)
    {
        // Each thread may hold a page, and each that serves faults may bring one, as all others are in use.
        long limit = report.Settings.ResidentLimit + ((report.Settings.Threads + report.Settings.FaultThreads) * (long)report.Settings.PageSize);
        return new(
            "no more was resident than may be",
            report.PeakResident <= limit,
            Invariant($"{report.PeakResident} bytes of {limit}, {report.Statistics.OverLimit} pages beyond the limit as all others were in use"));
    }

    /// <summary>Where the system keeps the limit, that the program is still there is the proof, once all data were there.</summary>
    private static RunContract[] Memory(FarReport report)
    {
        FarMemoryStatistics counts = report.Statistics;
        bool hasMoved = report.IsFilled && (report.Settings.ResidentLimit == report.Settings.Length || counts is { ToDevice: > 0, ToMemory: > 0 });
        string moved = Invariant($"{(report.IsFilled ? "all" : "not all")} of them written, {counts.ToDevice} pages to the store, {counts.ToMemory} to memory");
        return report switch
        {
            { IsLimitEnforced: true, Plan.Proves: true } =>
                [new("there was less memory than data", hasMoved, $"{new ByteSize(report.Plan.Limit)} for {new ByteSize(report.Plan.Size)}, {moved}")],
            { IsPeakObserved: true } =>
                [new("there was less memory than data", hasMoved && report.PeakRss < report.Plan.Size, $"the program took {new ByteSize(report.PeakRss)} for {new ByteSize(report.Plan.Size)}, {moved}")],
            _ => [],
        };
    }

    private static RunContract Closing(FarReport report)
    {
        long before = report.Before.PageMaps.Current;
        long after = report.After.PageMaps.Current;
        return new("nothing was left open", report.LeasesLeft is null && before == after, report.LeasesLeft ?? Invariant($"{before} page maps before, {after} after"));
    }

    private static string FaultDetail(FarReport report)
    {
        string count = Invariant($"{FaultLog.Between(report.Before, report.After)} faults");
        return report.Faults.Count == 0 ? count : $"{count}: {string.Join("; ", report.Faults.Take(3))}";
    }

    private static string Invariant(FormattableString text) => text.ToString(CultureInfo.InvariantCulture);
}
