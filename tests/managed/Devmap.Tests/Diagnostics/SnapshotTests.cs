// SPDX-License-Identifier: MIT
using Devmap.Interop;
using Xunit;

namespace Devmap.Tests.Diagnostics;

/// <summary>What a snapshot says of the process.</summary>
public sealed class SnapshotTests : IDisposable
{
    private readonly TemporaryDirectory _directory = new();

    public void Dispose() => _directory.Dispose();

    [Fact]
    public void It_says_whose_it_is()
    {
        DateTimeOffset before = DateTimeOffset.UtcNow;
        DevmapSnapshot snapshot = DevmapDiagnostics.Capture();

        Assert.Equal(DevmapSnapshot.CurrentVersion, snapshot.Version);
        Assert.Equal(Environment.ProcessId, snapshot.ProcessId);
        Assert.NotEmpty(snapshot.ProcessName);
        Assert.Equal(DevmapDiagnostics.LoadReport.Version, snapshot.LibraryVersion);
        Assert.Equal(DevmapDiagnostics.Level, snapshot.Level);
        Assert.InRange(snapshot.Time, before.AddMilliseconds(-1), DateTimeOffset.UtcNow.AddMilliseconds(1));
        Assert.Equal(DevmapDiagnostics.ReadStatistics(), snapshot.Statistics);
    }

    [Fact]
    public void It_has_every_map_by_name()
    {
        using DevicePageMap device = DevicePageMap.Create(new() { Type = MemoryType.DevicePublic, PageCount = 64, Driver = new CountingDriver() });
        using DaxFile file = DaxFile.Open(_directory.KnownFile(3 * 4096), new() { Capacity = 16 * 4096 });
        using (device.Lease(3, 5))
        using (file.Lease(0, 4097))
        {
            DevmapSnapshot snapshot = DevmapDiagnostics.Capture();
            MapSnapshot one = Of(snapshot, device.ToString());
            Assert.Equal((device.Address, 64, 4096, 64 * 4096, 5), (one.Address, one.PageCount, one.PageSize, one.Length, one.PagesInUse));
            Assert.Equal((MemoryType.DevicePublic, MapState.Live, true, false), (one.Type, one.State, one.HasDriver, one.IsFile));
            Assert.Null(one.HeatMap);
            MapSnapshot other = Of(snapshot, file.Path);
            Assert.Equal((16, 2, true, true), (other.PageCount, other.PagesInUse, other.IsFile, other.IsClaimed));
            Assert.Equal(snapshot.Maps.Count, snapshot.MapCount);
            Assert.Equal(snapshot.Maps.OrderBy(map => map.Id), snapshot.Maps);
        }

        device.Dispose();
        Assert.DoesNotContain(DevmapDiagnostics.Capture().Maps, map => map.Name == device.ToString());
    }

    [Fact]
    public void It_has_more_maps_than_the_one_before()
    {
        DevmapDiagnostics.Capture();
        DevicePageMap[] maps = [.. Enumerable.Range(0, 300).Select(_ => DevicePageMap.Create(new() { PageCount = 1 }))];
        DevmapSnapshot snapshot = DevmapDiagnostics.Capture();
        foreach (DevicePageMap map in maps)
        {
            Assert.Contains(snapshot.Maps, one => one.Address == map.Address);
            map.Dispose();
        }
    }

    [Fact]
    public void A_map_that_is_being_disposed_is_told()
    {
        using DevicePageMap map = DevicePageMap.Create(new() { PageCount = 4, DisposeTimeout = TimeSpan.Zero });
        using (map.Lease(1))
        {
            Assert.Throws<PagesBusyException>(map.Dispose);
            Assert.Equal(MapState.Dying, Of(DevmapDiagnostics.Capture(), map.ToString()).State);
        }
    }

    [Fact]
    public void Far_memory_says_where_its_pages_are()
    {
        using FarMemory far = FarMemory.Create(16 * 4096);
        using (PageLease lease = far.Lease(0, 4 * 4096))
            lease.Span.Fill(1);
        MapSnapshot map = Of(DevmapDiagnostics.Capture(), far.Map.ToString());
        Assert.True(map.IsFarMemory);
        Assert.Equal((4, 0), (map.Resident, map.OnDevice));
    }

    [Fact]
    public void The_gate_is_on_for_somebody()
    {
        GateSnapshot before = DevmapDiagnostics.Capture().Gate;
        using (DevmapGate.Hold())
        {
            GateSnapshot gate = DevmapDiagnostics.Capture().Gate;

            // Maps of tests before may still be on their way out, and give the gate back meanwhile; users' holds are this test's.
            Assert.Equal(before.UserHolders + 1, gate.UserHolders);
            Assert.InRange(gate.Holders, gate.UserHolders, int.MaxValue);
            Assert.InRange(gate.Changes, before.Changes + 1, long.MaxValue);
            Assert.Equal(gate.Holders, gate.History[^1].Holders);
            Assert.InRange(gate.History[^1].Time, DateTimeOffset.UtcNow.AddMinutes(-1), DateTimeOffset.UtcNow.AddMilliseconds(1));
            Assert.Equal(gate.History.OrderBy(change => change.Time), gate.History);
        }

        GateSnapshot after = DevmapDiagnostics.Capture().Gate;
        Assert.Equal(before.UserHolders, after.UserHolders);
        Assert.InRange(after.Changes, before.Changes + 2, long.MaxValue);
    }

