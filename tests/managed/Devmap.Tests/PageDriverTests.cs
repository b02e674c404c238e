// SPDX-License-Identifier: MIT
using System.Collections.Concurrent;
using System.Runtime.InteropServices;
using Xunit;

namespace Devmap.Tests;

/// <summary>What a driver hears, when, on which threads, and what it may do.</summary>
public sealed class PageDriverTests
{
    private const int Pages = 64;

    /// <summary>Drivers that are called page by page, and in batches.</summary>
    public static TheoryData<bool> PageByPageAndInBatches => [false, true];

    [Fact]
    public void A_driver_hears_of_a_page_when_its_last_reference_goes()
    {
        var driver = new CountingDriver();
        using DevicePageMap map = Create(driver);
        PageLease lease = map.Lease(7);
        PageLease share = lease.Share();

        lease.Dispose();
        Assert.Equal(0, driver.Total);
        share.Dispose();
        Assert.Equal((1, 1), (driver.Total, driver[7]));
        map.Lease(7).Dispose();
        Assert.Equal((2, 2), (driver.Total, driver[7]));
    }

    [Fact]
    public void A_driver_hears_of_the_page_that_it_is()
    {
        DevicePage heard = default;
        using DevicePageMap map = Create(new CallingDriver(page =>
        {
            Assert.True(page.IsIdle);
            Assert.Equal(42, page.DangerousGetSpan()[99]);
            page.DriverData++;
            heard = page;
        }));
        using var log = new FaultLog();
        using (PageLease lease = map.Lease(7))
            lease.Span[99] = 42;

        Assert.Empty(log.Faults);
        Assert.Equal(map[7], heard);
        Assert.Equal(1, map[7].DriverData);
    }

    [Fact]
    public void A_driver_serves_several_maps()
    {
        var heard = new List<DevicePageMap>();
        var driver = new CallingDriver(page => heard.Add(page.Map), heard.Add);
        DevicePageMap first = Create(driver);
        DevicePageMap second = Create(driver);
        first.Lease(1).Dispose();
        second.Lease(1).Dispose();
        second.Dispose();
        first.Lease(2).Dispose();
        first.Dispose();

        Assert.Equal([first, second, second, first, first], heard);
    }

    [Fact]
    public void A_file_has_a_driver_too()
    {
        using var directory = new TemporaryDirectory();
        var driver = new CountingDriver();
        using (DaxFile file = DaxFile.Open(directory.KnownFile(16384), new() { Driver = driver }))
        {
            Assert.Same(driver, file.Map.Driver);
            file.Lease(4000, 200).Dispose();
            Assert.Equal((1, 1, 0), (driver[0], driver[1], driver[2]));
            Assert.Equal(0, driver.Detached);
        }

        Assert.Equal(1, driver.Detached);
    }

    [Fact]
    public void A_driver_hears_once_of_each_edge_brought_about_by_managed_threads()
    {
        var driver = new CountingDriver();
        DevmapStatistics before = DevmapDiagnostics.ReadStatistics();
        using DevicePageMap map = Create(driver);

        Crowd.Run(4, member => LeaseAtRandom(map, new Random(member), 5000));

        AssertOncePerEdge(driver, before);
        Assert.Empty(map.GetBusyPages());
    }

    [Fact]
    public void A_driver_hears_once_of_each_edge_brought_about_by_native_threads()
    {
        var driver = new CountingDriver();
        DevmapStatistics before = DevmapDiagnostics.ReadStatistics();
        using DevicePageMap map = Create(driver);

        Assert.True(NativeThreads.Churn(map, Pages, threads: 4, rounds: 10000, seed: 1).Join() > 0);

        AssertOncePerEdge(driver, before);
        Assert.Empty(map.GetBusyPages());
    }

