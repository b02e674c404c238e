// SPDX-License-Identifier: MIT
using System.Buffers;
using System.Diagnostics.CodeAnalysis;
using System.Runtime.CompilerServices;
using Xunit;

namespace Devmap.Tests;

/// <summary>Disposing a map waits for its pages, says what it waited for, and loses nothing when it gives up.</summary>
public sealed class TeardownTests
{
    [Fact]
    public void An_idle_map_is_disposed_at_once()
    {
        DevicePageMap map = Create(TimeSpan.Zero);
        map.Lease(1).Dispose();
        map.Dispose();

        Assert.True(map.IsDisposed);
        map.Dispose();
    }

    [Fact]
    public void A_disposal_that_gives_up_names_the_pages_in_use_and_their_counts()
    {
        using DevicePageMap map = Create(TimeSpan.Zero);
        using (PageLease lease = map.Lease(7, 2))
        using (map.Lease(8))
        {
            var busy = Assert.Throws<PagesBusyException>(map.Dispose);

            Assert.Same(map, busy.Map);
            Assert.Equal([new BusyPage(7, 2), new BusyPage(8, 3)], busy.Pages);
            Assert.Equal(2, busy.PageCount);
            Assert.Equal(0, busy.MapReferences);
            Assert.Contains($"2 pages of {map} in use: 7 (count 2), 8 (count 3).", busy.Message, StringComparison.Ordinal);
            Assert.IsAssignableFrom<TimeoutException>(busy);
        }
    }

    [Fact]
    public void A_disposal_that_gives_up_names_the_first_pages_and_counts_the_others()
    {
        using DevicePageMap map = Create(TimeSpan.Zero);
        using (map.Lease(10, 20))
        {
            var busy = Assert.Throws<PagesBusyException>(map.Dispose);

            Assert.Equal(Enumerable.Range(10, 16).Select(index => new BusyPage(index, 2)), busy.Pages);
            Assert.Equal(20, busy.PageCount);
            Assert.Contains("25 (count 2) and 4 more.", busy.Message, StringComparison.Ordinal);
        }
    }

    [Fact]
    public void After_a_disposal_that_gave_up_nothing_is_torn_down()
    {
        using DevicePageMap map = Create(TimeSpan.Zero);
        using PageLease lease = map.Lease(7);
        lease.Span.Fill(5);
        Assert.Throws<PagesBusyException>(map.Dispose);

        Assert.False(map.IsDisposed);
        Assert.Equal(-1, lease.Span.IndexOfAnyExcept((byte)5));
        using (PageLease share = lease.Share())
            Assert.Equal(5, share.Span[0]);
        Assert.Equal(2, map[7].Count);
        Assert.Throws<ObjectDisposedException>(() => map.Lease(7));
        Assert.Throws<ObjectDisposedException>(() => map.Lease(1));
        Assert.Throws<ObjectDisposedException>(() => map.TryLease(1, 1, out _));
    }

    [Fact]
    public void A_disposal_that_gave_up_is_tried_again()
    {
        DevicePageMap map = Create(TimeSpan.Zero);
        PageLease lease = map.Lease(7);
        Assert.Throws<PagesBusyException>(map.Dispose);
        Assert.Throws<PagesBusyException>(map.Dispose);
        lease.Dispose();
        map.Dispose();

        Assert.True(map.IsDisposed);
    }

    [Fact]
    public void A_map_whose_disposal_gave_up_is_resumed()
    {
        using DevicePageMap map = Create(TimeSpan.Zero);
        PageLease lease = map.Lease(7);
        Assert.Throws<PagesBusyException>(map.Dispose);
        map.Resume();

        using (map.Lease(7))
            Assert.Equal(3, map[7].Count);
        map.Resume();
        lease.Dispose();
    }

    [Fact]
    public void A_disposed_map_is_not_resumed()
    {
        DevicePageMap map = Create(TimeSpan.Zero);
        map.Dispose();

        Assert.Throws<ObjectDisposedException>(map.Resume);
    }

    [Fact]
    public void A_disposal_waits_for_the_last_lease()
    {
        DevicePageMap map = Create(Timeout.InfiniteTimeSpan);
        PageLease lease = map.Lease(7);
        PageLease share = lease.Share();
        lease.Dispose();
        var disposing = new BlockingCall(map.Dispose);

        Assert.True(disposing.Waits);
        Assert.False(map.IsDisposed);
        Assert.Throws<InvalidOperationException>(map.Resume);
        share.Dispose();
        Assert.Null(disposing.Join());
        Assert.True(map.IsDisposed);
    }

