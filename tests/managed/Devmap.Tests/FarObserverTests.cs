// SPDX-License-Identifier: MIT
using System.Collections.Concurrent;
using System.Diagnostics;
using Xunit;
using static Devmap.Tests.FarMemories;

namespace Devmap.Tests;

/// <summary>Observers: what they hear, and what they cannot break.</summary>
public sealed class FarObserverTests
{
    private const int EIO = 5;

    [Fact]
    public async Task An_observer_hears_of_migrations_before_the_dispose_ends()
    {
        var observer = new Recorder();
        long before = Stopwatch.GetTimestamp();
        FarMemory memory = Create(8, observer: observer);
        Fill(memory);
        await EvictAll(memory);
        await memory.PrefetchAsync(2 * Page, 2 * Page);
        await memory.DisposeAsync();
        long after = Stopwatch.GetTimestamp();

        Assert.Equal(8, observer.Migrations.Where(migration => migration.IsEviction).Sum(migration => migration.PageCount));
        FarMigrationEvent back = Assert.Single(observer.Migrations, migration => !migration.IsEviction);
        Assert.Equal((2, 2), (back.FirstPage, back.PageCount));
        Assert.All(observer.Migrations, migration => Assert.Null(migration.Error));
        Assert.All(observer.Migrations, migration => Assert.InRange(migration.Timestamp, before, after));
        Assert.All(observer.Migrations, migration => Assert.InRange(migration.Duration, TimeSpan.Zero, Stopwatch.GetElapsedTime(before, after)));
        Assert.Equal(["devmap observer"], observer.Threads.Distinct());
        Assert.Equal(0, observer.Lost);
    }

    [Fact]
    public async Task An_observer_hears_of_faults()
    {
        if (!ServesFaults)
            return;
        var observer = new Recorder();
        FarMemory memory = Create(8, observer: observer);
        Fill(memory);
        await EvictAll(memory);
        _ = Peek(memory, 3 * Page);
        Poke(memory, 5 * Page, 1);
        await memory.DisposeAsync();

        Assert.Equal([(3, false), (5, true)], observer.Faults.Select(fault => ((int)fault.Page, fault.IsWrite)));
        Assert.All(observer.Faults, fault => Assert.Null(fault.Error));
        Assert.All(observer.Faults, fault => Assert.True(fault.Duration > TimeSpan.Zero));
    }

    [Fact]
    public async Task An_observer_hears_of_errors()
    {
        var observer = new Recorder();
        using HmmDevice device = new(new() { Faults = HmmFaultService.None });
        FarMemory memory = FarMemory.Create(device, 2 * Page, new() { Store = new FailingStore(), Observer = observer });
        Fill(memory);
        FailingStore.FailWrites = EIO;
        FarMigration migration = await EvictAll(memory);
        await memory.DisposeAsync();

        FarMigrationEvent error = Assert.Single(observer.Migrations, migration => migration.Error is not null);
        Assert.Equal(migration.FirstFailedPage, error.FirstPage);
        Assert.Equal((true, 1, EIO), (error.IsEviction, error.PageCount, error.Error!.HResult));
    }

    [Fact]
    public async Task A_throwing_observer_is_counted_and_survived()
    {
        using var log = new FaultLog();
        FarMemory memory = Create(8, observer: new Thrower());
        Fill(memory);
        await EvictAll(memory);
        Verify(memory);
        await memory.DisposeAsync();

        Assert.NotEmpty(log.Faults);
        Assert.All(log.Faults, fault => Assert.Equal(DevmapFaultKind.Driver, fault.Kind));
        Assert.All(log.Faults, fault => Assert.Equal("The observer threw System.NotSupportedException: no", fault.Message));
        Assert.All(log.Faults, fault => Assert.IsType<NotSupportedException>(fault.Exception));
    }

    [Fact]
    public async Task An_observer_that_does_not_come_after_hears_what_it_lost()
    {
        using var block = new ManualResetEventSlim();
        var observer = new Recorder { Block = block };
        FarMemory memory = FarMemory.Create(64 * Page, new() { Store = FarStore.Plain, Observer = observer, EventCapacity = 4 });
        Fill(memory);
        for (int i = 0; i < 64; i++)
            await memory.EvictAsync(i * Page, 1);
        block.Set();
        await memory.DisposeAsync();

        // Those that it took with the first one, which it stayed at, are at most what there was room for.
        Assert.InRange(observer.Lost, 64 - 4 - 4, 64 - 4 - 1);
        Assert.Equal(64 - observer.Lost, observer.Migrations.Count);
        Assert.Equal(63, observer.Migrations.Last().FirstPage);
    }

