// SPDX-License-Identifier: MIT
using System.Globalization;
using Spectre.Console;

namespace Devmap.CommandLine.Run;

/// <summary>Shows where a run stands while it runs.</summary>
internal static class RunProgress
{
    /// <summary>Runs <paramref name="job"/> and shows it.</summary>
    public static Task<RunReport> RunAsync(IAnsiConsole console, RunJob job, CancellationToken interrupt) =>
        LiveProgress.RunAsync(console, job.RunAsync, () => Frame(job.Snapshot()), () => Line(job.Snapshot()), interrupt);

    internal static string Line(RunSnapshot snapshot) => string.Create(
        CultureInfo.InvariantCulture,
        $"{snapshot.Elapsed.TotalSeconds,6:0.0} s  {snapshot.Managed.Leases + snapshot.Native.Leases:N0} leases, {new ByteSize(snapshot.BytesVerified)} verified, {snapshot.Truncations:N0} truncations, {snapshot.IdleCallbacks:N0} idle callbacks");

    private static Table Frame(RunSnapshot snapshot)
    {
        ReaderCounts both = snapshot.Managed + snapshot.Native;
        Table table = FigureTable.Create();
        table.AddFigure("time", string.Create(CultureInfo.InvariantCulture, $"{snapshot.Elapsed.TotalSeconds:0.0} s"));
        table.AddFigure("file now", new ByteSize(snapshot.Length).ToString());
        table.AddFigure("leases", both.Leases);
        table.AddFigure("refused leases", both.Refused);
        table.AddFigure("verified", new ByteSize(snapshot.BytesVerified).ToString());
        table.AddFigure("mismatches", both.Mismatches);
        table.AddFigure("truncations", snapshot.Truncations);
        table.AddFigure("idle callbacks", snapshot.IdleCallbacks);
        return table;
    }
}
