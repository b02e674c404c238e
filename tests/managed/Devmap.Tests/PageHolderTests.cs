// SPDX-License-Identifier: MIT
using System.Diagnostics;
using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;
using System.Text.Json;
using Devmap.Native;
using Xunit;

namespace Devmap.Tests;

/// <summary>Who holds a page: which thread, since when, from where, as a lease or by native code.</summary>
public sealed partial class PageHolderTests : IDisposable
{
    private const int Page = 4096;

    private readonly LevelSetting _level = new(DiagnosticLevel.Full);
    private readonly TemporaryDirectory _directory = new();
    private readonly DevicePageMap _map = DevicePageMap.Create(new() { PageCount = 16, DisposeTimeout = TimeSpan.Zero });

    public void Dispose()
    {
        _map.Dispose();
        _directory.Dispose();
        _level.Dispose();
    }

    [Fact]
    public void A_lease_is_known_by_thread_time_and_stack()
    {
        DateTimeOffset before = DateTimeOffset.Now - TimeSpan.FromMilliseconds(1);
        using PageLease lease = TakeHere(3);
        PageHolder holder = HolderOf(3);

        Assert.Equal(3, holder.PageIndex);
        Assert.Same(_map, holder.Map);
        Assert.True(holder.IsLease);
        Assert.True(holder.IsActivation);
        Assert.Equal(1, holder.References);
        Assert.Equal(GetThreadId(), holder.ThreadId);
        Assert.NotEmpty(holder.ThreadName);
        Assert.InRange(holder.Age, TimeSpan.Zero, DateTimeOffset.Now - before);
        Assert.InRange(holder.TakenAt, before, DateTimeOffset.Now);
        Assert.Null(holder.Activity);
        Assert.Contains(nameof(TakeHere), holder.Stack, StringComparison.Ordinal);
        Assert.Contains(nameof(A_lease_is_known_by_thread_time_and_stack), holder.Stack, StringComparison.Ordinal);
        Assert.StartsWith("at Devmap.DevicePageMap.Lease", holder.Stack!.TrimStart(), StringComparison.Ordinal);
    }

    [Fact]
    public void Leases_from_different_places_have_stacks_of_their_own()
    {
        using PageLease first = TakeHere(3);
        using PageLease second = TakeThere(4);

        Assert.Contains(nameof(TakeHere), HolderOf(3).Stack, StringComparison.Ordinal);
        Assert.DoesNotContain(nameof(TakeThere), HolderOf(3).Stack, StringComparison.Ordinal);
        Assert.Contains(nameof(TakeThere), HolderOf(4).Stack, StringComparison.Ordinal);
        Assert.DoesNotContain(nameof(TakeHere), HolderOf(4).Stack, StringComparison.Ordinal);
    }

    /// <summary>A stack is known by its innermost frames: what lies beyond those is not told, as it may be another caller's.</summary>
    [Fact]
    public void Leases_from_deep_below_different_callers_are_not_put_down_to_one_of_them()
    {
        for (int depth = 16; depth < 40; depth++)
        {
            using PageLease first = FromHere(depth);
            using PageLease second = FromThere(depth);

            Assert.DoesNotContain(nameof(FromHere), HolderOf(4).Stack, StringComparison.Ordinal);
            Assert.DoesNotContain(nameof(FromThere), HolderOf(3).Stack, StringComparison.Ordinal);
            Assert.Contains(nameof(Descend), HolderOf(3).Stack, StringComparison.Ordinal);
            Assert.Contains(nameof(Descend), HolderOf(4).Stack, StringComparison.Ordinal);
        }
    }

    [Fact]
    public void A_lease_by_another_thread_is_known_by_its_name()
    {
        PageLease? lease = null;
        int id = 0;
        var thread = new Thread(() =>
        {
            id = GetThreadId();
            lease = TakeHere(3);
        })
        { Name = "the holder" };
        thread.Start();
        thread.Join();
        PageHolder holder = HolderOf(3);
        lease!.Dispose();

        Assert.Equal(id, holder.ThreadId);
        Assert.Equal("the holder", holder.ThreadName);
        Assert.Empty(_map.GetBusyPages());
    }

