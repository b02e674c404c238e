// SPDX-License-Identifier: MIT
using System.ComponentModel;
using System.Globalization;
using System.Runtime.InteropServices;
using System.Text.RegularExpressions;
using Devmap.CommandLine;
using Devmap.CommandLine.Run;
using Microsoft.Win32.SafeHandles;
using Spectre.Console;
using Xunit;

namespace Devmap.Tests.Command;

/// <summary>The main job.</summary>
public sealed partial class RunTests : IDisposable
{
    private readonly TemporaryDirectory _directory = new();

    public void Dispose() => _directory.Dispose();

    [Theory]
    [InlineData(1, "4K", "8M")]
    [InlineData(4, "4K", "8M")]
    [InlineData(16, "64K", "4M")]
    [InlineData(256, "4K", "8M")]
    [InlineData(2, "2M", "16M")]
    [InlineData(2, "4K", "1")]
    public async Task Keeps_its_contracts(int readers, string pageSize, string size)
    {
        CommandRun run = await CommandRun.InvokeAsync("run", "--seconds", "0.5", "--readers", readers.ToString(CultureInfo.InvariantCulture), "--page-size", pageSize, "--size", size);

        Assert.Empty(run.Error);
        Assert.Equal(ExitStatus.Success, run.Status);
        Assert.Equal("10 of 10 kept", run.Figure("contracts"));
    }

    [Fact]
    public async Task Does_what_it_reports()
    {
        RunReport report = await ReportAsync(new RunSettings { Duration = TimeSpan.FromSeconds(1), Size = 8 << 20 }, CancellationToken.None);

        Assert.True(report.IsSuccess);
        Assert.False(report.IsInterrupted);
        // A timer may be a little early.
        Assert.InRange(report.Duration, TimeSpan.FromSeconds(0.9), TimeSpan.FromMinutes(1));
        Assert.All([report.Managed, report.Native], counts =>
        {
            Assert.True(counts.Leases > 0);
            Assert.InRange(counts.Shares, 1, counts.Leases);
            Assert.True(counts.Pages > 0);
        });
        Assert.True(report.Truncations > 0);
        Assert.Equal(report.Truncations, report.Waits.Count);
        Assert.Equal(report.Truncations, report.Growths);
        Assert.True(report.IdleCallbacks > 0);
        Assert.Equal(report.IdleEdges, report.IdleCallbacks);
        Assert.Equal(8 << 20, report.FinalLength);
        Assert.Equal(4096 * (report.Managed.Pages + report.Native.Pages), report.BytesVerified);
    }

    [Fact]
    public async Task The_table_has_what_was_asked_for()
    {
        CommandRun run = await CommandRun.InvokeAsync("run", "--seconds", "0.5", "--size", "8M");

        Assert.Matches(@"^[\d,]+ \(managed [\d,]+, native [\d,]+\)$", run.Figure("leases"));
        Assert.Matches(@"^[\d,]+ \(managed [\d,]+, native [\d,]+\)$", run.Figure("shares"));
        Assert.Matches(@"^[\d,]+ \(managed [\d,]+, native [\d,]+\)$", run.Figure("refused leases"));
        Assert.Equal($"{run.Figure("idle callbacks")} (counted by the native side)", run.Figure("idle edges"));
        Assert.Matches(@"^[\d,]+, and [\d,]+ that gave up$", run.Figure("truncations"));
        Assert.All(["waiting, p50", "waiting, p99", "waiting, max"], name => Assert.Matches(@"^[\d.]+ ms$", run.Figure($"  {name}")));
        Assert.Equal("0 holders before, 0 after", run.Figure("gate"));
        Assert.Equal("0", run.Figure("faults"));
        Assert.Equal("0", run.Figure("mismatches"));
    }

    [Fact]
    public async Task Progress_is_plain_lines_where_there_is_no_terminal()
    {
        CommandRun run = await CommandRun.InvokeAsync("run", "--seconds", "1.5", "--size", "4M");

        Assert.Matches(ProgressLine(), run.Output);
        Assert.DoesNotContain('\e', run.Output);
    }

    [Fact]
    public async Task An_interruption_ends_it_with_the_table()
    {
        using var interrupt = new CancellationTokenSource(TimeSpan.FromMilliseconds(300));
        CommandRun run = await CommandRun.InvokeAsync(interrupt.Token, "run", "--seconds", "600", "--size", "4M");

        Assert.Equal(ExitStatus.Success, run.Status);
        Assert.EndsWith("s, interrupted", run.Figure("duration"), StringComparison.Ordinal);
        Assert.Equal("10 of 10 kept", run.Figure("contracts"));
    }

