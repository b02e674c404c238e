// SPDX-License-Identifier: MIT
using System.Globalization;
using System.Runtime.InteropServices;
using Xunit;

namespace Devmap.Tests;

/// <summary>Creating maps, and finding pages in them.</summary>
public sealed unsafe class DevicePageMapTests
{
    private static readonly PageDriver s_driver = new CallingDriver(_ => { });

    /// <summary>Options that cannot stand, with the exception and a part of what it says.</summary>
    public static TheoryData<string, Type, string> BadOptions => new()
    {
        { "no pages", typeof(ArgumentOutOfRangeException), "PageCount" },
        { "fewer than no pages", typeof(ArgumentOutOfRangeException), "PageCount" },
        { "a page size of 0", typeof(ArgumentOutOfRangeException), "power of two" },
        { "a negative page size", typeof(ArgumentOutOfRangeException), "power of two" },
        { "a page size that is too small", typeof(ArgumentOutOfRangeException), "power of two" },
        { "a page size that is no power of two", typeof(ArgumentOutOfRangeException), "power of two" },
        { "more bytes than there are numbers", typeof(ArgumentOutOfRangeException), "overflows" },
        { "more bytes than there are addresses", typeof(InsufficientMemoryException), "address space" },
        { "a range past the last address", typeof(ArgumentException), "address space" },
        { "a misaligned address", typeof(ArgumentException), "0x10800 is not a multiple of PageSize 4096" },
        { "an address misaligned for its page size", typeof(ArgumentException), "is not a multiple of PageSize 65536" },
        { "an unknown type", typeof(ArgumentOutOfRangeException), "no memory type" },
        { "a file's type", typeof(ArgumentException), "DaxFile.Open" },
        { "private memory without a driver", typeof(ArgumentException), "needs a Driver" },
        { "public memory without a driver", typeof(ArgumentException), "needs a Driver" },
        { "host memory with a driver", typeof(ArgumentException), "takes no Driver" },
        { "a negative timeout", typeof(ArgumentOutOfRangeException), "DisposeTimeout" },
    };

    [Fact]
    public void A_map_is_what_was_asked_for()
    {
        using DevicePageMap map = DevicePageMap.Create(new() { Type = MemoryType.DevicePublic, PageCount = 10, PageSize = 65536, Driver = s_driver });

        Assert.Equal(MemoryType.DevicePublic, map.Type);
        Assert.Equal(10, map.PageCount);
        Assert.Equal(65536, map.PageSize);
        Assert.Same(s_driver, map.Driver);
        Assert.False(map.IsDisposed);
        Assert.Equal(0, map.Address % 65536);
        Assert.NotEqual(0, map.Address);
        Assert.Contains("10 pages of 65536 bytes", map.ToString(), StringComparison.Ordinal);
    }

    [Fact]
    public void A_map_has_host_memory_in_small_pages_unless_told_otherwise()
    {
        using DevicePageMap map = DevicePageMap.Create(new() { PageCount = 1 });

        Assert.Equal(MemoryType.DeviceHost, map.Type);
        Assert.Equal(4096, map.PageSize);
        Assert.Null(map.Driver);
    }

    [Theory]
    [InlineData(4096)]
    [InlineData(1 << 21)]
    [InlineData(1 << 30)]
    public void Pages_have_any_power_of_two_from_4_KiB_to_1_GiB(int pageSize)
    {
        using DevicePageMap map = DevicePageMap.Create(new() { PageCount = 3, PageSize = pageSize });
        using PageLease lease = map.Lease(1);

        Assert.Equal(0, map.Address % pageSize);
        Assert.Equal(pageSize, lease.Length);
        Assert.Equal(map.Address + pageSize, map[1].Address);
        lease.Span[^1] = 1;
    }

    [Theory]
    [MemberData(nameof(BadOptions))]
    public void Options_that_cannot_stand_are_refused_with_the_reason(string what, Type exception, string reason)
    {
        Exception? thrown = Record.Exception(() => DevicePageMap.Create(Bad(what)));

        Assert.IsType(exception, thrown);
        Assert.Contains(reason, thrown.Message, StringComparison.Ordinal);
    }