    [Fact]
    public void Shares_are_holders_of_their_own_and_end_each_for_itself()
    {
        PageLease lease = TakeHere(3);
        PageLease share = ShareThere(lease);

        IReadOnlyList<PageHolder> both = Assert.Single(_map.GetBusyPages()).Holders;
        Assert.Equal([true, false], both.Select(holder => holder.IsActivation));
        Assert.Contains(nameof(ShareThere), both[1].Stack, StringComparison.Ordinal);

        // By another thread, which took neither.
        var thread = new Thread(lease.Dispose);
        thread.Start();
        thread.Join();
        Assert.Contains(nameof(ShareThere), HolderOf(3).Stack, StringComparison.Ordinal);
        share.Dispose();
        Assert.Empty(_map.GetBusyPages());
        Assert.Empty(Read(_map));
    }

    [Fact]
    public void A_disposed_lease_that_is_pinned_is_still_a_holder()
    {
        PageLease lease = TakeHere(3);
        System.Buffers.MemoryHandle pin = lease.Pin();
        lease.Dispose();
        lease.Dispose();
        Assert.Contains(nameof(TakeHere), HolderOf(3).Stack, StringComparison.Ordinal);
        pin.Dispose();

        Assert.Empty(_map.GetBusyPages());
    }

    [Fact]
    public void Each_page_of_a_lease_has_its_holder()
    {
        using PageLease lease = _map.Lease(2, 5);
        using PageLease other = _map.Lease(4);

        Assert.Equal([1, 1, 2, 1, 1], _map.GetBusyPages().Select(page => page.Holders.Count));
        Assert.All(_map.GetBusyPages(), page => Assert.All(page.Holders, holder => Assert.Equal(page.Index, holder.PageIndex)));
        lease.Dispose();
        Assert.Equal(4, Assert.Single(_map.GetBusyPages()).Index);
        Assert.Single(Read(_map));
    }

    [Fact]
    public void The_activity_that_a_lease_was_taken_in_is_known()
    {
        using var activity = new Activity("truncating");
        activity.Start();
        using PageLease lease = TakeHere(3);
        activity.Stop();

        Assert.Equal($"truncating {activity.Id}", HolderOf(3).Activity);
        using PageLease other = TakeHere(4);
        Assert.Null(HolderOf(4).Activity);
    }

    [Fact]
    public void A_reference_of_native_code_is_known_by_its_native_stack()
    {
        NativeReferences.Take(_map[3]);
        PageHolder holder = HolderOf(3);
        NativeReferences.Put(_map[3]);

        Assert.False(holder.IsLease);
        Assert.Equal(GetThreadId(), holder.ThreadId);
        Assert.Contains("at ", holder.Stack, StringComparison.Ordinal);
        Assert.Empty(_map.GetBusyPages());
        Assert.Empty(Read(_map));
    }

    [Fact]
    public void References_that_native_code_puts_are_not_those_of_leases()
    {
        using PageLease lease = TakeHere(3);
        NativeReferences.Take(_map[3], 3);
        NativeReferences.Put(_map[3]);
        NativeReferences.Put(_map[3]);
        NativeReferences.Put(_map[3]);

        Assert.True(HolderOf(3).IsLease);
        Assert.Equal(2, _map[3].Count);
    }

    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public void Leases_of_files_are_known(bool write)
    {
        using DaxFile file = DaxFile.Open(_directory.KnownFile(4 * Page), new() { Access = FileAccess.ReadWrite, DisposeTimeout = TimeSpan.Zero });
        using (write ? file.LeaseForWriting(10, 5000) : file.Lease(10, 5000))
        {
            Assert.Equal([0L, 1L], file.Map.GetBusyPages().Select(page => page.Index));
            Assert.All(file.Map.GetBusyPages(), page => Assert.Contains(nameof(Leases_of_files_are_known), Assert.Single(page.Holders).Stack, StringComparison.Ordinal));
            Assert.True(file.TryLease(0, 1, out PageLease? lease));
            Assert.Equal(2, file.Map.GetBusyPages()[0].Holders.Count);
            lease.Dispose();
        }

        Assert.Empty(file.Map.GetBusyPages());
        Assert.Empty(Read(file.Map));
    }