    [Theory]
    [MemberData(nameof(PageByPageAndInBatches))]
    public void A_driver_hears_once_of_each_edge_brought_about_by_any_mix_of_threads(bool inBatches)
    {
        int[] heard = new int[Pages];
        void Hear(DevicePage page) => Interlocked.Increment(ref heard[page.Index]);
        PageDriver driver = inBatches ? new CallingBatchDriver(pages => Array.ForEach(pages, Hear), Hear) : new CallingDriver(Hear);
        DevmapStatistics before = DevmapDiagnostics.ReadStatistics();
        using DevicePageMap map = Create(driver);

        // Few pages, so that the threads meet on them.
        NativeThreads native = NativeThreads.Churn(map, 6, threads: 2, rounds: 10000, seed: 2);
        Crowd.Run(2, member => LeaseAtRandom(map, new Random(member), 5000, pages: 6));
        native.Join();

        DevmapStatistics after = DevmapDiagnostics.ReadStatistics();
        Assert.Equal(after.IdleEdges - before.IdleEdges, heard.Sum(static count => (long)count));
        Assert.Equal(after.IdleEdgesManaged - before.IdleEdgesManaged, heard.Sum(static count => (long)count));
        Assert.Equal(after.Activations - before.Activations, heard.Sum(static count => (long)count));
        Assert.Empty(map.GetBusyPages());
    }

    [Fact]
    public void A_page_held_by_managed_and_native_threads_goes_idle_once_with_the_last_of_them()
    {
        const int rounds = 200;
        var driver = new CountingDriver();
        using DevicePageMap map = Create(driver);
        for (int round = 1; round <= rounds; round++)
        {
            NativeReferences.TakeEach(map[0], pages: 2, count: 2 * 8);
            PageLease[] leases = [.. Enumerable.Range(0, 8).Select(_ => map.Lease(0, 2))];

            NativeThreads native = NativeThreads.Put(map[0], pages: 2, threads: 2, puts: 8);
            Array.ForEach(leases, lease => lease.Dispose());
            native.Join();

            Assert.Equal((round, round), (driver[0], driver[1]));
        }
    }

    [Fact]
    public void A_callback_may_run_on_a_thread_that_the_runtime_never_saw()
    {
        var threads = new ConcurrentBag<Thread>();
        using DevicePageMap map = Create(new CallingDriver(_ =>
        {
            Assert.False(Thread.CurrentThread.IsThreadPoolThread);
            threads.Add(Thread.CurrentThread);
        }));
        using var log = new FaultLog();
        NativeReferences.TakeEach(map[0], pages: 4);

        NativeThreads.Put(map[0], pages: 4).Join();

        Assert.Empty(log.Faults);
        Assert.Equal(4, threads.Count);
        Assert.NotSame(Thread.CurrentThread, Assert.Single(threads.Distinct()));
    }

    [Fact]
    public void What_a_thread_wrote_under_its_reference_is_seen_by_the_callback()
    {
        long sum = 0;
        using DevicePageMap map = Create(new CallingDriver(page => sum += MemoryMarshal.Cast<byte, int>(page.DangerousGetSpan())[..4].ToArray().Sum()));
        PageLease[] leases = [];

        void LeaseAgain() => leases = [.. Enumerable.Range(0, 4).Select(_ => map.Lease(0))];
        LeaseAgain();
        Crowd.RunRounds(
            4,
            2000,
            (member, round) =>
            {
                MemoryMarshal.Cast<byte, int>(leases[member].Span)[member] = round;
                leases[member].Dispose();
            },
            LeaseAgain);
        Array.ForEach(leases, lease => lease.Dispose());

        // The sum of 4 * round over the rounds, and the last values once more.
        Assert.Equal((4L * 2000 * 1999 / 2) + (4 * 1999), sum);
    }

    [Fact]
    public void A_batch_driver_hears_of_pages_given_back_together_in_one_call()
    {
        var batches = new List<DevicePage[]>();
        var single = new List<DevicePage>();
        using DevicePageMap map = Create(new CallingBatchDriver(batches.Add, single.Add), pages: 1000);

        map.Lease(10, 3).Dispose();
        Assert.Equal([map[10], map[11], map[12]], Assert.Single(batches));
        Assert.Empty(single);

        map.Lease(5).Dispose();
        Assert.Equal([map[5]], single);

        batches.Clear();
        map.Lease(0, 1000).Dispose();
        Assert.Equal([256, 256, 256, 232], batches.Select(batch => batch.Length));
        Assert.Equal(Enumerable.Range(0, 1000).Select(index => map[index]), batches.SelectMany(batch => batch));
    }