    [Fact]
    public async Task An_observer_uses_the_memory_but_does_not_dispose_it()
    {
        var observer = new Disposer();
        FarMemory memory = Create(8, residentPages: 4, observer: observer);
        observer.Memory = memory;
        Fill(memory);
        await EvictAll(memory);
        while (!observer.IsDone)
            await Task.Delay(1);
        await memory.DisposeAsync();

        Assert.IsType<InvalidOperationException>(observer.Sync);
        Assert.IsType<InvalidOperationException>(observer.Async);
        Assert.Equal(TemporaryDirectory.KnownByte(0), observer.Byte);
    }

    [Fact]
    public async Task An_observer_leases_while_the_memory_is_disposed_and_after()
    {
        var observer = new Leaser();
        FarMemory memory = Create(64, observer: observer);
        observer.Memory = memory;
        Fill(memory);
        for (int i = 0; i < 64; i++)
            await memory.EvictAsync(i * Page, 1);
        Task disposal = Task.Run(memory.Dispose);
        while (!memory.Map.IsDisposed)
            await Task.Delay(1);
        observer.Block.Set();
        await disposal;

        Assert.Equal(64, observer.Refused + observer.Wrong + observer.Read);
        Assert.Equal(0, observer.Wrong);
        Assert.InRange(observer.Refused, 63, 64);
    }

    [Fact]
    public async Task An_asynchronous_disposal_does_not_block_while_the_observer_is_waited_for()
    {
        using var block = new ManualResetEventSlim();
        var observer = new Recorder { Block = block };
        FarMemory memory = Create(8, observer: observer, timeout: TimeSpan.Zero);
        Fill(memory);
        await EvictAll(memory);
        Task disposal = memory.DisposeAsync().AsTask();
        while (!memory.Map.IsDisposed)
            await Task.Delay(1);

        Assert.False(disposal.IsCompleted);
        block.Set();
        await disposal;
        Assert.NotEmpty(observer.Migrations);
        await memory.DisposeAsync();
    }

    private sealed class Recorder : FarMemoryObserver
    {
        public ConcurrentQueue<FarFault> Faults { get; } = new();

        public ConcurrentQueue<FarMigrationEvent> Migrations { get; } = new();

        public ConcurrentQueue<string?> Threads { get; } = new();

        public long Lost { get; private set; }

        public ManualResetEventSlim? Block { get; init; }

        protected internal override void OnFault(in FarFault fault) => Faults.Enqueue(fault);

        protected internal override void OnMigrated(in FarMigrationEvent migration)
        {
            Block?.Wait();
            Threads.Enqueue(Thread.CurrentThread.Name);
            Migrations.Enqueue(migration);
        }

        protected internal override void OnLost(long events) => Lost += events;
    }

    private sealed class Thrower : FarMemoryObserver
    {
        protected internal override void OnMigrated(in FarMigrationEvent migration) => throw new NotSupportedException("no");
    }

    private sealed class Leaser : FarMemoryObserver
    {
        public ManualResetEventSlim Block { get; } = new();

        public FarMemory? Memory { get; set; }

        public int Read { get; private set; }

        public int Wrong { get; private set; }

        public int Refused { get; private set; }

        protected internal override void OnMigrated(in FarMigrationEvent migration)
        {
            Block.Wait();
            try
            {
                long offset = migration.FirstPage * Page;
                using PageLease lease = Memory!.LeaseForReading(offset, 1);
                if (lease.ReadOnlySpan[0] == TemporaryDirectory.KnownByte(offset))
                    Read++;
                else
                    Wrong++;
            }
            catch (ObjectDisposedException)
            {
                Refused++;
            }
        }
    }

    private sealed class Disposer : FarMemoryObserver
    {
        private bool _isDone;

        public FarMemory? Memory { get; set; }

        public Exception? Sync { get; private set; }

        public Exception? Async { get; private set; }

        public byte Byte { get; private set; }

        public bool IsDone => Volatile.Read(ref _isDone);

        protected internal override void OnMigrated(in FarMigrationEvent migration)
        {
            if (Memory is null || Sync is not null)
                return;
            using (PageLease lease = Memory.LeaseForReading(0, 1))
                Byte = lease.ReadOnlySpan[0];
            Sync = Record.Exception(Memory.Dispose);
#pragma warning disable VSTHRD002 // It has failed already.
            Async = Record.ExceptionAsync(() => Memory.DisposeAsync().AsTask()).GetAwaiter().GetResult();
#pragma warning restore VSTHRD002
            Volatile.Write(ref _isDone, true);
        }
    }
}