    [Fact]
    public void Leases_of_far_memory_are_known()
    {
        using FarMemory memory = FarMemory.Create(8 * Page, new() { DisposeTimeout = TimeSpan.Zero });
        for (int round = 0; round < 2; round++)
        {
            // The second time the pages are there.
            using PageLease first = memory.Lease(0, 1);
            using PageLease second = memory.LeaseForReading(Page, 1);
            using PageLease<long> third = memory.Lease<long>(2 * Page / sizeof(long), 1);
            using PageLease<long> fourth = third.Share();
            Assert.True(memory.TryLease(3 * Page, 1, out PageLease? fifth));
            using PageLease sixth = memory.Map.Lease(4);
            Assert.Equal([1, 1, 2, 1, 1], memory.Map.GetBusyPages().Select(page => page.Holders.Count));
            Assert.All(
                memory.Map.GetBusyPages().SelectMany(page => page.Holders),
                holder => Assert.Contains(nameof(Leases_of_far_memory_are_known), holder.Stack, StringComparison.Ordinal));
            fifth.Dispose();
        }

        Assert.Empty(memory.Map.GetBusyPages());
        Assert.Empty(Read(memory.Map));
    }

    [Fact]
    public void A_lease_in_a_callback_is_known()
    {
        PageLease? taken = null;
        using DevicePageMap map = DevicePageMap.Create(new()
        {
            Type = MemoryType.DevicePublic,
            PageCount = 4,
            Driver = new CallingDriver(page => taken ??= page.Lease()),
            DisposeTimeout = TimeSpan.Zero,
        });
        map.Lease(1).Dispose();

        PageHolder holder = Assert.Single(Assert.Single(map.GetBusyPages()).Holders);
        Assert.True(holder.IsLease);
        Assert.Contains(nameof(A_lease_in_a_callback_is_known), holder.Stack, StringComparison.Ordinal);
        taken!.Dispose();
        Assert.Empty(map.GetBusyPages());
    }

    [Fact]
    public void A_lease_that_is_followed_is_never_used_again()
    {
        using DevicePageMap map = DevicePageMap.Create(new() { PageCount = 4, DisposeTimeout = TimeSpan.Zero, ReuseLeases = true });
        map.DiagnosticLevel = DiagnosticLevel.Full;
        PageLease first = map.Lease(1);
        first.Dispose();
        using PageLease second = map.Lease(1);

        Assert.NotSame(first, second);
        first.Dispose();
        Assert.Single(Assert.Single(map.GetBusyPages()).Holders);
        Assert.Throws<ObjectDisposedException>(() => first.Map);
    }

    [Fact]
    public void A_history_tells_what_happened_oldest_first()
    {
        using PageLease lease = _map.Lease(3);
        lease.Share().Dispose();
        IReadOnlyList<PageEvent> history = Assert.Single(_map.GetBusyPages()).History;

        Assert.InRange(history.Count, 3, 16);
        Assert.Equal(PageEvent.Activated, history[0]);
        Assert.Equal(PageEvent.Dropped, history[^1]);
        Assert.True(history.ToList().IndexOf(PageEvent.Shared) > history.ToList().IndexOf(PageEvent.Owned));
    }

    [Theory]
    [InlineData(0x0, new PageEvent[0])]
    [InlineData(0x1, new[] { PageEvent.Activated })]
    [InlineData(0x1a23, new[] { PageEvent.Activated, PageEvent.Owned, PageEvent.Shared, PageEvent.Dropped })]
    [InlineData(0x1451a23, new[] { PageEvent.Activated, PageEvent.Idle, PageEvent.Freed, PageEvent.Activated, PageEvent.Owned, PageEvent.Shared, PageEvent.Dropped })]
    public void A_history_is_read_from_the_highest_bits_down(ulong history, PageEvent[] events) => Assert.Equal(events, PageHolders.ToEvents(history));