    [Fact]
    public void Options_are_not_null() => Assert.Throws<ArgumentNullException>(() => DevicePageMap.Create(null!));

    [Fact]
    public void Refused_options_leave_nothing_behind()
    {
        DevmapStatistics before = DevmapDiagnostics.ReadStatistics();

        foreach (object[] row in BadOptions)
            Assert.ThrowsAny<Exception>(() => DevicePageMap.Create(Bad((string)row[0])));

        DevmapStatistics after = DevmapDiagnostics.ReadStatistics();
        Assert.Equal(before.PageMaps, after.PageMaps);
        Assert.Equal(before.GateHolders, after.GateHolders);
    }

    [Fact]
    public void Reserved_memory_is_zero_filled_and_writable()
    {
        using DevicePageMap map = DevicePageMap.Create(new() { PageCount = 4 });
        using PageLease lease = map.Lease(0, 4);

        Assert.Equal(-1, lease.Span.IndexOfAnyExcept((byte)0));
        lease.Span.Fill(7);
        Assert.Equal(-1, lease.Span.IndexOfAnyExcept((byte)7));
    }

    [Fact]
    public void Disposed_maps_do_not_use_the_address_space_up()
    {
        // Each leaves 16 GiB of addresses to its finalizer: together more than a process has.
        for (int i = 0; i < 10_000; i++)
            DevicePageMap.Create(new() { PageCount = (1L << 40) / 4096 }).Dispose();
    }

    [Fact]
    public void A_terabyte_is_created_and_used_at_the_cost_of_what_is_used()
    {
        const long pages = (1L << 40) / 4096;
        long before = ResidentPages();
        using DevicePageMap map = DevicePageMap.Create(new() { Type = MemoryType.DevicePublic, PageCount = pages, Driver = s_driver });
        using (PageLease last = map.Lease(pages - 1))
        {
            last.Span.Fill(1);
            Assert.Equal([new BusyPage(pages - 1, 2)], map.GetBusyPages());
        }

        Assert.Empty(map.GetBusyPages());
        // All of the metadata would be 16 GiB.
        Assert.InRange(ResidentPages() - before, -16384, 16384);
    }

    [Fact]
    public void A_callers_memory_is_used_in_place_and_stays_the_callers()
    {
        byte* memory = (byte*)NativeMemory.AlignedAlloc(4 * 4096, 4096);
        new Span<byte>(memory, 4 * 4096).Fill(5);
        using (DevicePageMap map = DevicePageMap.Create(new() { Address = (nint)memory, PageCount = 4 }))
        {
            Assert.Equal((nint)memory, map.Address);
            using PageLease lease = map.Lease(2);
            Assert.Equal(-1, lease.Span.IndexOfAnyExcept((byte)5));
            lease.Span[0] = 6;
        }

        Assert.Equal(6, memory[2 * 4096]);
        NativeMemory.AlignedFree(memory);
    }

    [Theory]
    [InlineData(0, 4)]
    [InlineData(3, 1)]
    [InlineData(-2, 3)]
    [InlineData(-1, 6)]
    [InlineData(1, 1)]
    public void A_range_that_overlaps_another_map_is_refused(int offset, int pages)
    {
        using DevicePageMap reserved = DevicePageMap.Create(new() { PageCount = 8 });
        using DevicePageMap other = DevicePageMap.Create(new() { PageCount = 4 });

        var thrown = Assert.Throws<InvalidOperationException>(() =>
            DevicePageMap.Create(new() { Address = other.Address + (offset * 4096), PageCount = pages }));

        Assert.Contains("overlaps another map", thrown.Message, StringComparison.Ordinal);
    }

    [Fact]
    public void A_range_is_free_again_when_its_map_is_disposed()
    {
        void* memory = NativeMemory.AlignedAlloc(4096, 4096);

        for (int i = 0; i < 3; i++)
            DevicePageMap.Create(new() { Address = (nint)memory, PageCount = 1 }).Dispose();

        NativeMemory.AlignedFree(memory);
    }

