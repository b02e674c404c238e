// SPDX-License-Identifier: MIT
using System.Buffers;
using System.Numerics;
using System.Runtime.InteropServices;
using Xunit;
using static Devmap.Tests.FarMemories;

namespace Devmap.Tests;

/// <summary>Leases of far memory: what is leased is in memory, and stays there.</summary>
public sealed class FarLeaseTests
{
    [Fact]
    public void A_lease_has_the_bytes_that_it_was_asked_for()
    {
        using FarMemory memory = CreateWithoutFaults(8);
        Fill(memory);
        using PageLease lease = memory.Lease(Page - 10, (2 * Page) + 20);

        Assert.Equal((0, 4, (2 * Page) + 20), (lease.FirstPage, lease.PageCount, lease.Length));
        Assert.True(lease.IsWritable);
        Assert.Same(memory.Map, lease.Map);
        Assert.Equal(TemporaryDirectory.KnownBytes(Page - 10, (2 * Page) + 20), lease.Span);
        Assert.Equal(TemporaryDirectory.KnownBytes(Page - 10, (2 * Page) + 20), lease.Memory.Span);
    }

    [Fact]
    public async Task A_leased_page_is_not_evicted()
    {
        await using FarMemory memory = CreateWithoutFaults(4);
        Fill(memory);
        using PageLease lease = memory.Lease(Page, 1);

        Assert.Equal(new FarMigration(3, 0, 1, 0, null, null), await EvictAll(memory));
        Assert.Equal(1, memory.GetStatistics().RefusedInUse);
        Assert.Equal(TemporaryDirectory.KnownByte(Page), lease.Span[0]);
        Assert.Equal(FarPageState.Pinned, States(memory)[1] & FarPageState.Pinned);
    }

    [Fact]
    public async Task A_pin_and_a_share_keep_the_page_past_their_lease()
    {
        await using FarMemory memory = CreateWithoutFaults(4);
        Fill(memory);
        PageLease lease = memory.Lease(Page, 1);
        MemoryHandle pin = lease.Pin();
        PageLease share = lease.Share();
        lease.Dispose();

        Assert.Equal(1, (await EvictAll(memory)).InUse);
        pin.Dispose();
        Assert.Equal(1, (await EvictAll(memory)).InUse);
        share.Dispose();
        Assert.Equal(new FarMigration(1, 3, 0, 0, null, null), await EvictAll(memory));
    }

    [Fact]
    public async Task Leased_memory_never_faults()
    {
        await using FarMemory memory = Create(16);
        Fill(memory);
        await EvictAll(memory);
        Assert.Equal(0, memory.GetStatistics().Faults);
        using (PageLease lease = memory.LeaseForReading(0, 16 * Page))
            Assert.Equal(TemporaryDirectory.KnownBytes(0, 16 * Page), lease.ReadOnlySpan);
        using (PageLease lease = memory.Lease(0, 16 * Page))
            lease.Span.Fill(3);
        await EvictAll(memory);
        using (PageLease lease = memory.Lease(0, 16 * Page))
        {
            lease.Span[..Page].Fill(4);
            Assert.Equal(-1, lease.Span[Page..].IndexOfAnyExcept((byte)3));
        }

        Assert.Equal(0, memory.GetStatistics().Faults);
    }

    [Fact]
    public async Task A_read_lease_keeps_the_copy()
    {
        await using FarMemory memory = Create(4);
        Fill(memory);
        await EvictAll(memory);
        using (PageLease lease = memory.LeaseForReading(0, 3 * Page))
        {
            Assert.False(lease.IsWritable);
            Assert.Equal(3, memory.GetStatistics().Copies);
        }

        using (PageLease lease = memory.Lease(0, 1))
            lease.Span[0] = 1;
        Assert.Equal(new FarMigration(3, 1, 0, 0, null, null), await EvictAll(memory));
        FarMemoryStatistics statistics = memory.GetStatistics();
        Assert.Equal((7, 2), (statistics.ToDevice, statistics.ToDeviceUncopied));
        using PageLease again = memory.LeaseForReading(0, 2);
        Assert.Equal([1, TemporaryDirectory.KnownByte(1)], again.ReadOnlySpan.ToArray());
    }

