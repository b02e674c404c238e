// SPDX-License-Identifier: MIT
using System.Globalization;
using Devmap.CommandLine.Snapshots;
using Spectre.Console;
using Spectre.Console.Rendering;
using Xunit;

namespace Devmap.Tests.Command;

/// <summary>How a snapshot looks, without a process.</summary>
public sealed class SnapshotViewTests
{
    [Fact]
    public void Has_the_figures_of_the_process()
    {
        string text = Show(SnapshotView.Create(Snapshots.Create(), former: null, SnapshotDetail.Whole));

        Assert.Equal("4242 (sample), Devmap 1.2.3", Figure(text, "process"));
        Assert.Equal("2026-11-22 10:00:00.000 UTC", Figure(text, "taken"));
        Assert.Equal("full: every reference is followed; 2 now", Figure(text, "level"));
        Assert.Equal("on: 2 held by maps and claims, 1 by users; changed 2.5 s before, by thread 4711", Figure(text, "gate"));
        Assert.Equal("43 of 150 (28.67 %), in 2 maps", Figure(text, "pages in use"));
        Assert.Equal("1,000", Figure(text, "activations"));
        Assert.Equal("900", Figure(text, "idle pages"));
        Assert.Equal("800; 100 timed: p50 1.02 µs, p99 1.02 µs, max 1.05 ms", Figure(text, "idle callbacks"));
        Assert.Equal("7 for a layout break, 0 for a disposal", Figure(text, "refused"));
        Assert.Equal("9, 1 in progress, 3 timed out, 0 cancelled; 6 waits: p50 1.07 s, p99 1.07 s, max 1.07 s", Figure(text, "layout breaks"));
        Assert.Equal("2 driver threw", Figure(text, "faults"));
        Assert.DoesNotContain("far memory", text, StringComparison.Ordinal);
    }

    [Fact]
    public void Of_a_process_that_did_nothing_it_says_so_and_no_more()
    {
        string text = Show(SnapshotView.Create(Snapshots.Empty(), former: null, SnapshotDetail.Whole));

        Assert.Equal("off: nobody wants idle callbacks", Figure(text, "gate"));
        Assert.Equal("0 of 0 (0 %), in 0 maps", Figure(text, "pages in use"));
        Assert.Equal("0", Figure(text, "idle callbacks"));
        Assert.Equal("none", Figure(text, "faults"));
        Assert.All(["refused", "layout breaks", "far memory", "busy", "╮\n╭"], part => Assert.DoesNotContain(part, text, StringComparison.Ordinal));
    }

    [Fact]
    public void Far_memory_is_shown_where_there_is_some()
    {
        DevmapSnapshot snapshot = Snapshots.Empty() with { Migration = new MigrationSnapshot { Resident = 10, OnDevice = 20, Faults = 30, ToDevice = 40, ToMemory = 50, Failed = 1, FaultsFailed = 2 } };

        string text = Show(SnapshotView.Create(snapshot, former: null, SnapshotDetail.Whole));

        Assert.Equal("10 pages resident, 20 in stores", Figure(text, "far memory"));
        Assert.Equal("30", Figure(text, "page faults"));
        Assert.Equal("40", Figure(text, "to stores"));
        Assert.Equal("50", Figure(text, "to memory"));
        Assert.Equal("1 migrations, 2 page faults", Figure(text, "failed"));
    }

    [Fact]
    public void Rates_are_by_the_time_between_two_snapshots()
    {
        DevmapSnapshot later = Snapshots.Create();
        DevmapSnapshot former = later with
        {
            Time = later.Time - TimeSpan.FromSeconds(2),
            Statistics = later.Statistics with { Activations = 600, IdleEdges = 899, IdleEdgesManaged = 800 },
        };

        string text = Show(SnapshotView.Create(later, former, SnapshotDetail.Brief));

        Assert.Equal("1,000, 200 a second", Figure(text, "activations"));
        Assert.Equal("900, 0.5 a second", Figure(text, "idle pages"));
        Assert.StartsWith("800, 0 a second; ", Figure(text, "idle callbacks"), StringComparison.Ordinal);
    }

