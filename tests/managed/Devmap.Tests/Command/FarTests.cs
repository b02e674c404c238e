// SPDX-License-Identifier: MIT
using System.Globalization;
using System.Text.RegularExpressions;
using Devmap.CommandLine;
using Devmap.CommandLine.Far;
using Spectre.Console;
using Xunit;

namespace Devmap.Tests.Command;

/// <summary>
/// The verb <c>far</c>, in this process, which therefore is put into no cgroup. Where the system serves no page faults there
/// are none, and all threads lease.
/// </summary>
public sealed partial class FarTests
{
    private const int PagesOf32MiB = 8192;

    [Theory]
    [InlineData("lz4", "lease", 4)]
    [InlineData("lz4", "mixed", 4)]
    [InlineData("lz4", "mixed", 1)]
    [InlineData("file", "lease", 4)]
    [InlineData("file", "mixed", 4)]
    [InlineData("plain", "lease", 1)]
    [InlineData("plain", "mixed", 16)]
    public async Task Keeps_its_contracts(string store, string access, int threads)
    {
        CommandRun run = await FarAsync("--store", store, "--access", access, "--threads", threads.ToString(CultureInfo.InvariantCulture));

        Assert.Empty(run.Error);
        Assert.Equal(ExitStatus.Success, run.Status);
        Assert.Equal("7 of 7 kept", run.Figure("contracts"));
        Assert.Equal("0 pages, 0 bytes", run.Figure("mismatches"));
    }