    [Fact]
    public void A_batch_has_only_the_pages_that_became_idle()
    {
        var batches = new List<DevicePage[]>();
        using DevicePageMap map = Create(new CallingBatchDriver(batches.Add, _ => { }));
        using PageLease held = map.Lease(11);

        map.Lease(10, 3).Dispose();

        Assert.Equal([map[10], map[12]], Assert.Single(batches));
    }

    [Fact]
    public void A_batch_is_heard_on_a_thread_that_the_runtime_never_saw()
    {
        var heard = new ConcurrentBag<(Thread Thread, long Index)>();
        void Hear(DevicePage page) => heard.Add((Thread.CurrentThread, page.Index));
        using DevicePageMap map = Create(new CallingBatchDriver(pages => Array.ForEach(pages, Hear), Hear));

        NativeThreads.Churn(map, Pages, threads: 1, rounds: 1000, seed: 3).Join();

        Assert.NotEmpty(heard);
        Assert.DoesNotContain(heard, call => call.Thread == Thread.CurrentThread);
    }

    [Theory]
    [MemberData(nameof(PageByPageAndInBatches))]
    public void A_driver_that_throws_is_a_fault_and_its_pages_stay_usable(bool inBatches)
    {
        bool throws = true;
        int heard = 0;
        var thrown = new FormatException("The driver's own.");
        void Hear(int pages)
        {
            heard += pages;
            if (throws)
                throw thrown;
        }

        using DevicePageMap map = Create(inBatches ? new CallingBatchDriver(pages => Hear(pages.Length), _ => Hear(1)) : new CallingDriver(_ => Hear(1)));
        DevmapStatistics before = DevmapDiagnostics.ReadStatistics();
        using var log = new FaultLog();
        map.Lease(7, 2).Dispose();

        int calls = inBatches ? 1 : 2;
        Assert.Equal(calls, log.Faults.Count);
        Assert.Equal(calls, DevmapDiagnostics.ReadStatistics().DriverFaults - before.DriverFaults);
        DevmapFaultEventArgs fault = log.Faults.First();
        Assert.Equal(DevmapFaultKind.Driver, fault.Kind);
        Assert.Same(thrown, fault.Exception);
        Assert.Equal(7, fault.PageIndex);
        Assert.Equal(1, fault.PageCount);
        Assert.Contains("FormatException: The driver's own.", fault.Message, StringComparison.Ordinal);

        throws = false;
        Assert.True(map[7].IsIdle);
        map.Lease(7, 2).Dispose();
        Assert.Equal(4, heard);
        Assert.Equal(calls, log.Faults.Count);
    }

    [Fact]
    public void A_driver_that_throws_on_a_thread_that_the_runtime_never_saw_is_a_fault()
    {
        using DevicePageMap map = Create(new CallingDriver(_ => throw new FormatException()));
        using var log = new FaultLog();
        NativeReferences.TakeEach(map[0], pages: 3, count: 2);

        NativeThreads.Put(map[0], pages: 3, threads: 2).Join();

        Assert.Equal([0L, 1L, 2L], log.Faults.Select(fault => fault.PageIndex!.Value).Order());
        Assert.All(log.Faults, fault => Assert.IsType<FormatException>(fault.Exception));
        Assert.Empty(map.GetBusyPages());
    }

    [Fact]
    public void A_driver_that_throws_what_throws_when_asked_is_a_fault()
    {
        using DevicePageMap map = Create(new CallingDriver(_ => throw new MessagelessException()));
        using var log = new FaultLog();
        map.Lease(7).Dispose();
        NativeReferences.Take(map[7]);
        NativeThreads.Put(map[7]).Join();

        Assert.Equal(2, log.Faults.Count);
        Assert.All(log.Faults, fault => Assert.IsType<MessagelessException>(fault.Exception));
    }

    [Fact]
    public void A_callback_may_lease_its_page_again()
    {
        PageLease? again = null;
        int heard = 0;
        using DevicePageMap map = Create(new CallingDriver(page =>
        {
            if (heard++ == 0)
                again = page.Map.Lease(page.Index);
        }));
        map.Lease(7).Dispose();

        Assert.Equal(2, map[7].Count);
        Assert.Equal(1, heard);
        again!.Dispose();
        Assert.Equal(2, heard);
        Assert.True(map[7].IsIdle);
    }

