// SPDX-License-Identifier: MIT
using System.Diagnostics.CodeAnalysis;
using System.Runtime.InteropServices;
using BenchmarkDotNet.Attributes;
using Devmap.Interop;

namespace Devmap.Benchmarks;

/// <summary>
/// Pairs by some threads at a time, all on one page or each on its own: the time that each of them takes, per pair.
/// </summary>
[SuppressMessage("Design", "CA1001", Justification = "The cleanup disposes of it.")]
public unsafe class ThreadBenchmarks
{
    // Long enough that setting the threads off does not count.
    private const int Operations = 65_536;
    private const int Slots = 8;

    // Pages between threads' own: a thread's metadata is a page of memory away from the next one's.
    private const int OwnStride = 64;

    private readonly CountingDriver _driver = new();
    private DevicePageMap? _map;
    private PageLease? _lease;
    private Barrier? _barrier;
    private Thread[] _threads = [];
    private long[] _rounds = [];
    private devmap_page** _tables;
    private int _stride;
    private bool _ended;
    private long _expectedRounds;

    /// <summary>How many threads.</summary>
    [Params(1, 2)]
    public int Threads { get; set; }

    /// <summary>Leases the pages and starts the threads, which wait.</summary>
    [GlobalSetup]
    public void Setup()
    {
        int pages = Threads * OwnStride;
        _map = DevicePageMap.Create(new() { Type = MemoryType.DevicePublic, PageCount = pages, Driver = _driver });
        _lease = _map.Lease(0, pages);
        _tables = (devmap_page**)NativeMemory.AlignedAlloc((nuint)(Threads * Slots * sizeof(devmap_page*)), 64);
        _rounds = new long[Threads];
        _barrier = new Barrier(Threads + 1);
        _threads = [.. Enumerable.Range(0, Threads).Select(i => new Thread(() => Work(i)) { IsBackground = true })];
        foreach (Thread thread in _threads)
            thread.Start();
    }

    /// <summary>Ends the threads and gives everything back.</summary>
    [GlobalCleanup]
    public void Cleanup()
    {
        _ended = true;
        _barrier!.SignalAndWait();
        foreach (Thread thread in _threads)
            thread.Join();
        _barrier.Dispose();
        foreach (long rounds in _rounds)
            Checks.Equal(_expectedRounds, rounds, "rounds of a thread");
        for (int i = 0; i < _map!.PageCount; i++)
            Checks.Equal(2, _map[i].Count, $"count of page {i}");
        Checks.Equal(0, _driver.Calls, "driver's calls while the pages are held");
        _lease!.Dispose();
        Checks.Equal(_map.PageCount, _driver.Calls, "driver's calls");
        _map.Dispose();
        NativeMemory.AlignedFree(_tables);
    }

    /// <summary>All on one page.</summary>
    [Benchmark(OperationsPerInvoke = Operations)]
    public void SamePage() => Run(stride: 0);

    /// <summary>Each on its own, whose metadata is beside the next one's.</summary>
    [Benchmark(OperationsPerInvoke = Operations)]
    public void NeighbourPages() => Run(stride: 1);

    /// <summary>Each on its own, with nobody's near.</summary>
    [Benchmark(Baseline = true, OperationsPerInvoke = Operations)]
    public void OwnPages() => Run(OwnStride);

    private void Run(int stride)
    {
        _stride = stride;
        _barrier!.SignalAndWait();
        _barrier.SignalAndWait();
        _expectedRounds++;
    }

    private void Work(int thread)
    {
        devmap_page** table = _tables + (thread * Slots);
        while (true)
        {
            _barrier!.SignalAndWait();
            if (_ended)
                return;
            for (int i = 0; i < Slots; i++)
                table[i] = (devmap_page*)_map![thread * _stride].DangerousGetHandle();
            ManagedLoops.Pairs(table, Slots, Operations);
            _rounds[thread]++;
            _barrier.SignalAndWait();
        }
    }
}
