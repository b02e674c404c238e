// SPDX-License-Identifier: MIT
using System.CommandLine;
using System.Runtime.CompilerServices;
using Spectre.Console;

namespace Devmap.CommandLine.Top;

/// <summary>The verb <c>top</c>.</summary>
internal static class TopCommand
{
    private const string Details = """
        The process's runtime is asked through its diagnostics port; the process needs no preparation, and pays only while it
        is watched: a snapshot each interval. Who holds busy pages is known from the level 'sampled' on, which the process sets.

        On a terminal the view is drawn anew with each snapshot; elsewhere the snapshots follow each other, without end unless
        --count says so. Ctrl-C or SIGTERM ends the watch and leaves the process alone.

        Exit status: 0 it was shown until its end, 2 the process can't be watched, or ended before --count snapshots.
        """;

    public static Command Create(IAnsiConsole console, TextWriter error)
    {
        var process = new Option<int>("--pid") { Description = "The process to watch, of the same user.", HelpName = "PID", Required = true, CustomParser = OptionParsers.Number("--pid", 1, int.MaxValue) };
        var interval = new Option<TimeSpan>("--interval") { Description = "Time between snapshots, as 500ms or 2s.", HelpName = "TIME", CustomParser = OptionParsers.Interval("--interval", TopSettings.MinInterval, TopSettings.MaxInterval), DefaultValueFactory = _ => TimeSpan.FromSeconds(1) };
        var count = new Option<int?>("--count") { Description = "How many snapshots to show. Without it, the watch goes on.", HelpName = "N", CustomParser = result => OptionParsers.Number("--count", 1, int.MaxValue)(result) };
        var command = new DetailedCommand("top", "Shows the pages of another process while it runs.", Details) { process, interval, count };
        command.SetAction((parsed, interrupt) => RunAsync(
            new TopSettings { ProcessId = parsed.GetValue(process), Interval = parsed.GetValue(interval), Count = parsed.GetValue(count) },
            console,
            error,
            interrupt));
        return command;
    }

    internal static async Task<int> RunAsync(TopSettings settings, IAnsiConsole console, TextWriter error, CancellationToken interrupt)
    {
        var view = new TopView(console, settings);
        try
        {
            await WatchAsync(settings, view, interrupt).ConfigureAwait(false);
        }
        catch (OperationCanceledException) when (interrupt.IsCancellationRequested)
        {
            return ExitStatus.Success;
        }
        catch (WatchException exception)
        {
            await error.WriteLineAsync($"devmap: {exception.Message}").ConfigureAwait(false);
            return ExitStatus.CannotRun;
        }

        if (view.IsComplete)
            return ExitStatus.Success;
        await error.WriteLineAsync($"devmap: process {settings.ProcessId} has ended.").ConfigureAwait(false);
        return settings.Count is null && view.Shown > 0 ? ExitStatus.Success : ExitStatus.CannotRun;
    }

    /// <summary>Returns when all was shown that was asked for, or the process ended.</summary>
    private static async Task WatchAsync(TopSettings settings, TopView view, CancellationToken interrupt)
    {
        SnapshotStream stream = await SnapshotStream.OpenAsync(settings, interrupt).ConfigureAwait(false);
        await using ConfiguredAsyncDisposable disposing = stream.ConfigureAwait(false);
        await view.ShowAsync(stream, interrupt).ConfigureAwait(false);
    }
}
