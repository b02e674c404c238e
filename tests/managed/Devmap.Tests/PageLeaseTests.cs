// SPDX-License-Identifier: MIT
using System.Buffers;
using Xunit;

namespace Devmap.Tests;

/// <summary>A lease holds its pages, gives them back once, and is of no use after.</summary>
public sealed unsafe class PageLeaseTests : IDisposable
{
    private readonly CountingDriver _driver = new();
    private readonly DevicePageMap _map;

    public PageLeaseTests() =>
        _map = DevicePageMap.Create(new() { Type = MemoryType.DevicePublic, PageCount = 16, Driver = _driver, DisposeTimeout = TimeSpan.Zero });

    /// <summary>Ways to use a lease.</summary>
    public static TheoryData<string> Uses => ["Span", "ReadOnlySpan", "Memory", "ReadOnlyMemory", "Pin", "Share"];

    public void Dispose() => _map.Dispose();

    [Fact]
    public void A_lease_is_of_the_pages_that_were_asked_for()
    {
        using PageLease lease = _map.Lease(7, 2);

        Assert.Same(_map, lease.Map);
        Assert.Equal(7, lease.FirstPage);
        Assert.Equal(2, lease.PageCount);
        Assert.Equal(8192, lease.Length);
        Assert.True(lease.IsWritable);
        Assert.False(lease.IsDisposed);
        Assert.Contains("8192 bytes in pages 7 to 8", lease.ToString(), StringComparison.Ordinal);
        Assert.Equal([new BusyPage(7, 2), new BusyPage(8, 2)], _map.GetBusyPages());
    }

    [Fact]
    public void Span_and_memory_are_the_pages_memory()
    {
        using PageLease lease = _map.Lease(7, 2);
        lease.Span.Fill(1);
        lease.Memory.Span[4096..].Fill(2);

        Assert.Equal(8192, lease.Memory.Length);
        Assert.True(lease.ReadOnlySpan.SequenceEqual(lease.Span));
        Assert.True(lease.ReadOnlyMemory.Span.SequenceEqual(lease.Span));
        Assert.Equal(-1, _map[7].DangerousGetSpan().IndexOfAnyExcept((byte)1));
        Assert.Equal(-1, _map[8].DangerousGetSpan().IndexOfAnyExcept((byte)2));
    }

    [Fact]
    public void Leases_of_one_page_are_references_of_their_own()
    {
        using PageLease first = _map.Lease(3);
        PageLease second = _map.Lease(2, 3);

        Assert.Equal(3, _map[3].Count);
        second.Dispose();
        Assert.Equal(2, _map[3].Count);
        Assert.Equal(0, _driver[3]);
        Assert.Equal(1, _driver[2]);
        Assert.Equal(1, _driver[4]);
    }

    [Fact]
    public void A_share_has_a_life_of_its_own()
    {
        PageLease lease = _map.Lease(7, 2);
        lease.Span.Fill(9);
        PageLease share = lease.Share();
        Assert.Equal(3, _map[7].Count);
        lease.Dispose();

        Assert.Equal(0, _driver.Total);
        Assert.Equal(2, _map[8].Count);
        Assert.Equal((lease.FirstPage, lease.PageCount, lease.Length, lease.IsWritable), (share.FirstPage, share.PageCount, share.Length, share.IsWritable));
        Assert.Equal(-1, share.Span.IndexOfAnyExcept((byte)9));
        share.Dispose();
        Assert.Equal(2, _driver.Total);
    }

    [Fact]
    public void A_disposed_lease_gives_its_references_back_once()
    {
        PageLease lease = _map.Lease(5);
        using PageLease other = _map.Lease(5);
        lease.Dispose();
        lease.Dispose();
        ((IDisposable)lease).Dispose();

        Assert.True(lease.IsDisposed);
        Assert.Equal(2, _map[5].Count);
        Assert.Equal(0, _driver.Total);
    }

    [Theory]
    [MemberData(nameof(Uses))]
    public void A_disposed_lease_is_of_no_use(string use)
    {
        PageLease lease = _map.Lease(5);
        lease.Dispose();

        Assert.Throws<ObjectDisposedException>(() => Use(lease, use));
        Assert.True(_map[5].IsIdle);
    }

    [Fact]
    public void A_disposed_lease_still_says_what_it_was()
    {
        PageLease lease = _map.Lease(5);
        lease.Dispose();

        Assert.Equal((5, 1, 4096), (lease.FirstPage, lease.PageCount, lease.Length));
        Assert.Contains("pages 5 to 5", lease.ToString(), StringComparison.Ordinal);
    }

    [Fact]
    public void Memory_that_outlives_its_lease_throws_at_each_use()
    {
        PageLease lease = _map.Lease(5);
        Memory<byte> memory = lease.Memory;
        ReadOnlyMemory<byte> slice = lease.ReadOnlyMemory[100..200];
        lease.Dispose();

        Assert.Throws<ObjectDisposedException>(() => memory.Span.Length);
        Assert.Throws<ObjectDisposedException>(() => memory.Pin());
        Assert.Throws<ObjectDisposedException>(() => memory.ToArray());
        Assert.Throws<ObjectDisposedException>(() => slice.Span.Length);
    }

