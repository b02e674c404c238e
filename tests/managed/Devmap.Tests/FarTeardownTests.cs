// SPDX-License-Identifier: MIT
using System.Runtime.CompilerServices;
using Xunit;
using static Devmap.Tests.FarMemories;

namespace Devmap.Tests;

/// <summary>Disposing far memory.</summary>
public sealed class FarTeardownTests
{
    [Fact]
    public void A_disposal_that_times_out_names_the_pages_and_leaves_all_usable()
    {
        using FarMemory memory = Create(8, timeout: TimeSpan.Zero);
        Fill(memory);
        PageLease lease = memory.Lease(3 * Page, 2 * Page);

        var busy = Assert.Throws<PagesBusyException>(memory.Dispose);
        Assert.Equal([new BusyPage(3, 2), new BusyPage(4, 2)], busy.Pages);
        Assert.Same(memory.Map, busy.Map);
        Assert.Equal(TemporaryDirectory.KnownBytes(3 * Page, 2 * Page), lease.Span);
        Assert.False(memory.Map.IsDisposed);
        Assert.Equal(8, memory.GetStatistics().Resident);
        Assert.Throws<ObjectDisposedException>(() => memory.Lease(0, 1));
        Assert.Throws<ObjectDisposedException>(() => memory.Map.Lease(0));

        memory.Map.Resume();
        memory.Lease(0, 1).Dispose();
        Verify(memory);
        lease.Dispose();
        memory.Dispose();
        Assert.True(memory.Map.IsDisposed);
    }

    [Fact]
    public async Task Everything_on_a_disposed_memory_says_so()
    {
        FarMemory memory = Create(8);
        Fill(memory);
        await EvictAll(memory);
        await memory.DisposeAsync();
        await memory.DisposeAsync();
        Assert.Null(Record.Exception(memory.Dispose));

        Assert.Throws<ObjectDisposedException>(() => memory.Lease(0, 1));
        Assert.Throws<ObjectDisposedException>(() => memory.LeaseForReading(0, 1));
        Assert.Throws<ObjectDisposedException>(() => memory.TryLease(0, 1, out _));
        Assert.Throws<ObjectDisposedException>(() => memory.Lease<int>(0, 1));
        Assert.Throws<ObjectDisposedException>(() => memory.Map.Lease(0));
        Assert.Throws<ObjectDisposedException>(() => memory.GetStatistics());
        Assert.Throws<ObjectDisposedException>(() => States(memory));
        Assert.Throws<ObjectDisposedException>(() => memory.ResidentLimit = Page);
        Assert.Throws<ObjectDisposedException>(() => AddressOf(memory));
        await Assert.ThrowsAsync<ObjectDisposedException>(() => memory.EvictAsync(0, 1));
        await Assert.ThrowsAsync<ObjectDisposedException>(() => memory.PrefetchAsync(0, 1));
        Assert.Throws<ObjectDisposedException>(memory.Map.Resume);
        Assert.Equal((8 * Page, 0), (memory.Length, memory.ResidentLimit));
    }

    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public void A_disposal_waits_for_the_last_lease(bool asynchronous)
    {
        FarMemory memory = Create(8, residentPages: 4);
        Fill(memory);
        PageLease lease = memory.Lease(0, 2 * Page);
        PageLease share = lease.Share();
#pragma warning disable VSTHRD002 // The call has a thread of its own.
        var disposal = new BlockingCall(asynchronous
            ? () => memory.DisposeAsync().AsTask().GetAwaiter().GetResult()
            : memory.Dispose);
#pragma warning restore VSTHRD002

        Assert.True(disposal.Waits);
        lease.Dispose();
        Assert.True(disposal.Waits);
        share.Span.Fill(1);
        share.Dispose();
        Assert.Null(disposal.Join());
        Assert.True(memory.Map.IsDisposed);
    }

    [Fact]
    public void Whoever_disposes_finds_the_store_closed()
    {
        using var directory = new TemporaryDirectory();
        for (int round = 0; round < 30; round++)
        {
            FarMemory memory = FarMemory.Create(
                64 * Page, new() { Store = FarStore.File(directory["store"], new() { DeleteOnClose = false, Cached = true }), ResidentLimit = 16 * Page });
            Fill(memory);
            Crowd.Run(3, _ =>
            {
                memory.Dispose();
                Assert.True(memory.Map.IsDisposed);
            });
        }
    }

