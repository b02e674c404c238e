// SPDX-License-Identifier: MIT
using Xunit;
using static Devmap.Tests.FarMemories;

namespace Devmap.Tests;

/// <summary>Far memory as memory: what is written is there, wherever it was meanwhile.</summary>
public sealed class FarMemoryTests
{
    public static TheoryData<string, int> StoresAndPageSizes
    {
        get
        {
            var data = new TheoryData<string, int>();
            foreach (string store in StoreNames)
            {
                data.Add(store, 4096);
                data.Add(store, 65536);
                data.Add(store, 2 << 20);
            }

            return data;
        }
    }

    [Theory]
    [MemberData(nameof(StoresAndPageSizes))]
    public async Task What_was_evicted_comes_back(string store, int pageSize)
    {
        using var directory = new TemporaryDirectory();
        await using FarMemory memory = FarMemory.Create(8L * pageSize, new() { Store = Store(store, directory), PageSize = pageSize });
        Fill(memory);
        Assert.Equal(8, memory.GetStatistics().Resident);

        Assert.Equal(new FarMigration(8, 0, 0, 0, null, null), await EvictAll(memory));
        Assert.Equal((0, 8), (memory.GetStatistics().Resident, memory.GetStatistics().OnDevice));
        Assert.NotEqual(0, memory.GetStatistics().StoreBytes);
        Verify(memory);
        Assert.Equal(8, memory.GetStatistics().Resident);
    }

    [Theory]
    [MemberData(nameof(StoresAndPageSizes))]
    public void It_is_larger_than_what_is_resident(string store, int pageSize)
    {
        using var directory = new TemporaryDirectory();
        using FarMemory memory = FarMemory.Create(
            16L * pageSize, new() { Store = Store(store, directory), PageSize = pageSize, ResidentLimit = 3L * pageSize });
        Fill(memory);
        Verify(memory);

        FarMemoryStatistics statistics = memory.GetStatistics();
        Assert.Equal((3, 0), (statistics.Limit, statistics.OverLimit));
        Assert.InRange(statistics.Resident, 1, 3);
    }

    [Fact]
    public void New_memory_reads_as_zeros()
    {
        using FarMemory memory = CreateWithoutFaults(4);
        using PageLease lease = memory.LeaseForReading(100, 3 * Page);

        Assert.Equal(-1, lease.ReadOnlySpan.IndexOfAnyExcept((byte)0));
    }

    [Fact]
    public void A_limit_that_two_threads_set_is_the_one_that_is_kept()
    {
        using FarMemory memory = CreateWithoutFaults(64);
        for (int round = 0; round < 300; round++)
        {
            Crowd.Run(2, member => memory.ResidentLimit = (20 + member) * Page);
            Assert.Equal(memory.GetStatistics().Limit, memory.ResidentLimit / Page);
        }
    }

    [Fact]
    public async Task The_unleased_memory_is_served()
    {
        if (!ServesFaults)
            return;
        await using FarMemory memory = Create(4);
        Fill(memory);
        await EvictAll(memory);

        Assert.Equal(TemporaryDirectory.KnownByte(5), Peek(memory, 5));
        Assert.Equal((1, 0, 0), Faults(memory));
        Poke(memory, 5, 1);
        Assert.Equal((1, 1, 0), Faults(memory));
        Poke(memory, Page, 2);
        Assert.Equal((2, 1, 0), Faults(memory));
        Assert.Equal(1, Peek(memory, 5));
        Assert.Equal(TemporaryDirectory.KnownByte(6), Peek(memory, 6));

        static (long Device, long Write, long Hole) Faults(FarMemory memory)
        {
            FarMemoryStatistics statistics = memory.GetStatistics();
            return (statistics.DeviceFaults, statistics.WriteFaults, statistics.HoleFaults);
        }
    }

    [Fact]
    public void A_hole_that_is_touched_is_served()
    {
        if (!ServesFaults)
            return;
        using FarMemory memory = Create(4);

        Assert.Equal(0, Peek(memory, 2 * Page));
        Assert.Equal(1, memory.GetStatistics().HoleFaults);
        Assert.Equal(1, memory.GetStatistics().Faults);
    }

    [Fact]
    public async Task States_tell_where_pages_are()
    {
        await using FarMemory memory = Create(4);
        memory.Lease(0, 3 * Page).Dispose();
        await memory.EvictAsync(Page, 2 * Page);
        memory.LeaseForReading(2 * Page, 1).Dispose();
        using PageLease lease = memory.Lease(0, 1);

        Assert.Equal(
            [
                FarPageState.Resident | FarPageState.Dirty | FarPageState.Pinned,
                FarPageState.Device,
                FarPageState.Resident | FarPageState.Device,
                FarPageState.None,
            ],
            States(memory));
        var one = new FarPageState[1];
        memory.GetPageStates(1, one);
        Assert.Equal(FarPageState.Device, one[0]);
        memory.GetPageStates(4, []);
        Assert.Throws<ArgumentOutOfRangeException>(() => memory.GetPageStates(4, one));
        Assert.Throws<ArgumentOutOfRangeException>(() => memory.GetPageStates(-1, one));
    }