    [Fact]
    public void Private_memory_is_leased_but_not_addressed()
    {
        var driver = new CountingDriver();
        using DevicePageMap map = DevicePageMap.Create(new() { Type = MemoryType.DevicePrivate, PageCount = 4, Driver = driver });
        using (PageLease lease = map.Lease(1, 2))
        {
            Assert.Equal(8192, lease.Length);
            Assert.All(
                [
                    () => _ = lease.Span.Length,
                    () => _ = lease.ReadOnlySpan.Length,
                    () => _ = lease.Memory,
                    () => _ = lease.ReadOnlyMemory,
                    () => _ = map[1].DangerousGetSpan().Length,
                    () => _ = map[1].DangerousGetReadOnlySpan().Length,
                ],
                (Action read) => Assert.Contains("private to its device", Assert.Throws<InvalidOperationException>(read).Message, StringComparison.Ordinal));
        }

        Assert.Equal(2, driver.Total);
    }

    [Fact]
    public void A_page_is_found_by_its_index()
    {
        using DevicePageMap map = DevicePageMap.Create(new() { PageCount = 4 });
        DevicePage page = map[3];

        Assert.Same(map, page.Map);
        Assert.Equal(3, page.Index);
        Assert.Equal(map.Address + (3 * 4096), page.Address);
        Assert.True(page.IsIdle);
        Assert.Equal($"page 3 of {map}", page.ToString());
    }

    [Theory]
    [InlineData(-1)]
    [InlineData(4)]
    [InlineData(long.MinValue)]
    [InlineData(long.MaxValue)]
    public void An_index_outside_the_map_is_refused(long index)
    {
        using DevicePageMap map = DevicePageMap.Create(new() { PageCount = 4 });

        Assert.Throws<ArgumentOutOfRangeException>(() => map[index]);
    }

    [Fact]
    public void A_page_is_found_by_any_address_in_it()
    {
        using DevicePageMap map = DevicePageMap.Create(new() { PageCount = 4 });

        Assert.True(map.TryGetPage(map.Address, out DevicePage first));
        Assert.Equal(map[0], first);
        Assert.True(map.TryGetPage(map.Address + 4095, out first));
        Assert.Equal(map[0], first);
        Assert.True(map.TryGetPage(map.Address + (4 * 4096) - 1, out DevicePage last));
        Assert.Equal(map[3], last);
    }

    [Fact]
    public void No_page_is_found_by_an_address_outside_the_map()
    {
        using DevicePageMap map = DevicePageMap.Create(new() { PageCount = 4 });

        Assert.All([map.Address - 1, map.Address + (4 * 4096), 0, nint.MinValue, -1], address =>
        {
            Assert.False(map.TryGetPage(address, out DevicePage page));
            Assert.Equal(default, page);
        });
    }

    [Fact]
    public void Pages_are_equal_when_they_are_the_same_page_of_the_same_map()
    {
        using DevicePageMap map = DevicePageMap.Create(new() { PageCount = 4 });
        using DevicePageMap other = DevicePageMap.Create(new() { PageCount = 4 });

        Assert.True(map[1] == map[1]);
        Assert.True(map[1].Equals((object)map[1]));
        Assert.Equal(map[1].GetHashCode(), map[1].GetHashCode());
        Assert.True(map[1] != map[2]);
        Assert.True(map[1] != other[1]);
        Assert.False(map[1].Equals("page 1"));
    }

    [Fact]
    public void The_default_page_is_no_page()
    {
        Assert.Throws<InvalidOperationException>(() => default(DevicePage).Map);
        Assert.Throws<InvalidOperationException>(() => default(DevicePage).Count);
        Assert.Throws<InvalidOperationException>(() => default(DevicePage).DriverData);
        Assert.Equal("no page", default(DevicePage).ToString());
    }

    [Fact]
    public void A_page_keeps_a_word_for_its_driver()
    {
        using DevicePageMap map = DevicePageMap.Create(new() { PageCount = 4 });
        DevicePage page = map[2];

        Assert.Equal(0, page.DriverData);
        page.DriverData = long.MinValue;
        map.Lease(2).Dispose();
        Assert.Equal(long.MinValue, map[2].DriverData);
        Assert.Equal(0, map[1].DriverData);
    }