    [Theory]
    [InlineData("lz4")]
    [InlineData("file")]
    [InlineData("plain")]
    public async Task By_pointers_alone(string store)
    {
        if (!FaultsAreServed())
            return;
        CommandRun run = await FarAsync("--store", store, "--access", "pointer", "--fault-threads", "2");

        Assert.Empty(run.Error);
        Assert.Equal(ExitStatus.Success, run.Status);
        Assert.Contains("0 by lease, 4 by pointer", run.Figure("threads"), StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("64K", "1M")]
    [InlineData("2M", "16M")]
    [InlineData("4K", "20K")]
    [InlineData("4K", "1G")]
    public async Task Of_pages_and_limits_of_all_sizes(string pageSize, string resident)
    {
        CommandRun run = await CommandRun.InvokeAsync("far", "--no-limit", "--size", "32M", "--page-size", pageSize, "--resident", resident);

        Assert.Empty(run.Error);
        Assert.Equal(ExitStatus.Success, run.Status);
    }

    [Fact]
    public async Task Does_what_it_reports()
    {
        FarReport report = await ReportAsync(new FarSettings { Store = FarStoreKind.Lz4 });

        Assert.True(report.IsSuccess);
        Assert.False(report.IsInterrupted);
        Assert.Equal([FarPhase.Fill, FarPhase.InOrder, FarPhase.Random, FarPhase.Final], report.Phases.Select(phase => phase.Phase));
        Assert.All(report.Phases, phase =>
        {
            Assert.Equal(PagesOf32MiB, phase.Visits);
            Assert.Equal(PagesOf32MiB, phase.Resident.Count + phase.Absent.Count);
            Assert.True(phase.Absent.Percentile(50) > TimeSpan.Zero);
            Assert.True(phase.Duration > TimeSpan.Zero);
        });
        Assert.Equal(PagesOf32MiB, report.Phases[0].Writes);
        Assert.Equal(0, report.Phases[1].Writes);
        Assert.InRange(report.Phases[2].Writes, PagesOf32MiB / 20, PagesOf32MiB / 5);

        // Pages go several at a time, so that threads that make room at once make a little more than they need,
        // and a page that a pointer is at may go and come back.
        Assert.InRange(report.Phases[0].Count(counts => counts.ToDevice), PagesOf32MiB * 7 / 8, PagesOf32MiB);
        Assert.InRange(report.Phases[0].Count(counts => counts.ToMemory), 0, PagesOf32MiB / 8);
        Assert.InRange(report.Phases[1].Count(counts => counts.ToMemory), PagesOf32MiB * 7 / 8, PagesOf32MiB * 9 / 8);
        Assert.InRange(report.Phases[1].Count(counts => counts.ToDeviceUncopied), PagesOf32MiB / 2, PagesOf32MiB);
        Assert.InRange(report.PeakResident, 1, 4 << 20);
        Assert.InRange(report.Compression!.Value, 1.8, 2.2);
        Assert.InRange(report.PeakRss, 1 << 20, 1L << 40);
    }

    [Fact]
    public async Task Pages_that_are_written_at_random_are_found_again()
    {
        FarReport report = await ReportAsync(new FarSettings { Writes = 100, Walks = 2 });

        Assert.True(report.IsSuccess);
        Assert.Equal(2 * PagesOf32MiB, report.Phases[2].Visits);
        Assert.Equal(2 * PagesOf32MiB, report.Phases[2].Writes);
    }

    [Fact]
    public async Task A_walk_of_some_seconds_takes_them()
    {
        FarReport report = await ReportAsync(new FarSettings { Duration = TimeSpan.FromSeconds(0.5) });

        Assert.True(report.IsSuccess);
        Assert.InRange(report.Phases[2].Duration, TimeSpan.FromSeconds(0.4), TimeSpan.FromSeconds(30));
    }

    [Fact]
    public async Task Without_served_faults_all_threads_lease()
    {
        CommandRun run = await FarAsync("--faults", "none");

        Assert.Equal(ExitStatus.Success, run.Status);
        Assert.Equal("4 by lease, 0 by pointer; no page faults are served", run.Figure("threads"));
    }

    [Theory]
    [InlineData(FarAccess.Lease)]
    [InlineData(FarAccess.Mixed)]
    internal async Task A_byte_that_changed_is_found(FarAccess access)
    {
        FarReport report = await ReportAsync(new FarSettings { Access = access, Writes = 0, Walks = 0.001, Spoil = memory => Spoil(memory, 4097) });

        Assert.False(report.IsSuccess);
        Assert.InRange(report.WrongPages, 2, 20);
        Assert.Equal(report.WrongPages, report.WrongBytes);
        Assert.Equal(1, report.Phases[1].WrongPages);
        Assert.All(report.Mismatches, mismatch =>
        {
            Assert.Equal((1L, 1, 1, 1), (mismatch.Page, mismatch.Version, mismatch.Bytes, mismatch.Offset));
            Assert.Equal(mismatch.Expected ^ 0xff, mismatch.Found);
        });
        Assert.Contains(report.Contracts, contract => contract is { IsKept: false, Name: "every byte was what was written to it" });
    }

    [Fact]
    public async Task A_mismatch_is_exit_status_1()
    {
        await using var output = new StringWriter();
        await using var error = new StringWriter();
        FarSettings settings = Small(new FarSettings { Writes = 0, Spoil = memory => Spoil(memory, 4096 * 5) });
        int status = await FarCommand.RunAsync(settings, Plain(output), error, CancellationToken.None);

        Assert.Equal(ExitStatus.Broken, status);
        Assert.Contains("devmap: broken: every byte was what was written to it: ", error.ToString(), StringComparison.Ordinal);
        Assert.Contains("page 5, version 1: 1 wrong bytes, the first at offset 0, 0x", error.ToString(), StringComparison.Ordinal);
        Assert.Contains("BROKEN", output.ToString(), StringComparison.Ordinal);
        Assert.DoesNotContain("7 of 7", output.ToString(), StringComparison.Ordinal);
    }

    [Fact]
    public async Task A_peak_that_is_not_below_the_data_is_exit_status_1()
    {
        FarReport report = await ReportAsync(new FarSettings());
        report = report with { IsPeakObserved = true, Plan = new MemoryPlan(1, report.PeakRss) };

        Assert.False(report.IsSuccess);
        Assert.True((report with { Plan = new MemoryPlan(1, report.PeakRss + 1) }).IsSuccess);
    }

    [Fact]
    public async Task Less_memory_than_data_takes_all_of_the_data_and_a_way_there_and_back()
    {
        FarReport report = await ReportAsync(new FarSettings());
        report = report with { IsLimitEnforced = true, Plan = new MemoryPlan(1, 2) };

        Assert.True(report.IsSuccess);
        Assert.False((report with { Statistics = default }).IsSuccess);
        Assert.False((report with { Phases = [report.Phases[0] with { Visits = PagesOf32MiB - 1 }, .. report.Phases.Skip(1)] }).IsSuccess);
    }

    [Fact]
    public async Task Only_what_was_written_counts_as_compared()
    {
        FarReport report = await ReportAsync(new FarSettings());

        Assert.Equal([0, PagesOf32MiB, PagesOf32MiB, PagesOf32MiB], report.Phases.Select(phase => phase.Compared));
    }

    [Fact]
    public async Task A_pass_in_order_that_was_not_whole_is_not_enough()
    {
        FarReport report = await ReportAsync(new FarSettings());
        FarPhaseReport part = report.Phases[1] with { Visits = PagesOf32MiB - 1 };

        Assert.False((report with { Phases = [report.Phases[0], part] }).IsSuccess);
        Assert.True((report with { Phases = [report.Phases[0], report.Phases[1]] }).IsSuccess);
    }

    [Fact]
    public async Task Pages_over_the_limit_are_no_more_than_threads()
    {
        FarReport report = await ReportAsync(new FarSettings());

        Assert.True((report with { PeakResident = (4 << 20) + (5 * 4096) }).IsSuccess);
        Assert.False((report with { PeakResident = (4 << 20) + (6 * 4096) }).IsSuccess);
    }

    [Fact]
    public async Task The_tables_have_what_was_asked_for()
    {
        CommandRun run = await FarAsync();

        Assert.Contains("│ fill │ in order │ at random │ in order again │", Squeezed(run), StringComparison.Ordinal);
        Assert.Contains("│ pages │ 8,192 │ 8,192 │ 8,192 │ 8,192 │", Squeezed(run), StringComparison.Ordinal);
        Assert.Contains("│ wrong pages │ 0 │ 0 │ 0 │ 0 │", Squeezed(run), StringComparison.Ordinal);
        Assert.Matches(@"│ page not there, wait p50 │ [\d,.]+ µs │ [\d,.]+ µs │ [\d,.]+ µs │ [\d,.]+ µs │", Squeezed(run));
        Assert.Equal("4 MiB of 4 MiB", run.Figure("resident, peak"));
        Assert.Matches(@"^[\d.]+ MiB, [\d.]+:1$", run.Figure("store takes"));
        Assert.Equal("none: --no-limit", run.Figure("memory limit"));
        Assert.Matches(@"^[\d.]+ [MG]iB resident, for 32 MiB of data$", run.Figure("process, peak"));
    }

    [Fact]
    public async Task Progress_is_plain_lines_where_there_is_no_terminal()
    {
        CommandRun run = await FarAsync("--seconds", "1.5");

        Assert.Matches(ProgressLine(), run.Output);
        Assert.DoesNotContain('\e', run.Output);
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
        await using FarJob job = FarJob.Open(Small(new FarSettings { Duration = TimeSpan.FromSeconds(0.5) }));
        FarReport report = await FarProgress.RunAsync(console, job, CancellationToken.None);

        Assert.True(report.IsSuccess);
        Assert.Contains("pages to the store", output.ToString(), StringComparison.Ordinal);
        Assert.Contains("\e[", output.ToString(), StringComparison.Ordinal);
    }

    [Fact]
    public async Task An_interruption_ends_it_with_the_tables()
    {
        using var interrupt = new CancellationTokenSource(TimeSpan.FromSeconds(2));
        CommandRun run = await CommandRun.InvokeAsync(interrupt.Token, "far", "--no-limit", "--seconds", "600", "--size", "4M", "--resident", "1M");

        Assert.Equal(ExitStatus.Success, run.Status);
        Assert.Equal("in the phase 'at random'", run.Figure("interrupted"));
        Assert.Equal("7 of 7 kept", run.Figure("contracts"));
    }

    [Fact]
    public async Task An_interruption_before_the_first_page_ends_it_with_the_tables()
    {
        CommandRun run = await CommandRun.InvokeAsync(new CancellationToken(canceled: true), "far", "--no-limit", "--size", "4M", "--resident", "1M");

        Assert.Equal(ExitStatus.Broken, run.Status);
        Assert.Equal("in the phase 'fill'", run.Figure("interrupted"));
        Assert.Equal("6 of 7 kept", run.Figure("contracts"));
        Assert.Contains("broken: every page was verified: 0 of 1024 pages", run.Error, StringComparison.Ordinal);
    }

    [Fact]
    public async Task Sizes_that_are_no_whole_pages_are_made_such()
    {
        CommandRun run = await CommandRun.InvokeAsync("far", "--no-limit", "--size", "1000001", "--resident", "100001");

        Assert.Equal(ExitStatus.Success, run.Status);
        Assert.StartsWith("980 KiB in pages of 4 KiB, 96 KiB of it resident", run.Figure("far memory"), StringComparison.Ordinal);
    }

    /// <summary>Changes a byte behind the job's back.</summary>
    private static void Spoil(FarMemory memory, long offset)
    {
        using PageLease lease = memory.Lease(offset, 1);
        lease.Span[0] ^= 0xff;
    }

    private static bool FaultsAreServed()
    {
        using var device = new HmmDevice();
        return device.Faults != HmmFaultService.None;
    }

    private static Task<CommandRun> FarAsync(params string[] args) =>
        CommandRun.InvokeAsync(["far", "--no-limit", "--size", "32M", "--resident", "4M", .. args]);

    private static FarSettings Small(FarSettings settings) => settings with { Size = 32 << 20, Resident = 4 << 20, IsLimited = false };

    private static async Task<FarReport> ReportAsync(FarSettings settings)
    {
        await using FarJob job = FarJob.Open(Small(settings));
        return await job.RunAsync(CancellationToken.None);
    }

    private static IAnsiConsole Plain(TextWriter output)
    {
        IAnsiConsole console = AnsiConsole.Create(new AnsiConsoleSettings { Ansi = AnsiSupport.No, Interactive = InteractionSupport.No, Out = new AnsiConsoleOutput(output) });
        console.Profile.Width = 160;
        return console;
    }

    private static string Squeezed(CommandRun run) => Spaces().Replace(run.Output, " ");

    [GeneratedRegex(@" +", RegexOptions.None, matchTimeoutMilliseconds: 1000)]
    private static partial Regex Spaces();

    [GeneratedRegex(@"^ +\d+\.\d s  at random: [\d,]+ pages, [\d,]+ page faults, [\d,]+ to the store, [\d,]+ to memory\r?$", RegexOptions.Multiline, matchTimeoutMilliseconds: 1000)]
    private static partial Regex ProgressLine();
}