    [Fact]
    public void A_read_lease_has_no_memory_to_write()
    {
        using FarMemory memory = CreateWithoutFaults(4);
        using PageLease lease = memory.LeaseForReading(0, Page);

        Assert.Throws<InvalidOperationException>(() => lease.Span.Length);
        Assert.Throws<InvalidOperationException>(() => lease.Memory);
        Assert.Equal(Page, lease.ReadOnlySpan.Length);
        Assert.Equal(Page, lease.ReadOnlyMemory.Span.Length);
        using PageLease share = lease.Share();
        Assert.Throws<InvalidOperationException>(() => share.Span.Length);
    }

    [Fact]
    public void The_limit_holds_while_leases_are_out()
    {
        using FarMemory memory = CreateWithoutFaults(8, residentPages: 2);
        PageLease one = memory.Lease(0, 1);
        PageLease two = memory.Lease(5 * Page, 1);

        Assert.False(memory.TryLease(Page, 1, out PageLease? three));
        Assert.Null(three);
        var busy = Assert.Throws<PagesBusyException>(() => memory.Lease(Page, 1));
        Assert.Equal([new BusyPage(0, 2), new BusyPage(5, 2)], busy.Pages);
        Assert.Contains("limit of 2 pages (8192 bytes)", busy.Message, StringComparison.Ordinal);
        Assert.Contains("0 (count 2), 5 (count 2)", busy.Message, StringComparison.Ordinal);
        Assert.Throws<PagesBusyException>(() => memory.LeaseForReading(0, 2 * Page));
        Assert.Equal(2, memory.Map[0].Count);
        one.Dispose();
        Assert.True(memory.TryLease(Page, 1, out three));
        three.Dispose();
        two.Dispose();
        Assert.Equal((2, 0), (memory.GetStatistics().Resident, memory.GetStatistics().OverLimit));
    }

    [Fact]
    public void A_lease_of_more_than_the_limit_says_so()
    {
        using FarMemory memory = CreateWithoutFaults(8, residentPages: 2);

        var error = Assert.Throws<InvalidOperationException>(() => memory.Lease(0, 3 * Page));
        Assert.Contains("3 pages", error.Message, StringComparison.Ordinal);
        Assert.Contains("limit is 2 pages", error.Message, StringComparison.Ordinal);
        Assert.Throws<InvalidOperationException>(() => memory.TryLease(0, 3 * Page, out _));
        memory.Lease(0, 2 * Page).Dispose();
    }

    [Theory]
    [InlineData(-1, 1)]
    [InlineData(0, 0)]
    [InlineData(0, -1)]
    [InlineData(0, int.MinValue)]
    [InlineData(4 * Page, 1)]
    [InlineData((4 * Page) - 1, 2)]
    [InlineData(long.MaxValue, 1)]
    [InlineData(long.MinValue, 1)]
    public void A_range_is_in_the_memory(long offset, int length)
    {
        using FarMemory memory = CreateWithoutFaults(4);

        Assert.Throws<ArgumentOutOfRangeException>(() => memory.Lease(offset, length));
        Assert.Throws<ArgumentOutOfRangeException>(() => memory.LeaseForReading(offset, length));
        Assert.Throws<ArgumentOutOfRangeException>(() => memory.TryLease(offset, length, out _));
    }