    [Fact]
    public void Pages_in_use_are_listed_in_order_with_their_counts()
    {
        using DevicePageMap map = DevicePageMap.Create(new() { PageCount = 1000 });
        using PageLease tail = map.Lease(998, 2);
        using PageLease head = map.Lease(3);
        using PageLease share = head.Share();

        Assert.Equal([new BusyPage(3, 3), new BusyPage(998, 2), new BusyPage(999, 2)], map.GetBusyPages());
        Assert.Equal([new BusyPage(3, 3)], map.GetBusyPages(limit: 1));
        Assert.Empty(map.GetBusyPages(limit: 0));
        Assert.Equal(3, map.GetBusyPages(limit: int.MaxValue).Count);
        Assert.Throws<ArgumentOutOfRangeException>(() => map.GetBusyPages(-1));
    }

    [Theory]
    [InlineData(-1, 1)]
    [InlineData(0, 0)]
    [InlineData(0, -1)]
    [InlineData(0, 5)]
    [InlineData(4, 1)]
    [InlineData(3, 2)]
    [InlineData(long.MaxValue, 1)]
    [InlineData(1, long.MaxValue)]
    public void A_lease_outside_the_map_is_refused(long firstPage, long pageCount)
    {
        using DevicePageMap map = DevicePageMap.Create(new() { PageCount = 4 });

        Assert.Throws<ArgumentOutOfRangeException>(() => map.Lease(firstPage, pageCount));
        Assert.Throws<ArgumentOutOfRangeException>(() => map.TryLease(firstPage, pageCount, out _));
        Assert.Empty(map.GetBusyPages());
    }

    [Fact]
    public void A_page_is_leased_by_itself()
    {
        using DevicePageMap map = DevicePageMap.Create(new() { PageCount = 4 });
        using PageLease lease = map[2].Lease();

        Assert.Equal((2, 1, 4096), (lease.FirstPage, lease.PageCount, lease.Length));
        Assert.Equal(2, map[2].Count);
    }

    [Fact]
    public void A_lease_is_no_longer_than_a_span_can_be()
    {
        using DevicePageMap map = DevicePageMap.Create(new() { PageCount = 4, PageSize = 1 << 30 });

        Assert.Throws<ArgumentOutOfRangeException>(() => map.Lease(0, 2));
    }

    private static DevicePageMapOptions Bad(string what) => what switch
    {
        "no pages" => new(),
        "fewer than no pages" => new() { PageCount = -1 },
        "a page size of 0" => new() { PageCount = 1, PageSize = 0 },
        "a negative page size" => new() { PageCount = 1, PageSize = int.MinValue },
        "a page size that is too small" => new() { PageCount = 1, PageSize = 2048 },
        "a page size that is no power of two" => new() { PageCount = 1, PageSize = 12288 },
        "more bytes than there are numbers" => new() { PageCount = long.MaxValue / 4096 + 1 },
        "more bytes than there are addresses" => new() { PageCount = 1L << 50 },
        "a range past the last address" => new() { PageCount = 2, Address = -4096 },
        "a misaligned address" => new() { PageCount = 1, Address = 0x10800 },
        "an address misaligned for its page size" => new() { PageCount = 1, PageSize = 65536, Address = 0x11000 },
        "an unknown type" => new() { PageCount = 1, Type = (MemoryType)42 },
        "a file's type" => new() { PageCount = 1, Type = MemoryType.FsDax, Driver = s_driver },
        "private memory without a driver" => new() { PageCount = 1, Type = MemoryType.DevicePrivate },
        "public memory without a driver" => new() { PageCount = 1, Type = MemoryType.DevicePublic },
        "host memory with a driver" => new() { PageCount = 1, Driver = s_driver },
        "a negative timeout" => new() { PageCount = 1, DisposeTimeout = TimeSpan.FromSeconds(-2) },
        _ => throw new ArgumentOutOfRangeException(nameof(what), what, "No such options."),
    };

    /// <summary>Pages of memory that the process has.</summary>
    private static long ResidentPages() => long.Parse(File.ReadAllText("/proc/self/statm").Split(' ')[1], CultureInfo.InvariantCulture);
}