    [Fact]
    public void A_pin_outlives_the_dispose()
    {
        PageLease lease = _map.Lease(5);
        lease.Span[10] = 77;
        MemoryHandle pin = lease.Memory[10..].Pin();
        MemoryHandle second = lease.Pin(10);
        lease.Dispose();

        Assert.Equal(77, *(byte*)pin.Pointer);
        Assert.Equal((nint)pin.Pointer, (nint)second.Pointer);
        Assert.Equal(2, _map[5].Count);
        pin.Dispose();
        Assert.Equal(0, _driver.Total);
        second.Dispose();
        Assert.Equal(1, _driver.Total);
        second.Dispose();
        Assert.Equal(1, _driver.Total);
    }

    [Fact]
    public void A_lease_in_use_is_not_given_back_by_the_end_of_a_pin()
    {
        using PageLease lease = _map.Lease(5);
        lease.Pin().Dispose();

        Assert.Equal(2, _map[5].Count);
        Assert.Equal(0, _driver.Total);
    }

    [Theory]
    [InlineData(-1)]
    [InlineData(4097)]
    public void A_pin_outside_the_lease_is_refused(int index)
    {
        using PageLease lease = _map.Lease(5);

        Assert.Throws<ArgumentOutOfRangeException>(() => lease.Pin(index));
    }

    [Fact]
    public void A_pin_may_stand_at_the_end() => Assert.True(_map.Lease(5) is var lease && PinsAtEnd(lease));

    [Fact]
    public void An_unpin_without_a_pin_is_refused_and_changes_nothing()
    {
        PageLease lease = _map.Lease(5);

        Assert.Throws<InvalidOperationException>(lease.Unpin);
        Assert.Equal(2, _map[5].Count);
        lease.Dispose();
        Assert.Throws<InvalidOperationException>(lease.Unpin);
        Assert.Equal(1, _driver.Total);
    }

    [Fact]
    public void A_lease_of_pages_with_too_many_references_is_refused()
    {
        // Host memory, without a driver: the page leaks with its map, which must not keep the gate on.
        DevicePageMap map = DevicePageMap.Create(new() { PageCount = 2, DisposeTimeout = TimeSpan.Zero });
        using var log = new FaultLog();
        NativeReferences.Take(map[0], int.MaxValue);

        var thrown = Assert.Throws<InvalidOperationException>(() => map.Lease(0));

        Assert.Contains("too many references", thrown.Message, StringComparison.Ordinal);
        Assert.Throws<InvalidOperationException>(() => map.Lease(0, 2));
        Assert.True(map[1].IsIdle);
        Assert.Equal(DevmapFaultKind.Overflow, Assert.Single(log.Faults).Kind);
        Assert.Throws<PagesBusyException>(map.Dispose);
    }

    [Fact]
    public void References_are_given_back_once_whoever_disposes_shares_and_pins_at_the_same_time()
    {
        const int rounds = 3000;
        const int threads = 4;
        PageLease lease = _map.Lease(0, 2);
        Random[] random = [.. Enumerable.Range(0, threads).Select(member => new Random(member))];
        int ended = 0;

        Crowd.RunRounds(
            threads,
            rounds,
            (member, _) =>
            {
                UseUntilDisposed(lease, random[member]);
                lease.Dispose();
            },
            () =>
            {
                ended++;
                Assert.Equal((ended, ended), (_driver[0], _driver[1]));
                lease = _map.Lease(0, 2);
            });
        lease.Dispose();

        Assert.Equal(2 * (rounds + 1), _driver.Total);
    }

    private static void Use(PageLease lease, string use)
    {
        switch (use)
        {
            case "Span":
                _ = lease.Span.Length;
                break;
            case "ReadOnlySpan":
                _ = lease.ReadOnlySpan.Length;
                break;
            case "Memory":
                _ = lease.Memory;
                break;
            case "ReadOnlyMemory":
                _ = lease.ReadOnlyMemory;
                break;
            case "Pin":
                lease.Pin();
                break;
            default:
                lease.Share();
                break;
        }
    }

    private static bool PinsAtEnd(PageLease lease)
    {
        using (lease)
        using (MemoryHandle pin = lease.Pin(lease.Length))
        {
            return (nint)pin.Pointer == lease.Map[lease.FirstPage + 1].Address;
        }
    }

    private static void UseUntilDisposed(PageLease lease, Random random)
    {
        try
        {
            switch (random.Next(3))
            {
                case 0:
                    lease.Share().Dispose();
                    break;
                case 1:
                    lease.Pin().Dispose();
                    break;
                default:
                    using (PageLease share = lease.Share())
                        share.Share().Dispose();
                    break;
            }
        }
        catch (ObjectDisposedException)
        {
            // Another thread was faster.
        }
    }
}
