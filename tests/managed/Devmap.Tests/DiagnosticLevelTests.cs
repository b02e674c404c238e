// SPDX-License-Identifier: MIT
using Xunit;

namespace Devmap.Tests;

/// <summary>Levels are set at run time, for the process and for a map, and say which references are followed.</summary>
public sealed class DiagnosticLevelTests
{
    /// <summary>Values that are no level.</summary>
    public static TheoryData<int> Unknown => [-2, -1, 4, int.MaxValue, int.MinValue];

    /// <summary>The levels.</summary>
    public static TheoryData<DiagnosticLevel> Levels => [.. Enum.GetValues<DiagnosticLevel>()];

    [Fact]
    public void The_level_is_counters_unless_set() =>
        ChildProcess.Run(static _ => Assert.Equal(DiagnosticLevel.Counters, DevmapDiagnostics.Level));

    [Theory]
    [MemberData(nameof(Levels))]
    public void A_level_is_what_it_was_set_to(DiagnosticLevel level)
    {
        using var setting = new LevelSetting(level);
        Assert.Equal(level, DevmapDiagnostics.Level);
    }

    [Theory]
    [MemberData(nameof(Unknown))]
    public void What_is_no_level_is_refused_and_changes_nothing(int level)
    {
        using DevicePageMap map = Create();
        Assert.Throws<ArgumentOutOfRangeException>(() => DevmapDiagnostics.Level = (DiagnosticLevel)level);
        Assert.Throws<ArgumentOutOfRangeException>(() => map.DiagnosticLevel = (DiagnosticLevel)level);

        Assert.Equal(DiagnosticLevel.Counters, DevmapDiagnostics.Level);
        Assert.Null(map.DiagnosticLevel);
    }

    [Theory]
    [MemberData(nameof(Levels))]
    public void A_map_has_a_level_of_its_own_when_it_is_given_one(DiagnosticLevel level)
    {
        using DevicePageMap map = Create();
        map.DiagnosticLevel = level;
        Assert.Equal(level, map.DiagnosticLevel);
        map.DiagnosticLevel = null;
        Assert.Null(map.DiagnosticLevel);
    }

    [Fact]
    public void A_disposed_map_has_no_level()
    {
        DevicePageMap map = Create();
        map.Dispose();

        Assert.Throws<ObjectDisposedException>(() => map.DiagnosticLevel);
        Assert.Throws<ObjectDisposedException>(() => map.DiagnosticLevel = DiagnosticLevel.Full);
    }

    [Theory]
    [InlineData(DiagnosticLevel.Off)]
    [InlineData(DiagnosticLevel.Counters)]
    public void Below_sampled_nobody_is_followed(DiagnosticLevel level)
    {
        using var setting = new LevelSetting(level);
        using DevicePageMap map = Create();
        using PageLease lease = map.Lease(0, 256);

        Assert.All(map.GetBusyPages(), page => Assert.Empty(page.Holders));
        Assert.All(map.GetBusyPages(), page => Assert.Empty(page.History));
    }

    [Fact]
    public void At_sampled_one_activation_in_128_is_followed()
    {
        using var setting = new LevelSetting(DiagnosticLevel.Sampled);
        using DevicePageMap map = Create();
        PageLease[] leases = [.. Enumerable.Range(0, 256).Select(page => map.Lease(page))];

        Assert.Equal(2, map.GetBusyPages().Count(page => page.Holders.Count > 0));
        Assert.All(leases, lease => lease.Dispose());
        Assert.Empty(map.GetBusyPages());
    }

    [Fact]
    public void At_full_all_are_followed()
    {
        using var setting = new LevelSetting(DiagnosticLevel.Full);
        using DevicePageMap map = Create();
        using PageLease lease = map.Lease(0, 256);

        Assert.All(map.GetBusyPages(), page => Assert.Single(page.Holders));
    }

    [Fact]
    public void A_maps_own_level_stands_against_the_processs()
    {
        using DevicePageMap followed = Create();
        followed.DiagnosticLevel = DiagnosticLevel.Full;
        using (followed.Lease(1))
            Assert.Single(Assert.Single(followed.GetBusyPages()).Holders);

        using var setting = new LevelSetting(DiagnosticLevel.Full);
        using DevicePageMap left = Create();
        left.DiagnosticLevel = DiagnosticLevel.Off;
        using (left.Lease(1))
            Assert.Empty(Assert.Single(left.GetBusyPages()).Holders);
    }

    [Fact]
    public void A_page_in_use_is_followed_from_when_it_is_next_taken_while_idle()
    {
        using DevicePageMap map = Create();
        using (map.Lease(1))
        using (new LevelSetting(DiagnosticLevel.Full))
        using (map.Lease(1))
            Assert.Empty(Assert.Single(map.GetBusyPages()).Holders);

        using (new LevelSetting(DiagnosticLevel.Full))
        using (map.Lease(1))
            Assert.Single(Assert.Single(map.GetBusyPages()).Holders);
    }

    [Fact]
    public void A_page_that_is_followed_stays_so_until_it_is_idle()
    {
        using DevicePageMap map = Create();
        PageLease lease;
        using (new LevelSetting(DiagnosticLevel.Full))
            lease = map.Lease(1);
        PageLease second = map.Lease(1);
        PageLease share = second.Share();

        BusyPage busy = Assert.Single(map.GetBusyPages());
        Assert.Equal(4, busy.Count);
        Assert.Equal(3, busy.Holders.Count);
        lease.Dispose();
        share.Dispose();
        Assert.Single(Assert.Single(map.GetBusyPages()).Holders);
        second.Dispose();
        Assert.Empty(map.GetBusyPages());
        using (map.Lease(1))
            Assert.Empty(Assert.Single(map.GetBusyPages()).Holders);
    }

    [Fact]
    public void Counts_are_those_of_users_whether_they_are_followed_or_not()
    {
        using var setting = new LevelSetting(DiagnosticLevel.Full);
        var driver = new CountingDriver();
        using DevicePageMap map = DevicePageMap.Create(new() { Type = MemoryType.DevicePublic, PageCount = 4, Driver = driver, DisposeTimeout = TimeSpan.Zero });
        using (PageLease lease = map.Lease(1, 2))
        {
            Assert.Equal(2, map[1].Count);
            using (lease.Share())
                Assert.Equal(3, map[1].Count);
            Assert.Equal(2, map[1].Count);
            Assert.False(map[2].IsIdle);
            Assert.Equal(0, driver.Total);
        }

        Assert.True(map[1].IsIdle);
        Assert.Equal(2, driver.Total);
    }

    private static DevicePageMap Create() => DevicePageMap.Create(new() { PageCount = 256, DisposeTimeout = TimeSpan.Zero });
}