    [Fact]
    public void A_callback_leases_its_own_page_while_the_map_is_disposed_which_waits_for_it()
    {
        PageLease? again = null;
        DevicePageMap? map = null;
        using var log = new FaultLog();
        map = Create(new CallingDriver(page =>
        {
            if (again is not null)
                return;
            Assert.Throws<ObjectDisposedException>(() => map!.Lease(page.Index));
            Assert.Throws<ObjectDisposedException>(() => map![page.Index + 1].Lease());
            again = page.Lease();
        }));
        PageLease lease = map.Lease(7);
        Assert.Throws<PagesBusyException>(map.Dispose);
        lease.Dispose();

        Assert.Empty(log.Faults);
        Assert.Equal([new BusyPage(7, 2)], Assert.Throws<PagesBusyException>(map.Dispose).Pages);
        again!.Span.Fill(1);
        again.Dispose();
        map.Dispose();
    }

    [Fact]
    public void A_callback_leases_any_page_of_its_batch()
    {
        PageLease[] leases = [];
        using DevicePageMap map = Create(new CallingBatchDriver(pages => leases = [.. pages.Select(page => page.Lease())], _ => { }));
        PageLease lease = map.Lease(7, 3);
        Assert.Throws<PagesBusyException>(map.Dispose);
        lease.Dispose();

        Assert.Equal([7L, 8L, 9L], leases.Select(lease => lease.FirstPage));
        Assert.Equal(3, Assert.Throws<PagesBusyException>(map.Dispose).PageCount);
        Array.ForEach(leases, lease => lease.Dispose());
    }

    [Fact]
    public void A_callback_leases_its_own_page_while_it_is_cut_off_which_waits_for_it()
    {
        using var directory = new TemporaryDirectory();
        PageLease? again = null;
        using DaxFile file = DaxFile.Open(directory.KnownFile(10000), new()
        {
            Access = FileAccess.ReadWrite,
            Driver = new CallingDriver(page => again ??= page.Lease()),
        });
        long breaks = DevmapDiagnostics.ReadStatistics().LayoutBreaks.Total;
        PageLease lease = file.Lease(9000, 10);
        var cutting = new BlockingCall(() => file.SetLength(0, Timeout.InfiniteTimeSpan));
        BlockingCall.SpinUntil(() => DevmapDiagnostics.ReadStatistics().LayoutBreaks.Total > breaks);
        lease.Dispose();

        Assert.True(cutting.Waits);
        Assert.Equal(10000, file.Length);
        Assert.Equal(TemporaryDirectory.KnownBytes(8192, 10000 - 8192), again!.ReadOnlyMemory.ToArray());
        again.Dispose();
        Assert.Null(cutting.Join());
        Assert.Equal(0, file.Length);
    }

    [Fact]
    public void A_callback_may_bring_about_the_next_edge_of_its_page()
    {
        int depth = 0;
        int deepest = 0;
        int heard = 0;
        using DevicePageMap map = Create(new CallingDriver(page =>
        {
            deepest = Math.Max(deepest, ++depth);
            if (++heard < 10)
                page.Map.Lease(page.Index).Dispose();
            depth--;
        }));
        map.Lease(7).Dispose();

        Assert.Equal((10, 10, 0), (heard, deepest, depth));
        Assert.True(map[7].IsIdle);
    }

    [Fact]
    public void A_callback_may_give_back_other_pages_of_any_map()
    {
        var other = new CountingDriver();
        using DevicePageMap otherMap = Create(other);
        PageLease otherLease = otherMap.Lease(3, 2);
        var heard = new List<long>();
        PageLease? next = null;
        using DevicePageMap map = Create(new CallingDriver(page =>
        {
            heard.Add(page.Index);
            otherLease.Dispose();
            next!.Dispose();
        }));
        next = map.Lease(8);
        map.Lease(7).Dispose();

        Assert.Equal([7, 8], heard);
        Assert.Equal((1, 1), (other[3], other[4]));
    }