    [Fact]
    public async Task A_lease_by_the_map_brings_in_whole_pages()
    {
        await using FarMemory memory = CreateWithoutFaults(4, residentPages: 3);
        Fill(memory);
        await EvictAll(memory);
        Assert.Equal(0, memory.Map[1].Count);
        Assert.Empty(memory.Map.GetBusyPages());

        using (PageLease lease = memory.Map.Lease(1))
        {
            Assert.Equal(TemporaryDirectory.KnownBytes(Page, Page), lease.Span);
            lease.Span.Fill(1);
        }

        using (PageLease lease = memory.Map[2].Lease())
            Assert.Equal(TemporaryDirectory.KnownBytes(2 * Page, Page), lease.Span);
        Assert.True(memory.Map.TryLease(1, 2, out PageLease? two));
        Assert.Equal(1, two.Span[0]);
        Assert.Equal([1L, 2L], memory.Map.GetBusyPages().Select(page => page.Index));
        using PageLease three = memory.Lease(0, 1);
        Assert.False(memory.Map.TryLease(3, 1, out _));
        Assert.Throws<PagesBusyException>(() => memory.Map.Lease(3));
        two.Dispose();
        memory.Map.Lease(3).Dispose();
    }

    [Fact]
    public void A_page_has_no_word_of_the_drivers()
    {
        using FarMemory memory = CreateWithoutFaults(4);
        DevicePage page = memory.Map[0];

        Assert.Throws<InvalidOperationException>(() => page.DriverData);
        Assert.Throws<InvalidOperationException>(() => page.DriverData = 1);
    }

    [Fact]
    public async Task Elements_are_leased_by_their_index()
    {
        await using FarMemory memory = FarMemory.Create(1 << 20, new() { Store = FarStore.Plain });
        using (PageLease<double> lease = memory.Lease<double>(1000, 3000))
        {
            for (int i = 0; i < lease.Length; i++)
                lease.Span[i] = i;
        }

        await EvictAll(memory);
        using PageLease<double> read = memory.LeaseForReading<double>(1500, 1000);
        Assert.Equal((1000, false), (read.Length, read.IsWritable));
        Assert.Equal(Enumerable.Range(500, 1000).Select(i => (double)i), read.ReadOnlySpan.ToArray());
        Assert.Equal(500, read.ReadOnlyMemory.Span[0]);
        Assert.Throws<InvalidOperationException>(() => read.Span.Length);
        Assert.Throws<InvalidOperationException>(() => read.Memory);
        Assert.Equal(0, memory.GetStatistics().Faults);
    }

    [Fact]
    public async Task Elements_of_any_size_may_straddle_pages()
    {
        await using FarMemory memory = FarMemory.Create(16 * Page, new() { Store = FarStore.Plain });
        int size = Marshal.SizeOf<Odd>();
        int count = (int)(memory.Length / size);
        using (PageLease<Odd> all = memory.Lease<Odd>(0, count))
        {
            for (int i = 0; i < count; i++)
                all.Span[i] = new Odd(i, (short)i, i + 2);
        }

        await EvictAll(memory);
        for (int i = 0; i < count; i++)
        {
            using PageLease<Odd> one = memory.LeaseForReading<Odd>(i, 1);
            Assert.Equal(new Odd(i, (short)i, i + 2), one.ReadOnlySpan[0]);
        }

        Assert.Throws<ArgumentOutOfRangeException>(() => memory.Lease<Odd>(count, 1));
        Assert.Throws<ArgumentOutOfRangeException>(() => memory.Lease<Odd>(-1, 1));
        Assert.Throws<ArgumentOutOfRangeException>(() => memory.Lease<Odd>(long.MaxValue / 2, 1));
        Assert.Throws<ArgumentOutOfRangeException>(() => memory.Lease<Odd>(0, 0));
        Assert.Throws<ArgumentOutOfRangeException>(() => memory.Lease<Odd>(0, int.MaxValue / 2));
    }

    [Fact]
    public async Task A_lease_of_elements_is_pinned_shared_and_disposed_as_that_of_bytes()
    {
        await using FarMemory memory = CreateWithoutFaults(4);
        PageLease<int> lease = memory.Lease<int>(0, 1000);
        Memory<int> elements = lease.Memory;
        elements.Span.Fill(3);
        MemoryHandle pin = elements.Slice(5).Pin();
        PageLease<int> share = lease.Share();
        lease.Dispose();
        lease.Dispose();

        Assert.True(lease.IsDisposed);
        Assert.Throws<ObjectDisposedException>(() => elements.Span.Length);
        Assert.Throws<ObjectDisposedException>(() => lease.Span.Length);
        Assert.Throws<ObjectDisposedException>(() => lease.Pin());
        Assert.Equal(3, FirstOf(pin));
        Assert.Equal(1, (await EvictAll(memory)).InUse);
        pin.Dispose();
        Assert.Equal(1, (await EvictAll(memory)).InUse);
        Assert.Equal(3, share.Span[999]);
        share.Dispose();
        Assert.Equal(0, (await EvictAll(memory)).InUse);

        static unsafe int FirstOf(MemoryHandle pin) => *(int*)pin.Pointer;
    }

