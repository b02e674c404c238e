// SPDX-License-Identifier: MIT
using Spectre.Console;

namespace Devmap.CommandLine;

/// <summary>Shows where a job stands while it runs: in place on a terminal, a line now and then elsewhere.</summary>
internal static class LiveProgress
{
    private static readonly TimeSpan s_frame = TimeSpan.FromMilliseconds(100);
    private static readonly TimeSpan s_line = TimeSpan.FromSeconds(1);

    /// <summary>Runs a job and shows it. The job has ended when this returns, or throws, whatever could not be shown.</summary>
    /// <typeparam name="T">What comes of it.</typeparam>
    /// <param name="console">Where to.</param>
    /// <param name="job">The job.</param>
    /// <param name="frame">What to show in place.</param>
    /// <param name="line">What to write elsewhere.</param>
    /// <param name="interrupt">Ends the job early, as it is also ended where it can't be shown.</param>
    public static Task<T> RunAsync<T>(IAnsiConsole console, Func<CancellationToken, Task<T>> job, Func<Table> frame, Func<string> line, CancellationToken interrupt) => console.IsLive()
        ? console.Live(frame()).AutoClear(enabled: true).StartAsync(live => RunAsync(job, s_frame, () => live.UpdateTarget(frame()), interrupt))
        : RunAsync(job, s_line, () => console.WriteLine(line()), interrupt);

    private static async Task<T> RunAsync<T>(Func<CancellationToken, Task<T>> job, TimeSpan interval, Action show, CancellationToken interrupt)
    {
        using var stop = CancellationTokenSource.CreateLinkedTokenSource(interrupt);
        Task<T> run = Task.Run(() => job(stop.Token), CancellationToken.None);
        try
        {
            while (await Task.WhenAny(run, Task.Delay(interval, CancellationToken.None)).ConfigureAwait(false) != run)
                show();
        }
        catch
        {
            // Its threads use what the caller frees next.
            await stop.CancelAsync().ConfigureAwait(false);
            await ((Task)run).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
            throw;
        }

        return await run.ConfigureAwait(false);
    }
}
