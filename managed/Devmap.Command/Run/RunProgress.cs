// SPDX-License-Identifier: MIT
using System.Globalization;
using Spectre.Console;

namespace Devmap.CommandLine.Run;

/// <summary>Shows where a run stands while it runs: in place on a terminal, a line now and then elsewhere.</summary>
internal static class RunProgress
{
    private static readonly TimeSpan s_frame = TimeSpan.FromMilliseconds(100);
    private static readonly TimeSpan s_line = TimeSpan.FromSeconds(1);

    /// <summary>Runs <paramref name="job"/> and shows it.</summary>
    public static Task<RunReport> RunAsync(IAnsiConsole console, RunJob job, CancellationToken interrupt) => console.IsLive()
        ? console.Live(Frame(job.Snapshot())).AutoClear(enabled: true).StartAsync(live => RunAsync(job, s_frame, () => live.UpdateTarget(Frame(job.Snapshot())), interrupt))
        : RunAsync(job, s_line, () => console.WriteLine(Line(job.Snapshot())), interrupt);

    internal static string Line(RunSnapshot snapshot) => string.Create(
        CultureInfo.InvariantCulture,
        $"{snapshot.Elapsed.TotalSeconds,6:0.0} s  {snapshot.Managed.Leases + snapshot.Native.Leases:N0} leases, {new ByteSize(snapshot.BytesVerified)} verified, {snapshot.Truncations:N0} truncations, {snapshot.IdleCallbacks:N0} idle callbacks");

    private static async Task<RunReport> RunAsync(RunJob job, TimeSpan interval, Action show, CancellationToken interrupt)
    {
        Task<RunReport> run = Task.Run(() => job.RunAsync(interrupt), CancellationToken.None);
        while (await Task.WhenAny(run, Task.Delay(interval, CancellationToken.None)).ConfigureAwait(false) != run)
            show();
        return await run.ConfigureAwait(false);
    }

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
