// SPDX-License-Identifier: MIT
using System.Buffers;
using System.Diagnostics.CodeAnalysis;
using System.Runtime.InteropServices;
using Devmap.Native;
using Xunit;

namespace Devmap.Tests;

/// <summary>With <see cref="DevicePageMapOptions.ReuseLeases"/> leasing allocates nothing; without it an object is one lease.</summary>
[SuppressMessage("Reliability", "CA2000", Justification = "The leases are disposed, and then looked at, which is what is tested.")]
public sealed class LeaseReuseTests : IDisposable
{
    private readonly CountingDriver _driver = new(256);
    private readonly DevicePageMap _map;

    public LeaseReuseTests() => _map = DevicePageMap.Create(new()
    {
        Type = MemoryType.DevicePublic,
        PageCount = 256,
        Driver = _driver,
        DisposeTimeout = TimeSpan.Zero,
        ReuseLeases = true,
    });

    public void Dispose() => _map.Dispose();

    [Fact]
    public void A_disposed_leases_object_is_this_threads_next_lease()
    {
        PageLease first = _map.Lease(3, 2);
        first.Dispose();
        using PageLease second = _map.Lease(7);

        Assert.Same(first, second);
        Assert.False(second.IsDisposed);
        Assert.Equal(7, second.FirstPage);
        Assert.Equal(1, second.PageCount);
        Assert.Equal(4096, second.Length);
        Assert.Equal([new BusyPage(7, 2)], _map.GetBusyPages());
    }

    [Fact]
    public void Without_it_a_disposed_lease_stays_disposed()
    {
        using DevicePageMap map = DevicePageMap.Create(new() { PageCount = 4 });
        PageLease first = map.Lease(0);
        first.Dispose();
        using PageLease second = map.Lease(1);

        first.Dispose();
        Assert.NotSame(first, second);
        Assert.True(first.IsDisposed);
        Assert.Equal([new BusyPage(1, 2)], map.GetBusyPages());
    }

    [Fact]
    public void An_object_serves_another_map()
    {
        using DevicePageMap other = DevicePageMap.Create(new() { PageCount = 4, ReuseLeases = true });
        PageLease first = _map.Lease(3);
        first.Dispose();
        using PageLease second = other.Lease(2);

        Assert.Same(first, second);
        Assert.Same(other, second.Map);
        Assert.Equal(2, second.FirstPage);
        Assert.Empty(_map.GetBusyPages());
    }

    [Theory]
    [InlineData("Memory")]
    [InlineData("ReadOnlyMemory")]
    [InlineData("Pin")]
    public void An_object_whose_memory_may_be_elsewhere_is_not_used_again(string use)
    {
        PageLease first = _map.Lease(3);
        MemoryHandle pin = default;
        Memory<byte> memory = default;
        if (string.Equals(use, "Pin", StringComparison.Ordinal))
            pin = first.Pin();
        else
            memory = string.Equals(use, "Memory", StringComparison.Ordinal) ? first.Memory : MemoryMarshal.AsMemory(first.ReadOnlyMemory);
        first.Dispose();
        using PageLease second = _map.Lease(7);

        Assert.NotSame(first, second);
        Assert.True(first.IsDisposed);
        if (!memory.IsEmpty)
            Assert.Throws<ObjectDisposedException>(() => memory.Span.Length);
        Assert.Equal(use == "Pin" ? 2 : 1, _map[3].Count);
        pin.Dispose();
        Assert.Equal(1, _map[3].Count);
    }

    [Fact]
    public void Leasing_allocates_nothing()
    {
        Assert.Equal(0, LeastAllocated(() => LeaseAndShare(2000)));
    }

    [Fact]
    public void A_files_leases_allocate_nothing()
    {
        using var directory = new TemporaryDirectory();
        using DaxFile file = DaxFile.Open(directory.SparseFile(16 * 4096), new() { ReuseLeases = true });
        Assert.Equal(0, LeastAllocated(() => LeaseParts(file, 500)));
    }

    [Fact]
    public void More_leases_than_a_thread_keeps_are_leases_too()
    {
        for (int round = 0; round < 3; round++)
        {
            PageLease[] leases = [.. Enumerable.Range(0, LeasePool.Capacity + 10).Select(i => _map.Lease(i))];
            Assert.Equal(leases.Length, leases.Distinct().Count());
            Assert.Equal(leases.Length, _map.GetBusyPages().Count);
            foreach (PageLease lease in leases)
                lease.Dispose();
        }

        Assert.Empty(_map.GetBusyPages());
        Assert.Equal(3, _driver[0]);
    }

