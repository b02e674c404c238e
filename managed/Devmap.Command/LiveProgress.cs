// SPDX-License-Identifier: MIT
using Spectre.Console;

namespace Devmap.CommandLine;

/// <summary>Shows where a job stands while it runs: in place on a terminal, a line now and then elsewhere.</summary>
internal static class LiveProgress
{
    private static readonly TimeSpan s_frame = TimeSpan.FromMilliseconds(100);
    private static readonly TimeSpan s_line = TimeSpan.FromSeconds(1);

    /// <summary>Runs a job and shows it.</summary>
    /// <typeparam name="T">What comes of it.</typeparam>
    /// <param name="console">Where to.</param>
    /// <param name="job">The job.</param>
    /// <param name="frame">What to show in place.</param>
    /// <param name="line">What to write elsewhere.</param>
    public static Task<T> RunAsync<T>(IAnsiConsole console, Func<Task<T>> job, Func<Table> frame, Func<string> line) => console.IsLive()
        ? console.Live(frame()).AutoClear(enabled: true).StartAsync(live => RunAsync(job, s_frame, () => live.UpdateTarget(frame())))
        : RunAsync(job, s_line, () => console.WriteLine(line()));

    private static async Task<T> RunAsync<T>(Func<Task<T>> job, TimeSpan interval, Action show)
    {
        Task<T> run = Task.Run(job, CancellationToken.None);
        while (await Task.WhenAny(run, Task.Delay(interval, CancellationToken.None)).ConfigureAwait(false) != run)
            show();
        return await run.ConfigureAwait(false);
    }
}