    [Fact]
    public void It_is_what_was_asked_for()
    {
        using HmmDevice device = new(new() { Faults = HmmFaultService.None });
        using FarMemory memory = FarMemory.Create(device, 10 * 65536, new() { PageSize = 65536, ResidentLimit = 2 * 65536 });

        Assert.Equal((10 * 65536, 65536, 2 * 65536), (memory.Length, memory.PageSize, memory.ResidentLimit));
        Assert.Equal((10, 65536, MemoryType.DeviceHost), (memory.Map.PageCount, memory.Map.PageSize, memory.Map.Type));
        Assert.Equal(HmmFaultService.None, memory.Faults);
        Assert.Equal(AddressOf(memory), memory.Map.Address);
        Assert.NotEqual(0, memory.DangerousGetHandle());
        Assert.Contains("far memory map", memory.ToString(), StringComparison.Ordinal);
        Assert.Contains("10 pages of 65536 bytes", memory.ToString(), StringComparison.Ordinal);
    }

    [Fact]
    public void A_terabyte_costs_nothing_until_it_is_used()
    {
        using FarMemory memory = FarMemory.Create(1L << 40);
        using PageLease lease = memory.Lease((1L << 40) - 10, 10);

        Assert.Equal(1, memory.GetStatistics().Resident);
    }

    [Fact]
    public void The_limit_can_be_changed()
    {
        using FarMemory memory = CreateWithoutFaults(8);
        Fill(memory);
        Assert.Equal((8, 8), (memory.GetStatistics().Resident, memory.GetStatistics().Limit));

        memory.ResidentLimit = 2 * Page;
        Assert.Equal((2, 2 * Page), (memory.GetStatistics().Limit, memory.ResidentLimit));
        Assert.InRange(memory.GetStatistics().Resident, 0, 2);
        Verify(memory);
        memory.ResidentLimit = 0;
        Verify(memory);
        Assert.Equal((8, 0), (memory.GetStatistics().Resident, memory.ResidentLimit));
        Assert.Throws<ArgumentOutOfRangeException>(() => memory.ResidentLimit = -Page);
        Assert.Throws<ArgumentOutOfRangeException>(() => memory.ResidentLimit = Page + 1);
    }

    [Fact]
    public void Leased_pages_stay_when_the_limit_is_lowered()
    {
        using FarMemory memory = CreateWithoutFaults(8);
        Fill(memory);
        using PageLease lease = memory.LeaseForReading(0, 4 * Page);
        memory.ResidentLimit = 2 * Page;

        Assert.Equal(4, memory.GetStatistics().Resident);
        Assert.Equal(2 * Page, memory.ResidentLimit);
        Assert.Equal(TemporaryDirectory.KnownBytes(0, 4 * Page), lease.ReadOnlySpan);
    }

    [Theory]
    [InlineData(0)]
    [InlineData(-Page)]
    [InlineData(Page + 1)]
    public void A_length_is_a_positive_multiple_of_the_page_size(long length) =>
        Assert.Equal("length", Assert.Throws<ArgumentOutOfRangeException>(() => FarMemory.Create(length)).ParamName);

    public static TheoryData<FarMemoryOptions> BadOptions =>
    [
        new FarMemoryOptions { PageSize = 4095 },
        new FarMemoryOptions { PageSize = 2048 },
        new FarMemoryOptions { Store = null! },
        new FarMemoryOptions { ResidentLimit = -1 },
        new FarMemoryOptions { ResidentLimit = 100 },
        new FarMemoryOptions { OnError = (FarMemoryError)2 },
        new FarMemoryOptions { EventCapacity = 0 },
        new FarMemoryOptions { EventCapacity = (1 << 20) + 1 },
        new FarMemoryOptions { DisposeTimeout = TimeSpan.FromSeconds(-5) },
        new FarMemoryOptions { PageSize = 128 << 20, Store = FarStore.Lz4 },
    ];

    [Theory]
    [MemberData(nameof(BadOptions))]
    public void Options_are_checked(FarMemoryOptions options) =>
        Assert.ThrowsAny<ArgumentException>(() => FarMemory.Create(256 << 20, options));

    [Fact]
    public void There_is_no_address_space_for_everything() =>
        Assert.ThrowsAny<OutOfMemoryException>(() => FarMemory.Create(1L << 60, new() { Store = FarStore.Lz4 }));

    [Fact]
    public async Task Bytes_of_the_store_are_those_of_what_it_holds()
    {
        await using FarMemory memory = FarMemory.Create(64 * Page);
        using (PageLease lease = memory.Lease(0, 64 * Page))
            lease.Span.Fill(7);
        Assert.Equal(0, memory.GetStatistics().StoreBytes);
        await EvictAll(memory);

        Assert.InRange(memory.GetStatistics().StoreBytes, 1, 16 * Page);
    }
}
