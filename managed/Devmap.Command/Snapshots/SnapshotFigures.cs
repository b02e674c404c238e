// SPDX-License-Identifier: MIT
using Spectre.Console;

namespace Devmap.CommandLine.Snapshots;

/// <summary>The figures of a whole process. What says nothing is left out, as that of far memory where there is none.</summary>
internal static class SnapshotFigures
{
    private static readonly Style s_trouble = new(Color.Red, decoration: Decoration.Bold);

    public static Table Create(DevmapSnapshot snapshot, DevmapSnapshot? former)
    {
        SnapshotRates? rates = former is null ? null : SnapshotRates.Between(former, snapshot);
        DevmapStatistics counts = snapshot.Statistics;
        Table table = FigureTable.Create();
        table.AddFigure("process", $"{snapshot.ProcessId} ({SnapshotText.Name(snapshot.ProcessName)}), Devmap {SnapshotText.Name(snapshot.LibraryVersion)}");
        table.AddFigure("taken", SnapshotText.Time(snapshot.Time));
        table.AddFigure("level", Level(snapshot));
        table.AddFigure("gate", Gate(snapshot));
        table.AddFigure("pages in use", PagesInUse(snapshot));
        table.AddFigure("activations", SnapshotText.Count(counts.Activations, rates?.Activations));
        table.AddFigure("idle pages", SnapshotText.Count(counts.IdleEdges, rates?.IdleEdges));
        table.AddFigure("idle callbacks", $"{SnapshotText.Count(counts.IdleEdgesManaged, rates?.Callbacks)}{Times(snapshot.Callbacks, "timed")}");
        AddRefusals(table, counts);
        AddLayoutBreaks(table, snapshot);
        AddFarMemory(table, snapshot.Migration, rates);
        AddTroubles(table, "faults", SnapshotTroubles.Faults(counts));
        AddTroubles(table, "leaks", SnapshotTroubles.Leaks(counts));
        return table;
    }

    private static string Level(DevmapSnapshot snapshot) => snapshot.Level switch
    {
        DiagnosticLevel.Off => "off: counters only",
        DiagnosticLevel.Counters => $"counters: holders of pages are not followed{Followed(snapshot)}",
        DiagnosticLevel.Sampled => $"sampled: one activation in 128 is followed{Followed(snapshot)}",
        _ => $"full: every reference is followed{Followed(snapshot)}",
    };

    /// <summary>A map may have a level of its own, and what is followed stays so until it is put.</summary>
    private static string Followed(DevmapSnapshot snapshot) => snapshot.TrackedReferences == 0 ? string.Empty : $"; {SnapshotText.Count(snapshot.TrackedReferences)} now";

    private static string Gate(DevmapSnapshot snapshot)
    {
        GateSnapshot gate = snapshot.Gate;
        string holders = gate.Holders == 0
            ? "off: nobody wants idle callbacks"
            : $"on: {SnapshotText.Count(gate.Holders - gate.UserHolders)} held by maps and claims, {SnapshotText.Count(gate.UserHolders)} by users";
        return gate.History.Count == 0
            ? holders
            : $"{holders}; changed {SnapshotText.Age(snapshot.Time - gate.History[^1].Time)} before, by thread {gate.History[^1].ThreadId}";
    }

    private static string PagesInUse(DevmapSnapshot snapshot)
    {
        long used = snapshot.Maps.Sum(map => map.PagesInUse);
        long pages = snapshot.Maps.Sum(map => map.PageCount);
        return $"{SnapshotText.Count(used)} of {SnapshotText.Count(pages)} ({SnapshotText.Share(used, pages)}), in {SnapshotText.Count(snapshot.MapCount)} map{(snapshot.MapCount == 1 ? null : "s")}";
    }

    private static string? Times(DurationHistogram times, string what) => times.Count == 0
        ? null
        : $"; {SnapshotText.Count(times.Count)} {what}: p50 {SnapshotText.Duration(times.QuantileNanoseconds(0.5))}, p99 {SnapshotText.Duration(times.QuantileNanoseconds(0.99))}, max {SnapshotText.Duration(times.MaxNanoseconds)}";

    private static void AddRefusals(Table table, DevmapStatistics counts)
    {
        if (counts.RefusedDying + counts.RefusedMarked > 0)
            table.AddFigure("refused", $"{SnapshotText.Count(counts.RefusedMarked)} for a layout break, {SnapshotText.Count(counts.RefusedDying)} for a disposal");
    }

    private static void AddLayoutBreaks(Table table, DevmapSnapshot snapshot)
    {
        DevmapStatistics counts = snapshot.Statistics;
        if (counts.LayoutBreaks.Total == 0)
            return;
        table.AddFigure("layout breaks", $"{SnapshotText.Count(counts.LayoutBreaks.Total)}, {SnapshotText.Count(counts.LayoutBreaks.Current)} in progress, {SnapshotText.Count(counts.LayoutBreakTimeouts)} timed out, {SnapshotText.Count(counts.LayoutBreakCancels)} cancelled{Times(snapshot.LayoutBreaks, "waits")}");
    }

    private static void AddFarMemory(Table table, MigrationSnapshot far, SnapshotRates? rates)
    {
        if (far is { Resident: 0, OnDevice: 0, Faults: 0, ToDevice: 0 })
            return;
        table.AddFigure("far memory", $"{SnapshotText.Count(far.Resident)} pages resident, {SnapshotText.Count(far.OnDevice)} in stores");
        table.AddFigure("  page faults", SnapshotText.Count(far.Faults, rates?.PageFaults));
        table.AddFigure("  to stores", SnapshotText.Count(far.ToDevice, rates?.ToDevice));
        table.AddFigure("  to memory", SnapshotText.Count(far.ToMemory, rates?.ToMemory));
        if (far.Failed + far.FaultsFailed > 0)
            table.AddRow(new Text("  failed"), new Text($"{SnapshotText.Count(far.Failed)} migrations, {SnapshotText.Count(far.FaultsFailed)} page faults", s_trouble));
    }

    private static void AddTroubles(Table table, string name, IReadOnlyList<string> troubles)
    {
        if (troubles.Count == 0)
            table.AddFigure(name, "none");
        else
            table.AddRow(new Text(name), new Text(string.Join(", ", troubles), s_trouble));
    }
}