    [Theory]
    [InlineData(0, 4242)]
    [InlineData(-1, 4242)]
    [InlineData(1, 4243)]
    public void There_is_no_rate_without_time_nor_of_two_processes(int seconds, int process)
    {
        DevmapSnapshot former = Snapshots.Create();

        Assert.Null(SnapshotRates.Between(former, former with { Time = former.Time + TimeSpan.FromSeconds(seconds), ProcessId = process }));
    }

    [Fact]
    public void Maps_stand_by_pages_in_use_and_say_what_they_are()
    {
        string[] maps = Rows(Show(SnapshotView.Create(Snapshots.Create(), former: null, SnapshotDetail.Whole)), "DevicePublic");

        Assert.Equal(2, maps.Length);
        Assert.Equal(["2", "second", "DevicePublic", "200 KiB", "50", "40", "████████░░", "live, claimed, 1 layout break"], Cells(maps[0]));
        Assert.Equal(["1", "first", "DevicePublic", "400 KiB", "100", "3", "█░░░░░░░░░", "live, no driver"], Cells(maps[1]));
    }

    [Theory]
    [InlineData(0, 0, "░░░░░░░░░░")]
    [InlineData(0, 7, "░░░░░░░░░░")]
    [InlineData(1, 1_000_000, "█░░░░░░░░░")]
    [InlineData(999_999, 1_000_000, "█████████░")]
    [InlineData(7, 7, "██████████")]
    [InlineData(long.MaxValue, long.MaxValue, "██████████")]
    public void The_bar_is_full_only_where_the_map_is(long used, long pages, string bar) => Assert.Equal(bar, SnapshotMaps.Bar(used, pages));

    [Fact]
    public void Brief_a_busy_page_has_a_line()
    {
        string[] pages = Rows(Show(SnapshotView.Create(Snapshots.Create(), former: null, SnapshotDetail.Brief)), " 99 ", "not followed");

        Assert.Equal(["12", "second", "3", "2 min 00 s", "writer 99", "writer.Take()"], Cells(pages[0]));
        Assert.Equal(["5", "first", "2", string.Empty, "not followed", string.Empty], Cells(pages[1]));
    }

    [Fact]
    public void Whole_a_busy_page_has_every_holder_with_its_stack()
    {
        string text = Show(SnapshotView.Create(Snapshots.Create(), former: null, SnapshotDetail.Whole));

        Assert.Contains("page 12 of second, count 3", text, StringComparison.Ordinal);
        Assert.Contains("a lease, held for 2 min 00 s since 2026-11-22 09:58:00.000 UTC, by writer 99", text, StringComparison.Ordinal);
        Assert.All(["at writer.Take()", "at writer.Run()", "at reader.Take()", "at reader.Run()", "its holders are not followed"], part => Assert.Contains(part, text, StringComparison.Ordinal));
        Assert.True(text.IndexOf("page 12", StringComparison.Ordinal) < text.IndexOf("page 5", StringComparison.Ordinal));
    }