    [Theory]
    [InlineData(1, 64)]
    [InlineData(7, 16)]
    [InlineData(64, 1)]
    [InlineData(SnapshotOptions.MaxHeatMapCells, 1)]
    public void The_heat_map_counts_pages_in_use_by_cells(int cells, int pagesPerCell)
    {
        using DevicePageMap map = DevicePageMap.Create(new() { PageCount = 64 });
        using (map.Lease(3, 5))
        using (map.Lease(40, 9))
        {
            HeatMap heat = Of(DevmapDiagnostics.Capture(new() { HeatMapCells = cells }), map.ToString()).HeatMap!;
            Assert.Equal(pagesPerCell, heat.PagesPerCell);
            Assert.Equal(
                Enumerable.Range(0, 64).GroupBy(page => page / pagesPerCell, page => page is (>= 3 and < 8) or (>= 40 and < 49) ? 1 : 0).Select(cell => cell.Sum()),
                heat.Cells);
        }
    }

    [Fact]
    public void Pages_in_use_are_named_on_demand()
    {
        using DevicePageMap map = DevicePageMap.Create(new() { PageCount = 64 });
        using PageLease lease = map.Lease(7, 3);
        using PageLease share = lease.Share();
        long id = Of(DevmapDiagnostics.Capture(), map.ToString()).Id;

        Assert.Equal([(7, 3), (8, 3), (9, 3)], DevmapDiagnostics.Capture(new() { BusyPageLimit = 100 }).BusyPages.Where(page => page.MapId == id).Select(page => (page.PageIndex, page.Count)));
        Assert.Equal(2, DevmapDiagnostics.Capture(new() { BusyPageLimit = 2 }).BusyPages.Count);
        Assert.Empty(DevmapDiagnostics.Capture(new() { HolderLimit = 0 }).BusyPages);
    }

    [Fact]
    public void Any_number_of_them_may_be_asked_for()
    {
        using DevicePageMap map = DevicePageMap.Create(new() { PageCount = 64 });
        using PageLease lease = map.Lease(7, 3);
        DevmapSnapshot snapshot = DevmapDiagnostics.Capture(new() { BusyPageLimit = int.MaxValue, HolderLimit = int.MaxValue });

        long id = Of(snapshot, map.ToString()).Id;
        Assert.Equal([7, 8, 9], snapshot.BusyPages.Where(page => page.MapId == id).Select(page => page.PageIndex));
    }

    [Fact]
    public unsafe void A_map_that_native_code_made_is_told_without_looking_at_its_pages()
    {
        var config = new devmap_pagemap_config
        {
            size = (uint)sizeof(devmap_pagemap_config),
            type = (int)devmap_memory_type.DEVMAP_MEMORY_DEVICE_HOST,
            backing = (int)devmap_backing.DEVMAP_BACKING_RESERVED,
            page_size = 4096,
            length = 64 * 4096,
        };
        devmap_pagemap* map;
        Assert.Equal(0, NativeMethods.devmap_memremap_pages(&config, &map));
        try
        {
            MapSnapshot native = Of(DevmapDiagnostics.Capture(SnapshotOptions.ForReport), $"native map 0x{map->start:x}");
            Assert.Equal(64, native.PageCount);
            Assert.Null(native.HeatMap);
        }
        finally
        {
            Assert.Equal(0, NativeMethods.devmap_memunmap_pages(map, 0, null, null));
            Assert.Equal(0, NativeMethods.devmap_pagemap_free(map));
        }
    }

    [Fact]
    public void Holders_are_told_at_full()
    {
        DiagnosticLevel before = DevmapDiagnostics.Level;
        DevmapDiagnostics.Level = DiagnosticLevel.Full;
        try
        {
            using DevicePageMap map = DevicePageMap.Create(new() { PageCount = 64 });
            using PageLease lease = map.Lease(7, 2);
            using PageLease share = lease.Share();
            DevmapSnapshot snapshot = DevmapDiagnostics.Capture();
            BusyPageSnapshot[] pages = [.. snapshot.BusyPages.Where(page => page.MapId == Of(snapshot, map.ToString()).Id)];

            Assert.Equal([(7, 3), (8, 3)], pages.Select(page => (page.PageIndex, page.Count)));
            Assert.All(pages, page =>
            {
                Assert.Equal(2, page.Holders.Count);
                Assert.All(page.Holders, holder =>
                {
                    Assert.Null(holder.Map);
                    Assert.True(holder.IsLease);
                    Assert.Contains(nameof(Holders_are_told_at_full), holder.Stack, StringComparison.Ordinal);
                });
                Assert.Equal(PageEvent.Activated, page.History[0]);
            });
            Assert.True(snapshot.TrackedReferences >= 4);
            Assert.Equal(snapshot.ToJson(), DevmapSnapshot.FromJson(snapshot.ToJson()).ToJson());
            Assert.Single(DevmapDiagnostics.Capture(new() { HolderLimit = 1 }).BusyPages.SelectMany(page => page.Holders));
        }
        finally
        {
            DevmapDiagnostics.Level = before;
        }
    }