    [Fact]
    public async Task An_interruption_before_the_first_page_ends_it_with_the_table()
    {
        CommandRun run = await CommandRun.InvokeAsync(new CancellationToken(canceled: true), "run", "--seconds", "600", "--size", "4M");

        Assert.Equal(ExitStatus.Success, run.Status);
        Assert.Equal("10 of 10 kept", run.Figure("contracts"));
        Assert.Equal("none", run.Figure("  waiting, p50"));
    }

    [Fact]
    public async Task A_page_changed_behind_its_back_is_found()
    {
        string path = _directory["victim"];
        RunJob job = await RunJob.OpenAsync(new RunSettings { File = path, Duration = TimeSpan.FromMinutes(5), Size = 1 << 20 });
        await using (job)
        {
            using var interrupt = new CancellationTokenSource();
            Task<RunReport> run = Task.Run(() => job.RunAsync(interrupt.Token));
            while (job.Snapshot() is { Managed.Mismatches: 0, Native.Mismatches: 0 })
                Punch(path);

            await interrupt.CancelAsync();
            RunReport report = await run;

            Assert.False(report.IsSuccess);
            Assert.Contains(report.Contracts, contract => contract is { IsKept: false, Name: "every page held what was written to it" });
        }
    }

    [Fact]
    public async Task A_broken_contract_is_exit_status_1()
    {
        string path = _directory["victim"];
        Task<CommandRun> running = CommandRun.InvokeAsync("run", "--seconds", "1", "--size", "64K", "--file", path);
        while (!running.IsCompleted)
            Punch(path);
        CommandRun run = await running;

        Assert.Equal(ExitStatus.Broken, run.Status);
        Assert.Contains("devmap: broken: every page held what was written to it: ", run.Error, StringComparison.Ordinal);
        Assert.NotEqual("0", run.Figure("mismatches"));
        Assert.DoesNotContain("10 of 10", run.Figure("contracts"), StringComparison.Ordinal);
        Assert.Contains("BROKEN", run.Output, StringComparison.Ordinal);
    }

    [Fact]
    public async Task Progress_is_shown_in_place_on_a_terminal()
    {
        await using var output = new StringWriter();
        IAnsiConsole console = AnsiConsole.Create(new AnsiConsoleSettings
        {
            Ansi = AnsiSupport.Yes,
            Interactive = InteractionSupport.Yes,
            ColorSystem = ColorSystemSupport.NoColors,
            Out = new AnsiConsoleOutput(output),
        });
        await using RunJob job = await RunJob.OpenAsync(new RunSettings { Duration = TimeSpan.FromSeconds(0.5), Size = 1 << 20 });
        RunReport report = await RunProgress.RunAsync(console, job, CancellationToken.None);

        Assert.True(report.IsSuccess);
        Assert.Contains("idle callbacks", output.ToString(), StringComparison.Ordinal);
        Assert.Contains("\e[", output.ToString(), StringComparison.Ordinal);
    }

    /// <summary>Punches a hole over all of the file, past the library. It takes the contents, and leaves the length.</summary>
    private static void Punch(string path)
    {
        const int KeepSize = 1;
        const int PunchHole = 2;
        if (!File.Exists(path))
            return;
        using SafeFileHandle behind = File.OpenHandle(path, FileMode.Open, FileAccess.Write, FileShare.ReadWrite);
        if (fallocate(behind, KeepSize | PunchHole, 0, 1 << 20) != 0)
            throw new Win32Exception();
    }

    [DefaultDllImportSearchPaths(DllImportSearchPath.SafeDirectories)]
    [LibraryImport("libc", SetLastError = true)]
    private static partial int fallocate(SafeFileHandle file, int mode, long offset, long length);

    private static async Task<RunReport> ReportAsync(RunSettings settings, CancellationToken interrupt)
    {
        await using RunJob job = await RunJob.OpenAsync(settings);
        return await job.RunAsync(interrupt);
    }

    [GeneratedRegex(@"^ +\d+\.\d s  [\d,]+ leases, .* verified, [\d,]+ truncations, [\d,]+ idle callbacks\r?$", RegexOptions.Multiline, matchTimeoutMilliseconds: 1000)]
    private static partial Regex ProgressLine();
}
