// SPDX-License-Identifier: MIT
using Xunit;

namespace Devmap.Tests;

/// <summary>What waited in vain for pages says who holds them, or how to learn it.</summary>
public sealed class BusyMessageTests : IDisposable
{
    private const int Page = 4096;
    private const string Hint = "Set DevmapDiagnostics.Level to Full (or Sampled: one activation in 128) to learn who holds them.";

    private readonly TemporaryDirectory _directory = new();
    private readonly DaxFile _file;

    public BusyMessageTests() =>
        _file = DaxFile.Open(_directory.KnownFile(4 * Page), new() { Access = FileAccess.ReadWrite, DisposeTimeout = TimeSpan.Zero });

    /// <summary>What waits for the file's pages.</summary>
    public static TheoryData<string> Waits => ["Dispose", "SetLength", "PunchHole"];

    public void Dispose()
    {
        _file.Dispose();
        _directory.Dispose();
    }

    [Theory]
    [MemberData(nameof(Waits))]
    public void It_says_page_count_holder_thread_and_stack(string wait)
    {
        using var setting = new LevelSetting(DiagnosticLevel.Full);
        using PageLease lease = _file.Lease(2 * Page, 1);
        var busy = Assert.Throws<PagesBusyException>(() => Wait(wait));

        Assert.Contains("in use: 2 (count 2). ", busy.Message, StringComparison.Ordinal);
        Assert.Contains("  page 2: a lease on thread ", busy.Message, StringComparison.Ordinal);
        Assert.Contains(nameof(It_says_page_count_holder_thread_and_stack), busy.Message, StringComparison.Ordinal);
        Assert.DoesNotContain(Hint, busy.Message, StringComparison.Ordinal);
        Assert.Single(Assert.Single(busy.Pages).Holders);
    }

    [Theory]
    [MemberData(nameof(Waits))]
    public void Where_nothing_is_known_it_says_which_level_to_raise(string wait)
    {
        using PageLease lease = _file.Lease(2 * Page, 1);
        var busy = Assert.Throws<PagesBusyException>(() => Wait(wait));

        Assert.EndsWith(Hint, busy.Message, StringComparison.Ordinal);
    }

    [Fact]
    public void Where_the_level_was_raised_too_late_it_does_not_ask_to_raise_it()
    {
        using PageLease lease = _file.Lease(2 * Page, 1);
        using var setting = new LevelSetting(DiagnosticLevel.Full);
        var busy = Assert.Throws<PagesBusyException>(() => Wait("Dispose"));

        Assert.DoesNotContain(Hint, busy.Message, StringComparison.Ordinal);
        Assert.EndsWith("They were taken before their references were followed.", busy.Message, StringComparison.Ordinal);
    }

    [Fact]
    public void Far_memory_without_room_names_who_takes_it()
    {
        using var setting = new LevelSetting(DiagnosticLevel.Full);
        using FarMemory memory = FarMemory.Create(8 * Page, new() { ResidentLimit = 2 * Page, DisposeTimeout = TimeSpan.Zero });
        using PageLease lease = memory.Lease(0, 2 * Page);

        foreach (PagesBusyException busy in (PagesBusyException[])[
            Assert.Throws<PagesBusyException>(() => memory.Lease(4 * Page, 1)),
            Assert.Throws<PagesBusyException>(memory.Dispose)])
        {
            Assert.Contains("  page 0: a lease on thread ", busy.Message, StringComparison.Ordinal);
            Assert.Contains("  page 1: a lease on thread ", busy.Message, StringComparison.Ordinal);
            Assert.Contains(nameof(Far_memory_without_room_names_who_takes_it), busy.Message, StringComparison.Ordinal);
            memory.Map.Resume();
        }
    }

    [Fact]
    public void It_names_sixteen_holders_at_most()
    {
        using var setting = new LevelSetting(DiagnosticLevel.Full);
        PageLease[] leases = [.. Enumerable.Range(0, 20).Select(_ => _file.Lease(0, 1))];
        var busy = Assert.Throws<PagesBusyException>(() => Wait("SetLength"));
        Assert.All(leases, lease => lease.Dispose());

        Assert.Equal(20, Assert.Single(busy.Pages).Holders.Count);
        Assert.EndsWith("  and 4 more holders", busy.Message, StringComparison.Ordinal);
    }

    [Fact]
    public void Where_some_pages_holders_are_known_it_says_which_level_to_raise_for_the_others()
    {
        using PageLease before = _file.Lease(0, 1);
        PagesBusyException tooLate, unknown;
        using (new LevelSetting(DiagnosticLevel.Full))
        {
            using PageLease known = _file.Lease(2 * Page, 1);
            tooLate = Assert.Throws<PagesBusyException>(() => Wait("SetLength"));
            DevmapDiagnostics.Level = DiagnosticLevel.Counters;
            unknown = Assert.Throws<PagesBusyException>(() => Wait("SetLength"));
        }

        Assert.Contains("  page 2: a lease on thread ", unknown.Message, StringComparison.Ordinal);
        Assert.EndsWith($"  Who holds the other pages is not known. {Hint}", unknown.Message, StringComparison.Ordinal);
        Assert.EndsWith("  Who holds the other pages is not known. They were taken before their references were followed.", tooLate.Message, StringComparison.Ordinal);
    }

    private void Wait(string wait)
    {
        switch (wait)
        {
            case "Dispose":
                _file.Dispose();
                break;
            case "SetLength":
                _file.SetLength(0, TimeSpan.Zero);
                break;
            default:
                _file.PunchHole(0, 4 * Page, TimeSpan.Zero);
                break;
        }
    }
}