    [Fact]
    public void Faults_are_kept_the_latest_of_them()
    {
        using DevicePageMap map = DevicePageMap.Create(new() { Type = MemoryType.DevicePublic, PageCount = 100, Driver = new CallingDriver(page => throw new InvalidOperationException($"page {page.Index} it was")) });
        using var log = new FaultLog();
        for (int page = 0; page < 70; page++)
            map.Lease(page).Dispose();
        IReadOnlyList<FaultSnapshot> faults = DevmapDiagnostics.Capture().Faults;

        Assert.Equal(64, faults.Count);
        Assert.Equal(Enumerable.Range(6, 64), faults.Select(fault => (int)fault.PageIndex!));
        Assert.All(faults, fault => Assert.Equal((DevmapFaultKind.Driver, map.ToString()), (fault.Kind, fault.MapName)));
        Assert.EndsWith("page 69 it was", faults[^1].Message, StringComparison.Ordinal);
        Assert.Contains(nameof(Faults_are_kept_the_latest_of_them), faults[^1].Stack, StringComparison.Ordinal);
        Assert.Equal(faults.OrderBy(fault => fault.Time), faults);
    }

    [Fact]
    public void Unknown_amounts_are_refused()
    {
        Assert.Throws<ArgumentOutOfRangeException>("options", () => DevmapDiagnostics.Capture(new() { HeatMapCells = -1 }));
        Assert.Throws<ArgumentOutOfRangeException>("options", () => DevmapDiagnostics.Capture(new() { HeatMapCells = SnapshotOptions.MaxHeatMapCells + 1 }));
        Assert.Throws<ArgumentOutOfRangeException>("options", () => DevmapDiagnostics.Capture(new() { HolderLimit = -1 }));
        Assert.Throws<ArgumentOutOfRangeException>("options", () => DevmapDiagnostics.Capture(new() { BusyPageLimit = -1 }));
    }

    /// <summary>Each snapshot is held against the rules of those that come from a file.</summary>
    [Fact]
    public void It_is_consistent_while_maps_come_and_go_and_pages_are_taken()
    {
        const int Rounds = 200;
        Task[] others = [.. Enumerable.Range(0, 4).Select(seed => Task.Run(() =>
        {
            for (int i = 0; i < Rounds; i++)
            {
                using DevicePageMap map = DevicePageMap.Create(new() { Type = MemoryType.DevicePublic, PageCount = 100 + (seed * i), Driver = new CountingDriver(1000) });
                using PageLease lease = map.Lease(i % 100, 1 + (i % (100 - (i % 100))));
                using PageLease share = lease.Share();
            }
        }))];
        var all = Task.WhenAll(others);
        var options = new SnapshotOptions { HeatMapCells = 64, BusyPageLimit = 64 };
        int taken = 0;
        do
        {
            DevmapSnapshot snapshot = DevmapDiagnostics.Capture(options);
            DevmapSnapshot.FromJson(snapshot.ToJson());
            taken++;
        }
        while (!all.IsCompleted);

        Assert.True(all.IsCompletedSuccessfully, all.Exception?.ToString());
        Assert.True(taken > 0);
    }

    /// <summary>A snapshot that goes through the pages is nobody who has to give them back.</summary>
    [Fact]
    public async Task An_idle_map_is_disposed_at_once_beside_snapshots_of_it()
    {
        using var end = new CancellationTokenSource();
        Task snapshots = Task.Run(() =>
        {
            while (!end.IsCancellationRequested)
                DevmapDiagnostics.Capture(new() { HeatMapCells = SnapshotOptions.MaxHeatMapCells });
        });
        try
        {
            for (int round = 0; round < 2000; round++)
                UseAndDispose();
        }
        finally
        {
            await end.CancelAsync();
            await snapshots;
        }
    }

    private static void UseAndDispose()
    {
        using DevicePageMap map = DevicePageMap.Create(new() { PageCount = 1 << 20, DisposeTimeout = TimeSpan.Zero });
        for (int page = 0; page < 1 << 20; page += 1 << 14)
            map.Lease(page).Dispose();
    }

    private static MapSnapshot Of(DevmapSnapshot snapshot, string name) => Assert.Single(snapshot.Maps, map => map.Name == name);
}