    [Fact]
    public void A_lease_may_be_disposed_by_another_thread_than_leased_it()
    {
        for (int round = 0; round < 200; round++)
        {
            PageLease[] leases = [.. Enumerable.Range(0, 8).Select(i => _map.Lease(i))];
            var other = new Thread(() =>
            {
                foreach (PageLease lease in leases)
                    lease.Dispose();
                using PageLease again = _map.Lease(100);
                Assert.Contains(again, leases);
            });
            other.Start();
            using (PageLease mine = _map.Lease(200))
                Assert.Equal(200, mine.FirstPage);
            other.Join();
        }

        Assert.Empty(_map.GetBusyPages());
        Assert.Equal(200, _driver[0]);
    }

    [Fact]
    public void A_disposed_lease_gives_nothing_more()
    {
        PageLease lease = _map.Lease(3);
        lease.Dispose();

        Assert.Throws<ObjectDisposedException>(() => lease.Share());
        Assert.Throws<ObjectDisposedException>(() => lease.Memory.Length);
        Assert.Throws<ObjectDisposedException>(() => lease.Pin());
        Assert.Throws<ObjectDisposedException>(() => lease.Map);
        Assert.Equal("disposed lease", lease.ToString());
        lease.Dispose();
        Assert.Empty(_map.GetBusyPages());
        Assert.Equal(1, _driver[3]);
    }

    /// <summary>Whatever a thread still does with a lease while another disposes it: all or nothing, and nothing of a later lease.</summary>
    [Theory]
    [InlineData(true)]
    [InlineData(false)]
    public void Sharing_and_disposing_at_once_is_one_after_the_other(bool share)
    {
        PageLease lease = _map.Lease(7);
        var taken = new object?[1];
        Crowd.RunRounds(
            2,
            5000,
            (member, round) =>
            {
                PageLease current = Volatile.Read(ref lease);
                if (member == 0)
                {
                    current.Dispose();
                    return;
                }

                try
                {
                    taken[0] = share ? current.Share() : current.Memory;
                }
                catch (ObjectDisposedException)
                {
                    taken[0] = null;
                }
            },
            () =>
            {
                // A Memory is of the lease that it was asked of, or of none.
                using PageLease next = _map.Lease(200);
                if (taken[0] is Memory<byte> memory)
                    Assert.Throws<ObjectDisposedException>(() => memory.Span.Length);
                (taken[0] as PageLease)?.Dispose();
                Volatile.Write(ref lease, _map.Lease(7));
            });
        lease.Dispose();

        Assert.Empty(_map.GetBusyPages());
    }

    [Fact]
    public void Many_threads_each_get_leases_of_their_own()
    {
        Crowd.Run(8, worker =>
        {
            for (int i = 0; i < 5000; i++)
            {
                int page = (worker * 16) + (i % 16);
                using PageLease lease = _map.Lease(page);
                using PageLease share = lease.Share();
                Assert.Equal(page, lease.FirstPage);
                Assert.Equal(page, share.FirstPage);
                lease.Span[0] = (byte)i;
                Assert.Equal((byte)i, share.Span[0]);
            }
        });

        Assert.Empty(_map.GetBusyPages());
        for (int page = 0; page < 128; page++)
            Assert.True(_driver[page] > 0);
    }

    /// <summary>Bytes in the best of some attempts: the runtime itself allocates now and then, when it compiles what it runs.</summary>
    private static long LeastAllocated(Action action)
    {
        long least = long.MaxValue;
        for (int attempt = 0; attempt < 10 && least > 0; attempt++)
        {
            long before = GC.GetAllocatedBytesForCurrentThread();
            action();
            least = Math.Min(least, GC.GetAllocatedBytesForCurrentThread() - before);
        }

        return least;
    }

    private static void LeaseParts(DaxFile file, int times)
    {
        for (int i = 0; i < times; i++)
        {
            using PageLease lease = file.Lease(i % 16 * 4096, 4096);
            if (lease.ReadOnlySpan[0] != 0)
                Assert.Fail("a hole is not empty");
        }
    }

    private void LeaseAndShare(int times)
    {
        for (int i = 0; i < times; i++)
        {
            using PageLease lease = _map.Lease(i % 16);
            using PageLease several = _map.Lease(32, 4);
            using PageLease share = lease.Share();
            share.Span[0] = 1;
        }
    }
}