    [Fact]
    public void A_callback_may_hold_the_gate_and_create_and_dispose_other_maps()
    {
        using var log = new FaultLog();
        int before = DevmapGate.HolderCount;
        int during = 0;
        using (DevicePageMap map = Create(new CallingDriver(_ =>
        {
            using DevmapGateHold hold = DevmapGate.Hold();
            using DevicePageMap other = Create(new CallingDriver(_ => { }));
            other.Lease(0).Dispose();
            during = DevmapGate.HolderCount;
        })))
        {
            map.Lease(7).Dispose();
        }

        Assert.Empty(log.Faults);
        Assert.Equal(before + 3, during);
        Assert.Equal(before, DevmapGate.HolderCount);
    }

    [Fact]
    public void A_callback_cannot_dispose_its_own_map()
    {
        var thrown = new List<Exception?>();
        using DevicePageMap map = Create(new CallingDriver(page =>
        {
            thrown.Add(Record.Exception(page.Map.Dispose));
            ValueTask disposing = page.Map.DisposeAsync();
            Assert.True(disposing.IsFaulted);
            thrown.Add(disposing.AsTask().Exception!.InnerException);
        }));
        using var log = new FaultLog();
        map.Lease(7).Dispose();

        Assert.Empty(log.Faults);
        Assert.Equal(2, thrown.Count);
        Assert.All(thrown, exception => Assert.Contains(
            "called from a callback of the same map", Assert.IsType<InvalidOperationException>(exception).Message, StringComparison.Ordinal));
        map.Lease(7).Dispose();
        Assert.Equal(4, thrown.Count);
    }

    [Fact]
    public void A_callback_cannot_change_its_own_file()
    {
        using var directory = new TemporaryDirectory();
        var thrown = new List<Exception?>();
        DaxFile? file = null;
        using var log = new FaultLog();
        using (file = DaxFile.Open(directory.KnownFile(16384), new()
        {
            Access = FileAccess.ReadWrite,
            Driver = new CallingDriver(_ =>
            {
                thrown.Add(Record.Exception(() => file!.SetLength(0, TimeSpan.Zero)));
                thrown.Add(Record.Exception(() => file!.PunchHole(0, 4096, TimeSpan.Zero)));
                thrown.Add(Record.Exception(() => file!.Dispose()));
            }),
        }))
        {
            file.Lease(0, 1).Dispose();
            Assert.Equal(16384, file.Length);
        }

        Assert.Empty(log.Faults);
        Assert.Equal(3, thrown.Count);
        Assert.All(thrown, exception => Assert.IsType<InvalidOperationException>(exception));
    }

    [Fact]
    public void A_driver_is_detached_once_and_only_after_the_last_callback_has_returned()
    {
        using var driver = new StayingDriver();
        DevicePageMap map = Create(driver);
        PageLease lease = map.Lease(7);
        var putting = new BlockingCall(lease.Dispose);
        driver.AwaitCallback();
        var disposing = new BlockingCall(map.Dispose);

        Assert.True(disposing.Waits);
        Assert.Empty(driver.Heard);
        driver.LetCallbackLeave();
        Assert.Null(disposing.Join());
        Assert.Null(putting.Join());
        Assert.Equal(["page 7", "detached"], driver.Heard);
        map.Dispose();
        Assert.Equal(["page 7", "detached"], driver.Heard);
    }

    [Fact]
    public void A_driver_may_dispose_its_map_when_it_is_detached_from_it()
    {
        using var log = new FaultLog();
        var detached = new List<bool>();
        DevicePageMap map = Create(new CallingDriver(_ => { }, map =>
        {
            map.Dispose();
            ValueTask again = map.DisposeAsync();
            Assert.True(again.IsCompletedSuccessfully);
            detached.Add(map.IsDisposed);
        }));
        map.Dispose();

        Assert.Empty(log.Faults);
        Assert.Equal([true], detached);
    }

