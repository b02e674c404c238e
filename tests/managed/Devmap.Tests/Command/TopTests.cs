// SPDX-License-Identifier: MIT
using System.Diagnostics;
using System.Globalization;
using Devmap.CommandLine;
using Devmap.CommandLine.Top;
using Spectre.Console;
using Xunit;

namespace Devmap.Tests.Command;

/// <summary>The verb <c>top</c>.</summary>
public sealed class TopTests
{
    [Fact]
    public async Task Shows_as_many_snapshots_as_it_is_asked_for_and_ends_the_session()
    {
        using SnapshotSender sender = await SnapshotSender.StartAsync("whole");

        CommandRun run = await CommandRun.InvokeAsync("top", "--pid", sender.Id, "--interval", "500ms", "--count", "3");

        Assert.Empty(run.Error);
        Assert.Equal(ExitStatus.Success, run.Status);
        string[] activations = Figures(run, "activations");
        Assert.Equal(3, activations.Length);
        Assert.Matches("^[1-9][0-9,]*,000$", activations[0]);
        Assert.All(activations[1..], figure => Assert.Matches("^[1-9][0-9,]*,000, 1,000 a second$", figure));
        Assert.Equal(["second", "first"], [.. run.Output.Split('\n').Where(line => line.Contains("DevicePublic", StringComparison.Ordinal)).Select(line => line.Split('│')[2].Trim()).Take(2)]);
        Assert.Equal("enabled True 500", await sender.Process.StandardOutput.ReadLineAsync());
        Assert.Equal("disabled", await sender.Process.StandardOutput.ReadLineAsync());
    }

    [Fact]
    public async Task Watches_a_run_from_another_process()
    {
        using Process run = CommandProcess.Start("run", "--seconds", "600", "--size", "4M");
        await CommandProcess.ReadLineAsync(run, line => line.Contains("leases", StringComparison.Ordinal));
        using Process top = CommandProcess.Start("top", "--pid", run.Id.ToString(CultureInfo.InvariantCulture), "--interval", "200ms", "--count", "2");
        string view = await top.StandardOutput.ReadToEndAsync();
        await top.WaitForExitAsync();
        CommandProcess.Interrupt(run);
        await run.StandardOutput.ReadToEndAsync();
        await run.WaitForExitAsync();

        Assert.Equal(ExitStatus.Success, top.ExitCode);
        Assert.Equal(ExitStatus.Success, run.ExitCode);
        var shown = new CommandRun(top.ExitCode, view, string.Empty);
        Assert.All(Figures(shown, "process"), process => Assert.StartsWith($"{run.Id} (", process, StringComparison.Ordinal));
        Assert.All(Figures(shown, "gate"), gate => Assert.StartsWith("on: ", gate, StringComparison.Ordinal));
        Assert.All(Figures(shown, "pages in use"), pages => Assert.Matches(@"^[\d,]+ of 1,024 \([\d.]+ %\), in 1 map$", pages));
        Assert.Equal(["none", "none"], Figures(shown, "faults"));
        long[] activations = [.. Figures(shown, "activations").Select(figure => long.Parse(figure.Split(", ")[0], NumberStyles.AllowThousands, CultureInfo.InvariantCulture))];
        Assert.Equal(2, activations.Length);
        Assert.InRange(activations[0], 1, activations[1]);
        Assert.EndsWith(" a second", Figures(shown, "activations")[1], StringComparison.Ordinal);
    }

    [Fact]
    public async Task What_came_torn_is_left_out()
    {
        using SnapshotSender sender = await SnapshotSender.StartAsync("every other one torn");

        CommandRun run = await CommandRun.InvokeAsync("top", "--pid", sender.Id, "--count", "3");

        Assert.Equal(ExitStatus.Success, run.Status);
        int[] seconds = [.. Figures(run, "taken").Select(time => int.Parse(time.AsSpan("2026-11-22 10:00:".Length, 2), CultureInfo.InvariantCulture))];
        Assert.Equal(3, seconds.Length);
        Assert.All(seconds, second => Assert.Equal(1, second % 2));
    }

