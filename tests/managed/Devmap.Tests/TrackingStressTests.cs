// SPDX-License-Identifier: MIT
using Devmap.Native;
using Xunit;

namespace Devmap.Tests;

/// <summary>Leases are taken, shared and disposed while levels change, holders are read, and maps come and go. Bounded by counts.</summary>
public sealed class TrackingStressTests
{
    [Theory]
    [InlineData(DiagnosticLevel.Sampled, false)]
    [InlineData(DiagnosticLevel.Full, false)]
    [InlineData(DiagnosticLevel.Full, true)]
    public void Nothing_is_lost_while_levels_change_and_holders_are_read(DiagnosticLevel level, bool reuse)
    {
        const int pages = 8;
        using var log = new FaultLog();
        using var setting = new LevelSetting(level);
        var driver = new CountingDriver();
        DevmapStatistics before = DevmapDiagnostics.ReadStatistics();
        using DevicePageMap map = DevicePageMap.Create(new()
        {
            Type = MemoryType.DevicePublic,
            PageCount = pages,
            Driver = driver,
            DisposeTimeout = TimeSpan.Zero,
            ReuseLeases = reuse,
        });
        Crowd.Run(6, member =>
        {
            var random = new Random(member);
            switch (member)
            {
                case 0:
                    for (int i = 0; i < 500; i++)
                    {
                        DevmapDiagnostics.Level = (DiagnosticLevel)random.Next(4);
                        map.DiagnosticLevel = random.Next(3) == 0 ? null : (DiagnosticLevel)random.Next(4);
                        DevmapDiagnostics.Level = level;
                    }

                    break;
                case 1:
                    for (int i = 0; i < 500; i++)
                        Check(map);
                    break;
                case 2:
                    for (int i = 0; i < 200; i++)
                        UseMap(random);
                    break;
                default:
                    for (int i = 0; i < 3000; i++)
                        UsePages(map, random);
                    break;
            }
        });

        Assert.Empty(map.GetBusyPages());
        Assert.Empty(PageHolders.Read(map.DangerousGetHandle(), 0, pages, TimeSpan.Zero, int.MaxValue));
        Assert.Empty(log.Faults);
        DevmapStatistics after = DevmapDiagnostics.ReadStatistics();
        Assert.Equal(after.Activations - before.Activations, after.IdleEdges - before.IdleEdges);
        Assert.Equal(after.IdleEdgesManaged - before.IdleEdgesManaged, driver.Total);
    }

    private static void Check(DevicePageMap map)
    {
        foreach (BusyPage page in map.GetBusyPages())
            Assert.All(page.Holders, holder => Assert.Equal((page.Index, map), (holder.PageIndex, holder.Map)));
        foreach ((_, PageHolder holder) in PageHolders.Read(0, 0, long.MaxValue, TimeSpan.Zero, 100))
            Assert.NotEmpty(holder.ToString());
    }

    private static void UsePages(DevicePageMap map, Random random)
    {
        int first = random.Next(6);
        PageLease lease = map.Lease(first, random.Next(1, 3));
        PageLease share = lease.Share();
        if (random.Next(2) == 0)
            (lease, share) = (share, lease);
        lease.Dispose();
        if (random.Next(8) == 0)
        {
            using System.Buffers.MemoryHandle pin = share.Pin();
            share.Dispose();
            return;
        }

        if (random.Next(8) == 0)
        {
            NativeReferences.Take(map[first]);
            NativeReferences.Put(map[first]);
        }

        share.Dispose();
    }

    private static void UseMap(Random random)
    {
        using DevicePageMap map = DevicePageMap.Create(new() { PageCount = 4, DisposeTimeout = TimeSpan.Zero });
        if (random.Next(2) == 0)
            map.DiagnosticLevel = DiagnosticLevel.Full;
        using PageLease lease = map.Lease(1);
        Assert.Equal(1, Assert.Single(map.GetBusyPages()).Index);
    }
}