    [Fact]
    public void A_callback_may_run_before_its_map_is_known_to_whoever_creates_it()
    {
        const int maps = 2000;
        nint memory = 0;
        unsafe
        {
            memory = (nint)NativeMemory.AlignedAlloc(4096, 4096);
        }

        int created = 0;
        using var log = new FaultLog();
        Crowd.Run(2, member =>
        {
            if (member == 0)
            {
                while (Volatile.Read(ref created) < maps)
                    NativeReferences.TakeAndPutAt(memory);
                return;
            }

            for (; created < maps; created++)
            {
                DevicePageMap.Create(new()
                {
                    Type = MemoryType.DevicePublic,
                    Address = memory,
                    PageCount = 1,
                    DisposeTimeout = Timeout.InfiniteTimeSpan,
                    Driver = new CallingDriver(page => Assert.Equal((0, memory), (page.Index, page.Address))),
                }).Dispose();
            }
        });
        unsafe
        {
            NativeMemory.AlignedFree((void*)memory);
        }

        Assert.Empty(log.Faults);
    }

    [Fact]
    public void A_driver_may_dispose_of_what_its_callbacks_use_when_it_is_detached()
    {
        const int rounds = 200;
        using var log = new FaultLog();
        for (int round = 0; round < rounds; round++)
        {
            var resource = new MemoryStream();
            DevicePageMap map = DevicePageMap.Create(new()
            {
                Type = MemoryType.DevicePublic,
                PageCount = 8,
                DisposeTimeout = Timeout.InfiniteTimeSpan,
                // Throws once the stream is disposed, which would be a fault.
                Driver = new CallingDriver(_ => Assert.True(resource.Length >= 0), _ => resource.Dispose()),
            });

            NativeThreads native = NativeThreads.Churn(map, 8, threads: 2, rounds: 200, seed: round);
            map.Dispose();
            native.Join();

            Assert.False(resource.CanRead);
        }

        Assert.Empty(log.Faults);
    }

    [Fact]
    public void A_driver_that_throws_when_it_is_detached_is_a_fault_and_its_map_is_disposed()
    {
        var thrown = new FormatException();
        DevicePageMap map = Create(new CallingDriver(_ => { }, _ => throw thrown));
        using var log = new FaultLog();
        map.Dispose();

        Assert.True(map.IsDisposed);
        DevmapFaultEventArgs fault = Assert.Single(log.Faults);
        Assert.Same(thrown, fault.Exception);
        Assert.Null(fault.PageIndex);
    }

    [Fact]
    public void A_driver_is_not_detached_by_a_disposal_that_finds_pages_in_use()
    {
        var driver = new CountingDriver();
        using DevicePageMap map = Create(driver);
        using (map.Lease(1))
            Assert.Throws<PagesBusyException>(map.Dispose);

        Assert.Equal((1, 0), (driver.Total, driver.Detached));
        map.Dispose();
        Assert.Equal(1, driver.Detached);
    }

    private sealed class MessagelessException : Exception
    {
        public override string Message => throw new FormatException();
    }

    private static DevicePageMap Create(PageDriver driver, int pages = Pages) => DevicePageMap.Create(new()
    {
        Type = MemoryType.DevicePublic,
        PageCount = pages,
        Driver = driver,
        DisposeTimeout = driver is StayingDriver ? Timeout.InfiniteTimeSpan : TimeSpan.Zero,
    });

    private static void LeaseAtRandom(DevicePageMap map, Random random, int rounds, int pages = Pages)
    {
        var leases = new PageLease?[4];
        for (int round = 0; round < rounds; round++)
        {
            ref PageLease? lease = ref leases[random.Next(leases.Length)];
            PageLease? next = null;
            if (lease is null)
            {
                int count = random.Next(1, 4);
                next = map.Lease(random.Next(pages - count + 1), count);
            }
            else if (random.Next(3) == 0)
            {
                next = lease.Share();
            }

            lease?.Dispose();
            lease = next;
        }

        Array.ForEach(leases, lease => lease?.Dispose());
    }

    private static void AssertOncePerEdge(CountingDriver driver, DevmapStatistics before)
    {
        DevmapStatistics after = DevmapDiagnostics.ReadStatistics();
        Assert.NotEqual(0, driver.Total);
        Assert.Equal(after.Activations - before.Activations, driver.Total);
        Assert.Equal(after.IdleEdges - before.IdleEdges, driver.Total);
        Assert.Equal(after.IdleEdgesManaged - before.IdleEdgesManaged, driver.Total);
    }
}