    [Fact]
    public void What_is_left_out_is_counted()
    {
        DevmapSnapshot snapshot = Snapshots.Create() with { Maps = [.. Enumerable.Range(1, 1000).Select(id => Snapshots.Map(id, "map", used: id, pages: 1000))], MapCount = 1000 };

        string text = Show(SnapshotView.Create(snapshot, former: null, SnapshotDetail.Brief));

        Assert.Equal(10, Rows(text, "DevicePublic").Length);
        Assert.Contains("990 more maps", text, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData(24)]
    [InlineData(30)]
    [InlineData(50)]
    [InlineData(100)]
    public void A_view_for_a_screen_fits_it(int lines)
    {
        DevmapSnapshot snapshot = Snapshots.Create() with
        {
            Maps = [.. Enumerable.Range(1, 40).Select(id => Snapshots.Map(id, "map", used: id, pages: 1000))],
            MapCount = 40,
            BusyPages = [.. Enumerable.Range(1, 40).Select(page => new BusyPageSnapshot { MapId = 2, PageIndex = page, Count = 2, Holders = [] })],
            Faults = [.. Enumerable.Repeat(Snapshots.Create().Faults[0], 40)],
        };

        string text = Show(SnapshotView.CreateForLines(snapshot, former: null, lines));

        Assert.InRange(text.TrimEnd('\n').Split('\n').Length, lines - 6, lines);
    }

    [Fact]
    public void Nothing_that_a_terminal_would_obey_gets_through()
    {
        const string Hostile = "a\e]0;owned\ab\r\n[red]c[/]\u202ed";
        DevmapSnapshot snapshot = Snapshots.Create() with
        {
            ProcessName = Hostile,
            LibraryVersion = Hostile,
            Maps = [Snapshots.Map(2, Hostile, used: 1, pages: 1)],
            BusyPages = [new BusyPageSnapshot { MapId = 2, PageIndex = 0, Count = 2, Holders = [Snapshots.Holder(TimeSpan.Zero, Hostile) with { Stack = Hostile, Activity = Hostile }] }],
            Faults = [Snapshots.Create().Faults[0] with { Message = Hostile, Stack = Hostile }],
        };

        foreach (SnapshotDetail detail in new[] { SnapshotDetail.Whole, SnapshotDetail.Brief })
        {
            string text = Show(SnapshotView.Create(snapshot, former: null, detail));
            Assert.DoesNotContain(text, character => char.IsControl(character) && character != '\n');
            Assert.DoesNotContain('\u202e', text);
            Assert.Contains("a?]0;owned?b", text, StringComparison.Ordinal);
            Assert.Contains("[red]c[/]?d", text, StringComparison.Ordinal);
        }
    }

    [Theory]
    [InlineData(0, "0 ns")]
    [InlineData(999, "999 ns")]
    [InlineData(1_500, "1.5 µs")]
    [InlineData(2_345_678, "2.35 ms")]
    [InlineData(61_000_000_000, "61 s")]
    public void Durations_have_a_fitting_unit(long nanoseconds, string text) => Assert.Equal(text, SnapshotText.Duration(nanoseconds));

    [Theory]
    [InlineData("-00:00:01", "0.0 s")]
    [InlineData("00:00:59.99", "59.9 s")]
    [InlineData("00:04:05", "4 min 05 s")]
    [InlineData("03:12:59", "3 h 12 min")]
    [InlineData("5.03:00:00", "5 d 3 h")]
    public void Ages_are_never_longer_than_true(string age, string text) => Assert.Equal(text, SnapshotText.Age(TimeSpan.Parse(age, CultureInfo.InvariantCulture)));

    private static string Show(IRenderable view)
    {
        using var output = new StringWriter();
        IAnsiConsole console = AnsiConsole.Create(new AnsiConsoleSettings { Ansi = AnsiSupport.No, Out = new AnsiConsoleOutput(output) });
        console.Profile.Width = 160;
        console.Write(view);
        return output.ToString().ReplaceLineEndings("\n");
    }

    private static string Figure(string text, string name) => Cells(Assert.Single(text.Split('\n'), line => line.StartsWith('│') && string.Equals(Cells(line)[0], name, StringComparison.Ordinal)))[1];

    private static string[] Rows(string text, params string[] parts) => [.. text.Split('\n').Where(line => line.StartsWith('│') && parts.Any(part => line.Contains(part, StringComparison.Ordinal)))];

    private static string[] Cells(string row) => [.. row.Trim('│').Split('│').Select(cell => cell.Trim())];
}