    [Fact]
    public void A_disposal_waits_for_a_pin_of_a_disposed_lease()
    {
        DevicePageMap map = Create(Timeout.InfiniteTimeSpan);
        PageLease lease = map.Lease(7);
        MemoryHandle pin = lease.Pin();
        lease.Dispose();
        var disposing = new BlockingCall(map.Dispose);

        Assert.True(disposing.Waits);
        pin.Dispose();
        Assert.Null(disposing.Join());
    }

    [Fact]
    public async Task An_asynchronous_disposal_of_an_idle_map_is_complete_at_once()
    {
        DevicePageMap map = Create(Timeout.InfiniteTimeSpan);
        ValueTask disposing = map.DisposeAsync();

        Assert.True(disposing.IsCompletedSuccessfully);
        await disposing;
        Assert.True(map.IsDisposed);
        await map.DisposeAsync();
    }

    [Fact]
    public async Task An_asynchronous_disposal_leaves_its_caller_alone_and_ends_with_the_last_lease()
    {
        DevicePageMap map = Create(Timeout.InfiniteTimeSpan);
        PageLease lease = map.Lease(7);
        ValueTask disposing = map.DisposeAsync();

        Assert.False(disposing.IsCompleted);
        Assert.False(map.IsDisposed);
        Assert.Throws<ObjectDisposedException>(() => map.Lease(1));
        lease.Dispose();
        await disposing;
        Assert.True(map.IsDisposed);
    }

    [Fact]
    public async Task An_asynchronous_disposal_gives_up_as_a_disposal_does()
    {
        await using DevicePageMap map = Create(TimeSpan.FromMilliseconds(1));
        using PageLease lease = map.Lease(7);

        var busy = await Assert.ThrowsAsync<PagesBusyException>(() => map.DisposeAsync().AsTask());
        Assert.Equal([new BusyPage(7, 2)], busy.Pages);
        lease.Span.Fill(5);
    }

    [Fact]
    public async Task An_asynchronous_disposal_that_asks_once_gives_up_at_once()
    {
        await using DevicePageMap map = Create(TimeSpan.Zero);
        using PageLease lease = map.Lease(7);
        ValueTask disposing = map.DisposeAsync();

        Assert.True(disposing.IsFaulted);
        await Assert.ThrowsAsync<PagesBusyException>(() => disposing.AsTask());
    }

    [Fact]
    public void Two_that_dispose_at_the_same_time_both_wait_and_both_succeed()
    {
        var driver = new CountingDriver();
        DevicePageMap map = Create(Timeout.InfiniteTimeSpan, driver);
        PageLease lease = map.Lease(7);
        var first = new BlockingCall(map.Dispose);
        var second = new BlockingCall(map.Dispose);

        Assert.True(first.Waits);
        Assert.True(second.Waits);
        lease.Dispose();
        Assert.Null(first.Join());
        Assert.Null(second.Join());
        Assert.True(map.IsDisposed);
        Assert.Equal(1, driver.Detached);
    }

    [Fact]
    public void Two_that_dispose_at_the_same_time_may_wait_as_long_as_there_is_time()
    {
        DevicePageMap map = Create(TimeSpan.MaxValue);
        PageLease lease = map.Lease(7);
        var first = new BlockingCall(map.Dispose);
        var second = new BlockingCall(map.Dispose);

        Assert.True(first.Waits);
        Assert.True(second.Waits);
        lease.Dispose();
        Assert.Null(first.Join());
        Assert.Null(second.Join());
    }

    [Fact]
    public void However_many_dispose_a_map_its_driver_is_detached_once()
    {
        for (int round = 0; round < 300; round++)
        {
            var driver = new CountingDriver();
            DevicePageMap map = Create(Timeout.InfiniteTimeSpan, driver);
            PageLease lease = map.Lease(7);

            Crowd.Run(3, member =>
            {
                if (member == 0)
                    lease.Dispose();
                else
                    map.Dispose();
                Assert.True(member == 0 || map.IsDisposed);
            });

            Assert.Equal((1, 1), (driver.Total, driver.Detached));
        }
    }

    [Fact]
    public void A_lease_that_races_with_a_disposal_is_given_whole_or_refused()
    {
        long given = 0;
        for (int round = 0; round < 300; round++)
        {
            var driver = new CountingDriver();
            DevicePageMap map = Create(Timeout.InfiniteTimeSpan, driver);

            Crowd.Run(3, member =>
            {
                if (member == 0)
                    map.Dispose();
                else
                    Interlocked.Add(ref given, LeaseUntilRefused(map));
            });

            Assert.True(map.IsDisposed);
            Assert.Equal(1, driver.Detached);
        }

        Assert.NotEqual(0, given);
    }