    [Fact]
    public async Task On_a_terminal_it_draws_on_the_other_screen_and_leaves_the_last_view()
    {
        using SnapshotSender sender = await SnapshotSender.StartAsync("whole");
        await using var output = new StringWriter();
        await using var error = new StringWriter();

        int status = await TopCommand.RunAsync(Settings(sender) with { Count = 2 }, Terminal(output), error, CancellationToken.None);

        Assert.Empty(error.ToString());
        Assert.Equal(ExitStatus.Success, status);
        string text = output.ToString();
        int entered = text.IndexOf("\e[?1049h", StringComparison.Ordinal);
        int left = text.IndexOf("\e[?25h\e[?1049l", StringComparison.Ordinal);
        Assert.True(entered >= 0 && left > entered);
        string[] frames = text[entered..left].Split("\e[?2026h\e[H\e[2J");
        Assert.Equal(4, frames.Length);
        Assert.Contains("0 shown", frames[1], StringComparison.Ordinal);
        Assert.Contains("2 shown", frames[3], StringComparison.Ordinal);
        Assert.All(frames[1..], frame => Assert.InRange(frame.Split('\n').Length, 1, 40));
        Assert.Contains("1,000 a second", frames[3], StringComparison.Ordinal);
        Assert.Contains("1,000 a second", text[left..], StringComparison.Ordinal);
    }