    [Fact]
    public void Holders_are_read_of_a_map_or_of_all()
    {
        using DevicePageMap other = DevicePageMap.Create(new() { PageCount = 4, DisposeTimeout = TimeSpan.Zero });
        using PageLease first = _map.Lease(2, 3);
        using PageLease second = other.Lease(1);

        Assert.Equal([2L, 3L, 4L], Read(_map).Select(found => found.Holder.PageIndex).Order());
        Assert.Equal(1, Assert.Single(Read(other)).Holder.PageIndex);
        Assert.Equal(2, PageHolders.Read(_map.DangerousGetHandle(), 0, 16, TimeSpan.Zero, limit: 2).Count);
        Assert.Equal(3, Assert.Single(PageHolders.Read(_map.DangerousGetHandle(), 3, 1, TimeSpan.Zero, int.MaxValue)).Holder.PageIndex);
        Assert.Empty(PageHolders.Read(_map.DangerousGetHandle(), 0, 16, TimeSpan.FromDays(1), int.MaxValue));
        List<(nint Map, PageHolder Holder)> all = PageHolders.Read(0, 0, long.MaxValue, TimeSpan.Zero, int.MaxValue);
        Assert.Equal(3, all.Count(found => found.Map == _map.DangerousGetHandle() && found.Holder.Map == _map));
        Assert.Equal(1, all.Count(found => found.Map == other.DangerousGetHandle() && found.Holder.Map == other));
    }

    [Fact]
    public void A_holder_is_serialised_without_its_map()
    {
        using PageLease lease = TakeHere(3);
        PageHolder holder = HolderOf(3);
        PageHolder? read = JsonSerializer.Deserialize<PageHolder>(JsonSerializer.Serialize(holder));

        Assert.Equal(holder with { Map = null }, read);
    }

    [Fact]
    public void A_holder_says_what_it_knows()
    {
        using PageLease lease = TakeHere(3);
        string[] lines = HolderOf(3).ToString().Split('\n');

        Assert.StartsWith($"page 3: a lease on thread {GetThreadId()} (", lines[0], StringComparison.Ordinal);
        Assert.Contains(lines, line => line.Contains(nameof(TakeHere), StringComparison.Ordinal));
    }

    [LibraryImport("libc", EntryPoint = "gettid")]
    private static partial int GetThreadId();

    private static List<(nint Map, PageHolder Holder)> Read(DevicePageMap map) =>
        PageHolders.Read(map.DangerousGetHandle(), 0, map.PageCount, TimeSpan.Zero, int.MaxValue);

    private PageHolder HolderOf(long page) => Assert.Single(_map.GetBusyPages().Single(busy => busy.Index == page).Holders);

    [MethodImpl(MethodImplOptions.NoInlining)]
    private PageLease TakeHere(long page) => _map.Lease(page);

    [MethodImpl(MethodImplOptions.NoInlining | MethodImplOptions.NoOptimization)]
    private PageLease FromHere(int depth) => Descend(3, depth);

    [MethodImpl(MethodImplOptions.NoInlining | MethodImplOptions.NoOptimization)]
    private PageLease FromThere(int depth) => Descend(4, depth);

    [MethodImpl(MethodImplOptions.NoInlining | MethodImplOptions.NoOptimization)]
    private PageLease Descend(long page, int depth) => depth == 0 ? _map.Lease(page) : Descend(page, depth - 1);

    [MethodImpl(MethodImplOptions.NoInlining)]
    private PageLease TakeThere(long page) => _map.Lease(page);

    [MethodImpl(MethodImplOptions.NoInlining)]
    private static PageLease ShareThere(PageLease lease) => lease.Share();
}