    [Fact]
    public void A_disposed_map_gives_no_leases()
    {
        DevicePageMap map = Create(TimeSpan.Zero);
        map.Dispose();

        Assert.Throws<ObjectDisposedException>(() => map.Lease(0));
        Assert.Throws<ObjectDisposedException>(() => map.TryLease(0, 1, out _));
        Assert.Throws<ObjectDisposedException>(() => map.GetBusyPages());
    }

    [Fact]
    public void A_page_of_a_disposed_map_says_what_it_was_and_nothing_else()
    {
        DevicePageMap map = Create(TimeSpan.Zero);
        DevicePage page = map[3];
        nint address = page.Address;
        map.Dispose();

        Assert.Equal((MemoryType.DeviceHost, 64, 4096), (map.Type, map.PageCount, map.PageSize));
        Assert.Equal((3, address, map), (page.Index, page.Address, page.Map));
        Assert.Equal(page, map[3]);
        Assert.True(map.TryGetPage(address, out _));
        Assert.Contains("page 3", page.ToString(), StringComparison.Ordinal);
        Assert.Throws<ObjectDisposedException>(() => page.Count);
        Assert.Throws<ObjectDisposedException>(() => page.IsIdle);
        Assert.Throws<ObjectDisposedException>(() => page.DriverData);
        Assert.Throws<ObjectDisposedException>(() => page.DriverData = 1);
        Assert.Throws<ObjectDisposedException>(() => page.DangerousGetSpan().Length);
        Assert.Throws<ObjectDisposedException>(() => page.DangerousGetReadOnlySpan().Length);
        Assert.Throws<ObjectDisposedException>(() => page.Lease());
    }

    [Fact]
    public void A_finalized_map_is_of_no_use_and_harms_no_other()
    {
        DisposeAndResurrect();
        GC.Collect();
        GC.WaitForPendingFinalizers();
        DevicePageMap dead = Resurrecting.Saved!;
        Resurrecting.Saved = null;

        // One of them has the handle now.
        DevicePageMap[] others = [.. Enumerable.Range(0, 8).Select(_ => Create(TimeSpan.Zero, new CountingDriver()))];
        Assert.Throws<ObjectDisposedException>(() => dead.Lease(3));
        Assert.Throws<ObjectDisposedException>(() => dead.Lease(3, 2));
        Assert.Throws<ObjectDisposedException>(() => dead.GetBusyPages());
        Assert.Throws<ObjectDisposedException>(() => dead.Resume());
        Assert.Equal(0, dead.DangerousGetHandle());
        dead.Dispose();
        foreach (DevicePageMap other in others)
        {
            Assert.Empty(other.GetBusyPages());
            other.Lease(3).Dispose();
            other.Dispose();
        }
    }

    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public void A_map_that_is_disposed_and_forgotten_is_collected(bool reuseLeases)
    {
        WeakReference forgotten = DisposeAndForget(reuseLeases);
        GC.Collect();
        GC.WaitForPendingFinalizers();
        GC.Collect();

        Assert.False(forgotten.IsAlive);
    }

    private static DevicePageMap Create(TimeSpan timeout, PageDriver? driver = null) => DevicePageMap.Create(new()
    {
        Type = driver is null ? MemoryType.DeviceHost : MemoryType.DevicePublic,
        PageCount = 64,
        Driver = driver,
        DisposeTimeout = timeout,
    });

    [MethodImpl(MethodImplOptions.NoInlining)]
    private static void DisposeAndResurrect()
    {
        DevicePageMap map = Create(TimeSpan.Zero);
        map.Dispose();
        _ = new Resurrecting(map);
    }

    [MethodImpl(MethodImplOptions.NoInlining)]
    private static WeakReference DisposeAndForget(bool reuseLeases)
    {
        DevicePageMap map = DevicePageMap.Create(new() { PageCount = 64, ReuseLeases = reuseLeases });
        map.Lease(1).Dispose();
        map.Dispose();
        return new WeakReference(map, trackResurrection: true);
    }

    private static long LeaseUntilRefused(DevicePageMap map)
    {
        long given = 0;
        try
        {
            while (true)
            {
                using PageLease lease = map.Lease(5, 3);
                lease.Span[8192] = 1;
                given++;
            }
        }
        catch (ObjectDisposedException)
        {
            return given;
        }
    }

    /// <summary>Keeps a map that nobody else knows any more, from its finalizer.</summary>
    [SuppressMessage("Usage", "MA0055:Do not use finalizer", Justification = "It is what is tested.")]
    private sealed class Resurrecting(DevicePageMap map)
    {
        ~Resurrecting() => Saved = map;

        public static DevicePageMap? Saved { get; set; }
    }
}