    [Fact]
    public async Task Ctrl_C_ends_it_without_an_error()
    {
        using SnapshotSender sender = await SnapshotSender.StartAsync("nothing");
        using var interrupt = new CancellationTokenSource();
        await using var output = new ScreenWriter();

        Task<int> top = TopCommand.RunAsync(Settings(sender), Terminal(output), TextWriter.Null, interrupt.Token);
        Assert.Equal("enabled True 1000", await sender.Process.StandardOutput.ReadLineAsync());
        await output.Entered;
        await interrupt.CancelAsync();

        Assert.Equal(ExitStatus.Success, await top);
        Assert.Equal("disabled", await sender.Process.StandardOutput.ReadLineAsync());
        Assert.EndsWith("\e[?25h\e[?1049l", output.ToString(), StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("another version", "The snapshot has version 7; this library reads version 1.")]
    [InlineData("no JSON", "no snapshot of Devmap")]
    public async Task Says_when_it_can_not_read_what_comes(string way, string reason)
    {
        using SnapshotSender sender = await SnapshotSender.StartAsync(way);

        CommandRun run = await CommandRun.InvokeAsync("top", "--pid", sender.Id);

        run.AssertCannotRun($"what process {sender.Id} sends can't be read: ");
        Assert.Contains(reason, run.Error, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("two and exit")]
    [InlineData("two and crash")]
    public async Task Says_when_the_process_ends(string way)
    {
        using SnapshotSender sender = await SnapshotSender.StartAsync(way);

        CommandRun run = await CommandRun.InvokeAsync("top", "--pid", sender.Id, "--count", "100");

        Assert.Equal($"devmap: process {sender.Id} has ended.{Environment.NewLine}", run.Error);
        Assert.Equal(ExitStatus.CannotRun, run.Status);
    }

    [Fact]
    public async Task The_end_of_the_process_is_the_end_of_a_watch_without_count()
    {
        using SnapshotSender sender = await SnapshotSender.StartAsync("two and exit");

        CommandRun run = await CommandRun.InvokeAsync("top", "--pid", sender.Id);

        Assert.Equal($"devmap: process {sender.Id} has ended.{Environment.NewLine}", run.Error);
        Assert.Equal(ExitStatus.Success, run.Status);
        Assert.NotEmpty(Figures(run, "activations"));
    }

    [Fact]
    public async Task A_process_that_does_not_use_the_library_is_given_up()
    {
        using SnapshotSender sender = await SnapshotSender.StartAsync("nothing");
        await using var error = new StringWriter();

        int status = await TopCommand.RunAsync(Settings(sender) with { Patience = TimeSpan.FromMilliseconds(200) }, Terminal(TextWriter.Null), error, CancellationToken.None);

        Assert.Equal(ExitStatus.CannotRun, status);
        Assert.Equal($"devmap: process {sender.Id} sent no snapshot in 1.2 s: it has not used Devmap so far.{Environment.NewLine}", error.ToString());
    }

    [Fact]
    public async Task A_process_without_diagnostics_is_refused()
    {
        using SnapshotSender sender = await SnapshotSender.StartAsync("whole", ("DOTNET_EnableDiagnostics", "0"));

        CommandRun run = await CommandRun.InvokeAsync("top", "--pid", sender.Id);

        run.AssertCannotRun("DOTNET_EnableDiagnostics=0");
    }

    [Fact]
    public async Task A_process_without_the_runtime_is_refused()
    {
        using Process sleep = Process.Start("sleep", "600");
        try
        {
            string id = sleep.Id.ToString(CultureInfo.InvariantCulture);
            (await CommandRun.InvokeAsync("top", "--pid", id)).AssertCannotRun($"process {id} has no .NET runtime that answers");
        }
        finally
        {
            sleep.Kill();
            await sleep.WaitForExitAsync();
        }
    }

    [Fact]
    public async Task A_process_that_is_stopped_is_not_waited_for_without_end()
    {
        using SnapshotSender sender = await SnapshotSender.StartAsync("whole");
        await using var error = new StringWriter();
        using (Process kill = Process.Start("kill", ["-STOP", sender.Id]))
            await kill.WaitForExitAsync();

        int status = await TopCommand.RunAsync(Settings(sender) with { Patience = TimeSpan.FromMilliseconds(200) }, Terminal(TextWriter.Null), error, CancellationToken.None);

        Assert.Equal(ExitStatus.CannotRun, status);
        Assert.Equal($"devmap: process {sender.Id} did not answer in 0.2 s: is it stopped?{Environment.NewLine}", error.ToString());
    }

    [Fact]
    public async Task A_process_that_is_not_there_is_refused()
    {
        using Process gone = Process.Start("true");
        await gone.WaitForExitAsync();
        string id = gone.Id.ToString(CultureInfo.InvariantCulture);

        (await CommandRun.InvokeAsync("top", "--pid", id)).AssertCannotRun($"there is no process {id}.");
    }

    [Theory]
    [InlineData("'--pid' is required")]
    [InlineData("--pid is '0'", "--pid", "0")]
    [InlineData("--pid is 'self'", "--pid", "self")]
    [InlineData("--pid is '4294967296'", "--pid", "4294967296")]
    [InlineData("--interval is '0'", "--pid", "1", "--interval", "0")]
    [InlineData("--interval is '99ms'", "--pid", "1", "--interval", "99ms")]
    [InlineData("--interval is '61s'", "--pid", "1", "--interval", "61s")]
    [InlineData("--interval is 'NaN'", "--pid", "1", "--interval", "NaN")]
    [InlineData("--interval is '1m'", "--pid", "1", "--interval", "1m")]
    [InlineData("--interval is 's'", "--pid", "1", "--interval", "s")]
    [InlineData("--count is '0'", "--pid", "1", "--count", "0")]
    [InlineData("--count is '-1'", "--pid", "1", "--count", "-1")]
    public async Task Refuses_arguments(string reason, params string[] args)
    {
        CommandRun run = await CommandRun.InvokeAsync(["top", .. args]);

        Assert.Equal(ExitStatus.CannotRun, run.Status);
        Assert.Contains(reason, run.Error, StringComparison.Ordinal);
        Assert.EndsWith($"Try 'devmap top --help'.{Environment.NewLine}", run.Error, StringComparison.Ordinal);
    }

    private static TopSettings Settings(SnapshotSender sender) => new() { ProcessId = sender.Process.Id };

    private static IAnsiConsole Terminal(TextWriter output)
    {
        IAnsiConsole console = AnsiConsole.Create(new AnsiConsoleSettings { Ansi = AnsiSupport.Yes, ColorSystem = ColorSystemSupport.NoColors, Interactive = InteractionSupport.Yes, Out = new AnsiConsoleOutput(output) });
        console.Profile.Width = 120;
        console.Profile.Height = 40;
        return console;
    }

    private static string[] Figures(CommandRun run, string name) => [.. run.Output.Split('\n').Where(line => line.StartsWith($"│ {name} ", StringComparison.Ordinal)).Select(line => line.Split('│')[2].Trim())];

    /// <summary>Tells when the other screen was entered.</summary>
    private sealed class ScreenWriter : StringWriter
    {
        private readonly TaskCompletionSource _entered = new(TaskCreationOptions.RunContinuationsAsynchronously);

        public Task Entered => _entered.Task;

        public override void Write(string? value)
        {
            base.Write(value);
            if (value?.Contains("\e[?1049h", StringComparison.Ordinal) == true)
                _entered.TrySetResult();
        }
    }
}