    [Fact]
    public void Reused_leases_are_never_another_ones()
    {
        using HmmDevice device = new(new() { Faults = HmmFaultService.None });
        using FarMemory memory = FarMemory.Create(device, 4 * Page, new() { Store = FarStore.Plain, ReuseLeases = true });
        PageLease first = memory.Lease(0, Page);
        first.Dispose();
        PageLease second = memory.Lease(Page, Page);
        Assert.Same(first, second);
        second.Dispose();

        PageLease<byte> elements = memory.Lease<byte>(0, 10);
        elements.Dispose();
        using PageLease other = memory.LeaseForReading(2 * Page, 10);
        elements.Dispose();
        Assert.False(other.IsDisposed);
        Assert.False(other.IsWritable);
        Assert.Equal(2, other.FirstPage);
    }

    /// <summary>Whatever a thread still does with elements while another disposes them, it is of them or of nothing.</summary>
    [Theory]
    [InlineData(true)]
    [InlineData(false)]
    public void Elements_of_reused_leases_are_never_another_ones(bool share)
    {
        using HmmDevice device = new(new() { Faults = HmmFaultService.None });
        using FarMemory memory = FarMemory.Create(
            device, 4 * Page, new() { Store = FarStore.Plain, ReuseLeases = true, DisposeTimeout = TimeSpan.Zero });
        Fill(memory);
        PageLease<byte> lease = memory.LeaseForReading<byte>(0, Page);
        Crowd.RunRounds(
            2,
            20_000,
            (member, _) =>
            {
                PageLease<byte> current = Volatile.Read(ref lease);
                if (member == 0)
                {
                    current.Dispose();
                    using PageLease other = memory.Lease(2 * Page, 2 * Page);
                    return;
                }

                try
                {
                    using PageLease<byte>? second = share ? current.Share() : null;
                    Assert.Equal(Page, (second ?? current).ReadOnlySpan.Length);
                }
                catch (ObjectDisposedException)
                {
                }
            },
            () => Volatile.Write(ref lease, memory.LeaseForReading<byte>(0, Page)));
        lease.Dispose();

        Assert.Empty(memory.Map.GetBusyPages());
    }

    [Fact]
    public void Threads_lease_beyond_the_limit_and_see_what_they_wrote()
    {
        const int threads = 4;
        using FarMemory memory = FarMemory.Create(256 * Page, new() { Store = FarStore.Lz4, ResidentLimit = 32 * Page });
        Crowd.Run(threads, member =>
        {
            var random = new Random(member);
            int[] written = new int[256 / threads];
            for (int round = 0; round < 4000; round++)
            {
                int which = random.Next(written.Length);
                long offset = ((which * threads) + member) * (long)Page;
                using PageLease lease = memory.Lease(offset, Page);
                Span<int> words = MemoryMarshal.Cast<byte, int>(lease.Span);
                Assert.Equal(-1, words.IndexOfAnyExcept(written[which]));
                written[which] = (int)BitOperations.RotateLeft((uint)round, member) + 1;
                words.Fill(written[which]);
            }
        });

        FarMemoryStatistics statistics = memory.GetStatistics();
        Assert.Equal((0, 0), (statistics.Faults, statistics.OverLimit));
        Assert.InRange(statistics.Resident, 1, 32);
    }

    [StructLayout(LayoutKind.Sequential, Pack = 1)]
    private record struct Odd(long First, short Second, int Third);
}
