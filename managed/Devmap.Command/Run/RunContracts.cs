// SPDX-License-Identifier: MIT
using System.Globalization;

namespace Devmap.CommandLine.Run;

/// <summary>What every run promises.</summary>
internal static class RunContracts
{
    public static IReadOnlyList<RunContract> Of(RunReport report) =>
    [
        Content(report),
        Callbacks(report),
        Activations(report),
        Gate(report),
        new("no faults", FaultLog.Between(report.Before, report.After) == 0 && report.Faults.Count == 0, FaultDetail(report)),
        new("every lease came back", report.LeasesLeft is null, report.LeasesLeft ?? "none left"),
        Gauges(report),
        new("a truncation that gave up changed nothing", report.HalfDone == 0, Invariant($"{report.HalfDone} of {report.GivenUp} did")),
        FileAtEnd(report),
        new("every reader lasted", report.ReaderErrors.Count == 0, report.ReaderErrors.Count == 0 ? "no errors" : string.Join("; ", report.ReaderErrors)),
    ];

    private static RunContract Content(RunReport report)
    {
        ReaderCounts both = report.Managed + report.Native;
        return new(
            "every page held what was written to it",
            both.Mismatches == 0,
            both.Mismatches == 0 ? Invariant($"{both.Pages} pages verified") : Invariant($"{both.Mismatches} did not, the first was page {both.FirstMismatch}"));
    }

    private static RunContract Callbacks(RunReport report)
    {
        long managed = report.After.IdleEdgesManaged - report.Before.IdleEdgesManaged;
        return new(
            "one idle callback for each idle edge",
            report.IdleCallbacks == managed && managed == report.IdleEdges,
            Invariant($"{report.IdleCallbacks} callbacks, {report.IdleEdges} edges, {managed} of them with a driver"));
    }

    private static RunContract Activations(RunReport report)
    {
        long activations = report.After.Activations - report.Before.Activations;
        return new(
            "every page that came into use went idle",
            activations == report.IdleEdges,
            Invariant($"{activations} came into use, {report.IdleEdges} went idle"));
    }

    private static RunContract Gate(RunReport report) => new(
        "the gate is as it was",
        report.After.GateHolders == report.Before.GateHolders,
        Invariant($"{report.Before.GateHolders} holders before, {report.After.GateHolders} after"));

    private static RunContract Gauges(RunReport report)
    {
        (string Name, long Before, long After)[] gauges =
        [
            ("page maps", report.Before.PageMaps.Current, report.After.PageMaps.Current),
            ("claims", report.Before.Claims.Current, report.After.Claims.Current),
            ("files", report.Before.DaxFiles.Current, report.After.DaxFiles.Current),
            ("truncations in progress", report.Before.LayoutBreaks.Current, report.After.LayoutBreaks.Current),
        ];
        string[] changed = [.. gauges.Where(gauge => gauge.Before != gauge.After).Select(gauge => Invariant($"{gauge.Name}: {gauge.Before} before, {gauge.After} after"))];
        return new("nothing was left open", changed.Length == 0, changed.Length == 0 ? "nothing" : string.Join("; ", changed));
    }

    private static RunContract FileAtEnd(RunReport report) => new(
        "the file is what it should be by ordinary reads",
        report.FinalLength == report.ExpectedLength && report.WrongPages == 0,
        Invariant($"{report.FinalLength} bytes of {report.ExpectedLength}, {report.WrongPages} wrong pages"));

    private static string FaultDetail(RunReport report)
    {
        string count = Invariant($"{FaultLog.Between(report.Before, report.After)} faults");
        return report.Faults.Count == 0 ? count : $"{count}: {string.Join("; ", report.Faults.Take(3))}";
    }

    private static string Invariant(FormattableString text) => text.ToString(CultureInfo.InvariantCulture);
}
