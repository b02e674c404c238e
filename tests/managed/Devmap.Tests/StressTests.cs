// SPDX-License-Identifier: MIT
using System.Runtime.CompilerServices;
using Xunit;

namespace Devmap.Tests;

/// <summary>
/// Leases, callbacks and changes while the garbage collector works and native threads use the same pages. Bounded by
/// counts, not by time.
/// </summary>
public sealed class StressTests
{
    private const int Page = 4096;

    [Fact]
    public void Every_idle_edge_reaches_the_driver_while_memory_is_collected()
    {
        const int pages = 32;
        int[] heard = new int[pages];
        DevmapStatistics before = DevmapDiagnostics.ReadStatistics();
        using (DevicePageMap map = DevicePageMap.Create(new()
        {
            Type = MemoryType.DevicePublic,
            PageCount = pages,
            Driver = new CallingBatchDriver(Hear, page => Hear([page])),
            DisposeTimeout = TimeSpan.Zero,
        }))
        {
            NativeThreads native = NativeThreads.Churn(map, pages, threads: 2, rounds: 20000, seed: 11);
            Crowd.Run(3, member =>
            {
                if (member == 0)
                    Collect(60);
                else
                    LeaseAndAllocate(map, new Random(member), 10000);
            });
            native.Join();
            Assert.Empty(map.GetBusyPages());
        }

        DevmapStatistics after = DevmapDiagnostics.ReadStatistics();
        Assert.Equal(after.IdleEdges - before.IdleEdges, heard.Sum(static count => (long)count));
        Assert.Equal(after.Activations - before.Activations, heard.Sum(static count => (long)count));
        Assert.Equal(before.Faults, after.Faults);

        void Hear(DevicePage[] batch)
        {
            // A callback allocates, as those of a driver do.
            foreach (long index in batch.Select(page => page.Index).ToList())
                Interlocked.Increment(ref heard[index]);
        }
    }

    [Fact]
    public void A_lease_keeps_its_map_and_driver_from_being_collected()
    {
        var heard = new StrongBox<int>();
        PageLease lease = LeaseOfForgottenMap(heard);
        Collect(3);
        lease.Span.Fill(1);
        DevicePageMap map = lease.Map;
        lease.Dispose();
        map.Dispose();

        Assert.Equal(1, heard.Value);
    }

    [Fact]
    public void Maps_come_and_go_while_memory_is_collected()
    {
        DevmapStatistics before = DevmapDiagnostics.ReadStatistics();
        Crowd.Run(3, member =>
        {
            if (member == 0)
            {
                Collect(60);
                return;
            }

            for (int i = 0; i < 1000; i++)
            {
                var driver = new CountingDriver();
                DevicePageMap map = DevicePageMap.Create(new() { Type = MemoryType.DevicePublic, PageCount = 64, Driver = driver, DisposeTimeout = TimeSpan.Zero });
                map.Lease(3, 60).Dispose();
                map.Dispose();
                Assert.Equal((60, 1), (driver.Total, driver.Detached));
            }
        });

        DevmapStatistics after = DevmapDiagnostics.ReadStatistics();
        Assert.Equal(before.PageMaps.Current, after.PageMaps.Current);
        Assert.Equal(2000, after.PageMaps.Total - before.PageMaps.Total);
        Assert.Equal(before.GateHolders, after.GateHolders);
    }

    [Fact]
    public void A_file_is_cut_and_grown_under_managed_and_native_readers()
    {
        const int head = 8;
        const int tail = 24;
        using var directory = new TemporaryDirectory();
        byte[] known = TemporaryDirectory.KnownBytes(0, head * Page);
        var driver = new CountingDriver(head + tail);
        DevmapStatistics before = DevmapDiagnostics.ReadStatistics();
        using (DaxFile file = DaxFile.Open(directory.KnownFile(head * Page), new()
        {
            Access = FileAccess.ReadWrite,
            Capacity = (head + tail) * Page,
            Driver = driver,
            DisposeTimeout = Timeout.InfiniteTimeSpan,
        }))
        {
            NativeThreads native = NativeThreads.Churn(file.Map, head + tail, threads: 1, rounds: 50000, seed: 12);
            Crowd.Run(3, member =>
            {
                if (member == 0)
                    CutAndGrow(file, 300, head * Page, (head + tail) * Page);
                else
                    ReadKnownBytes(file, known, new Random(member), 20000);
            });
            native.Join();
            Assert.Equal(head * Page, file.Length);
        }

        DevmapStatistics after = DevmapDiagnostics.ReadStatistics();
        Assert.Equal(after.IdleEdges - before.IdleEdges, driver.Total);
        Assert.Equal(after.IdleEdgesManaged - before.IdleEdgesManaged, driver.Total);
        Assert.Equal(before.Faults, after.Faults);
        Assert.Equal(known, File.ReadAllBytes(directory["known"]));
    }

    [MethodImpl(MethodImplOptions.NoInlining)]
    private static PageLease LeaseOfForgottenMap(StrongBox<int> heard) => DevicePageMap.Create(new()
    {
        Type = MemoryType.DevicePublic,
        PageCount = 1,
        Driver = new CallingDriver(_ => heard.Value++),
    }).Lease(0);

    private static void Collect(int times)
    {
        for (int i = 0; i < times; i++)
        {
            GC.Collect(i % 3, GCCollectionMode.Forced, blocking: true, compacting: true);
            GC.WaitForPendingFinalizers();
        }
    }

    private static void LeaseAndAllocate(DevicePageMap map, Random random, int rounds)
    {
        var kept = new Queue<(PageLease Lease, byte[] Garbage)>();
        for (int round = 0; round < rounds; round++)
        {
            int count = random.Next(1, 5);
            PageLease lease = map.Lease(random.Next((int)map.PageCount - count + 1), count);
            kept.Enqueue((lease, new byte[random.Next(2000)]));
            kept.Enqueue((lease.Share(), []));
            while (kept.Count > random.Next(12))
                kept.Dequeue().Lease.Dispose();
        }

        while (kept.TryDequeue(out (PageLease Lease, byte[] Garbage) last))
            last.Lease.Dispose();
    }

    private static void CutAndGrow(DaxFile file, int times, long shortLength, long longLength)
    {
        for (int i = 0; i < times; i++)
        {
            file.SetLength(longLength, Timeout.InfiniteTimeSpan);
            using (PageLease lease = file.LeaseForWriting(shortLength, (int)(longLength - shortLength)))
                lease.Span.Fill(0xEE);
            file.SetLength(shortLength, Timeout.InfiniteTimeSpan);
        }
    }

    /// <summary>Reads the file's head, which nobody changes, and its tail, which is all zeros or all 0xEE in each page.</summary>
    private static void ReadKnownBytes(DaxFile file, byte[] known, Random random, int rounds)
    {
        for (int round = 0; round < rounds; round++)
        {
            int offset = random.Next(known.Length);
            int length = random.Next(1, known.Length - offset + 1);
            using (PageLease lease = file.Lease(offset, length))
                Assert.True(lease.ReadOnlySpan.SequenceEqual(known.AsSpan(offset, length)));
            if (!file.TryLease(known.Length + random.Next(16 * Page), Page, out PageLease? tail))
                continue;
            using (tail)
                Assert.Equal(-1, tail.ReadOnlySpan.IndexOfAnyExcept((byte)0, (byte)0xEE));
        }
    }
}