    [Fact]
    public void Threads_meet_the_end_and_are_told()
    {
        for (int round = 0; round < 20; round++)
        {
            FarMemory memory = FarMemory.Create(64 * Page, new() { Store = FarStore.Lz4, ResidentLimit = 16 * Page });
            Crowd.Run(4, member =>
            {
                if (member == 0)
                {
                    Thread.Sleep(5);
                    memory.Dispose();
                    return;
                }

                var random = new Random(member);
                while (true)
                {
                    try
                    {
                        switch (random.Next(6))
                        {
                            case 0:
#pragma warning disable VSTHRD002 // The crowd has threads of its own.
                                memory.EvictAsync(0, memory.Length).GetAwaiter().GetResult();
#pragma warning restore VSTHRD002
                                break;
                            case 1:
                                _ = memory.GetStatistics();
                                break;
                            case 2:
                                _ = States(memory);
                                break;
                            default:
                                using (PageLease lease = memory.Lease(random.Next(63 * Page), Page))
                                    lease.Span.Fill(1);
                                break;
                        }
                    }
                    catch (ObjectDisposedException)
                    {
                        break;
                    }
                }
            });
        }
    }

    /// <summary>A short race, run again and again: nothing but that it is disposed.</summary>
    [Fact]
    public void Statistics_meet_the_end_and_say_so()
    {
        for (int round = 0; round < 200; round++)
        {
            FarMemory memory = Create(4);
            Crowd.Run(2, member =>
            {
                if (member == 0)
                {
                    Thread.SpinWait(1000 + (round * 50));
                    memory.Dispose();
                    return;
                }

                Exception? end = null;
                while (end is null)
                    end = Record.Exception(() => memory.GetStatistics());
                Assert.IsType<ObjectDisposedException>(end);
            });
        }
    }

    [Fact]
    public void What_disposed_memory_leaves_is_reclaimed()
    {
        WeakReference memory = CreateAndDispose();
        for (int i = 0; i < 10 && memory.IsAlive; i++)
        {
            GC.Collect();
            GC.WaitForPendingFinalizers();
        }

        Assert.False(memory.IsAlive);

        [MethodImpl(MethodImplOptions.NoInlining)]
        static WeakReference CreateAndDispose()
        {
            FarMemory memory = Create(8, observer: new Nobody());
            Fill(memory);
            memory.Dispose();
            return new WeakReference(memory.Map);
        }
    }

    [Fact]
    public void What_a_finalizer_resurrects_says_that_it_is_disposed()
    {
        CreateAndDispose();
        for (int i = 0; i < 10 && Resurrector.Found?.DangerousGetHandle() != 0; i++)
        {
            GC.Collect();
            GC.WaitForPendingFinalizers();
        }

        FarMemory memory = Assert.IsType<FarMemory>(Resurrector.Found);
        Resurrector.Found = null;
        Assert.Equal((0, 0), (memory.DangerousGetHandle(), memory.Map.DangerousGetHandle()));
        Assert.Throws<ObjectDisposedException>(() => memory.Lease(0, 1));
        Assert.Throws<ObjectDisposedException>(() => memory.Map.Lease(0));
        Assert.Throws<ObjectDisposedException>(() => memory.GetStatistics());

        [MethodImpl(MethodImplOptions.NoInlining)]
        static void CreateAndDispose()
        {
            FarMemory memory = Create(8);
            Fill(memory);
            memory.Dispose();
            _ = new Resurrector(memory);
        }
    }

    [Fact]
    public void A_lease_keeps_forgotten_memory()
    {
        PageLease lease = LeaseOfForgotten();
        GC.Collect();
        GC.WaitForPendingFinalizers();
        GC.Collect();

        Assert.Equal(TemporaryDirectory.KnownBytes(0, Page), lease.Span);
        DevicePageMap map = lease.Map;
        lease.Dispose();
        map.Dispose();

        [MethodImpl(MethodImplOptions.NoInlining)]
        static PageLease LeaseOfForgotten()
        {
            FarMemory memory = Create(8, residentPages: 4);
            Fill(memory);
            return memory.Lease(0, Page);
        }
    }

    private sealed class Nobody : FarMemoryObserver;

#pragma warning disable MA0055 // It is what is tested.
    private sealed class Resurrector(FarMemory memory)
    {
        public static volatile FarMemory? Found;

        ~Resurrector() => Found = memory;
    }
#pragma warning restore MA0055
}
