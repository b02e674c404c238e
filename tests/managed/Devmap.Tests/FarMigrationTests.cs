// SPDX-License-Identifier: MIT
using Xunit;
using static Devmap.Tests.FarMemories;

namespace Devmap.Tests;

/// <summary>Eviction and prefetching, and stores that fail.</summary>
public sealed class FarMigrationTests
{
    private const int EIO = 5;
    private const int ENOSPC = 28;

    [Fact]
    public async Task What_was_prefetched_is_there()
    {
        await using FarMemory memory = Create(8);
        Fill(memory);
        await EvictAll(memory);

        Assert.Equal(new FarMigration(3, 0, 0, 0, null, null), await memory.PrefetchAsync(Page, 3 * Page));
        Assert.Equal(new FarMigration(5, 3, 0, 0, null, null), await memory.PrefetchAsync(0, 8 * Page));
        Assert.Equal((8, 8), (memory.GetStatistics().Resident, memory.GetStatistics().Copies));
        for (long offset = 0; offset < memory.Length; offset += 100)
            Assert.Equal(TemporaryDirectory.KnownByte(offset), Peek(memory, offset));
        Assert.Equal(0, memory.GetStatistics().Faults);
    }

    [Fact]
    public async Task Ranges_are_of_whole_pages()
    {
        await using FarMemory memory = CreateWithoutFaults(8);
        Fill(memory);

        Assert.Equal(2, (await memory.EvictAsync(Page - 1, 2)).Migrated);
        Assert.Equal(1, (await memory.PrefetchAsync(Page, 1)).Migrated);
        Assert.Equal(default, await memory.EvictAsync(8 * Page, 0));
        Assert.Equal(default, await memory.EvictAsync(0, 0));
        await Assert.ThrowsAsync<ArgumentOutOfRangeException>(() => memory.EvictAsync(8 * Page, 1));
        await Assert.ThrowsAsync<ArgumentOutOfRangeException>(() => memory.EvictAsync(-1, 1));
        await Assert.ThrowsAsync<ArgumentOutOfRangeException>(() => memory.PrefetchAsync(0, -1));
        await Assert.ThrowsAsync<ArgumentOutOfRangeException>(() => memory.PrefetchAsync(1, long.MaxValue));
    }

    [Fact]
    public async Task Holes_have_nothing_to_migrate()
    {
        await using FarMemory memory = CreateWithoutFaults(8);

        Assert.Equal(new FarMigration(0, 8, 0, 0, null, null), await EvictAll(memory));
        Assert.Equal(new FarMigration(0, 8, 0, 0, null, null), await memory.PrefetchAsync(0, memory.Length));
    }

    [Fact]
    public async Task Prefetching_makes_room_as_far_as_it_can()
    {
        await using FarMemory memory = CreateWithoutFaults(8, residentPages: 4);
        Fill(memory);
        await EvictAll(memory);
        using PageLease lease = memory.LeaseForReading(0, 4 * Page);

        Assert.Equal(new FarMigration(0, 4, 4, 0, null, null), await memory.PrefetchAsync(0, memory.Length));
        Assert.Equal(4, memory.GetStatistics().Resident);
    }

    [Fact]
    public async Task Batches_add_up()
    {
        const int pages = 3000;
        await using FarMemory memory = CreateWithoutFaults(pages);
        Fill(memory);
        using PageLease first = memory.Lease(0, 1);
        using PageLease last = memory.Lease(memory.Length - 1, 1);

        Assert.Equal(new FarMigration(pages - 2, 0, 2, 0, null, null), await EvictAll(memory));
        Assert.Equal(new FarMigration(pages - 2, 2, 0, 0, null, null), await memory.PrefetchAsync(0, memory.Length));
        Verify(memory);
    }

    [Fact]
    public async Task A_cancelled_migration_moves_no_more()
    {
        using var source = new CancellationTokenSource();
        await using FarMemory memory = CreateWithoutFaults(3000);
        Fill(memory);
        var canceller = new CancellingObserver(source);
        await using FarMemory observed = FarMemory.Create(3000 * Page, new() { Store = FarStore.Plain, Observer = canceller });
        Fill(observed);

        await source.CancelAsync();
        Task<FarMigration> none = memory.EvictAsync(0, memory.Length, source.Token);
        Assert.True(none.IsCanceled);
        Assert.Equal(3000, memory.GetStatistics().Resident);

        // Cancelled while it is at it, or at the latest by its next batch: what has moved has moved.
        using var later = new CancellationTokenSource();
        canceller.Source = later;
        Task<FarMigration> some = observed.EvictAsync(0, observed.Length, later.Token);
        try
        {
            Assert.Equal(3000, (await some).Migrated);
        }
        catch (OperationCanceledException exception)
        {
            Assert.Equal(later.Token, exception.CancellationToken);
            Assert.InRange(observed.GetStatistics().OnDevice, 1, 2048);
        }

        Verify(observed);
    }

    [Fact]
    public async Task What_the_store_does_not_take_stays()
    {
        await using FarMemory memory = CreateWithoutFaults(8, store: new FailingStore());
        Fill(memory);
        FailingStore.FailWrites = ENOSPC;

        FarMigration migration = await EvictAll(memory);
        Assert.Equal((4, 0, 0, 4), (migration.Migrated, migration.Absent, migration.InUse, migration.Failed));
        Assert.Equal(ENOSPC, migration.Error!.HResult);
        Assert.NotNull(migration.FirstFailedPage);
        Assert.Equal(FarPageState.Resident | FarPageState.Dirty, States(memory)[(int)migration.FirstFailedPage.Value]);
        Assert.Equal(4, memory.GetStatistics().Failed);
        Assert.Equal(4, memory.GetStatistics().Resident);
        FailingStore.FailWrites = 0;
        Assert.Equal(4, (await EvictAll(memory)).Migrated);
        Verify(memory);
    }

    [Fact]
    public async Task What_the_store_does_not_give_back_is_asked_for_again()
    {
        await using FarMemory memory = CreateWithoutFaults(8, store: new FailingStore());
        Fill(memory);
        await EvictAll(memory);
        FailingStore.FailReads = EIO;

        Assert.Equal(EIO, Assert.Throws<IOException>(() => memory.Lease(0, 8 * Page)).HResult);
        Assert.Equal(EIO, Assert.Throws<IOException>(() => memory.TryLease(0, 8 * Page, out _)).HResult);
        Assert.Equal(EIO, Assert.Throws<IOException>(() => memory.Map.Lease(0, 8)).HResult);
        Assert.Empty(memory.Map.GetBusyPages());
        FarMigration migration = await memory.PrefetchAsync(0, memory.Length);
        Assert.Equal((4, 8), (migration.Failed, migration.Migrated + migration.Absent + migration.Failed));
        Assert.Equal(EIO, migration.Error!.HResult);
        Assert.Contains($"page {migration.FirstFailedPage} of", migration.Error.Message, StringComparison.Ordinal);
        Assert.Equal(FarPageState.Device, States(memory)[(int)migration.FirstFailedPage!.Value]);
        FailingStore.FailReads = 0;
        Verify(memory);
    }

    [Fact]
    public async Task A_page_in_use_hides_no_error()
    {
        await using FarMemory memory = CreateWithoutFaults(8, store: new FailingStore());
        Fill(memory);
        FailingStore.FailWrites = EIO;
        using PageLease lease = memory.Lease(0, 1);

        FarMigration migration = await EvictAll(memory);
        Assert.Equal(1, migration.InUse);
        Assert.NotEqual(0, migration.Failed);
        Assert.NotEqual(0, migration.FirstFailedPage);
        Assert.Equal(EIO, migration.Error!.HResult);
    }

    [Fact]
    public void A_store_that_fails_makes_no_room()
    {
        using FarMemory memory = CreateWithoutFaults(8, residentPages: 4, store: new FailingStore());
        memory.Lease(0, 4 * Page).Dispose();
        FailingStore.FailWrites = ENOSPC;

        // Each second slot fails: soon all that is in memory is what can't go.
        Assert.Equal(ENOSPC, Assert.Throws<IOException>(() =>
        {
            for (int i = 0; i < 100; i++)
                memory.Lease(i % 8 * Page, 1).Dispose();
        }).HResult);
        Assert.Equal(ENOSPC, Assert.Throws<IOException>(() => memory.ResidentLimit = Page).HResult);
        Assert.Equal(Page, memory.ResidentLimit);
        FailingStore.FailWrites = 0;
        memory.ResidentLimit = Page;
        Assert.InRange(memory.GetStatistics().Resident, 0, 1);
    }

    [Fact]
    public void A_disposed_memory_closes_its_store()
    {
        FarMemory memory = CreateWithoutFaults(8, store: new FailingStore());
        Fill(memory);
        memory.ResidentLimit = Page;
        Assert.NotEqual(0, memory.GetStatistics().StoreBytes);
        Assert.False(FailingStore.IsClosed);
        memory.Dispose();

        Assert.True(FailingStore.IsClosed);
    }

    private sealed class CancellingObserver(CancellationTokenSource source) : FarMemoryObserver
    {
        public CancellationTokenSource Source { get; set; } = source;

        protected internal override void OnMigrated(in FarMigrationEvent migration) => Source.Cancel();
    }
}
