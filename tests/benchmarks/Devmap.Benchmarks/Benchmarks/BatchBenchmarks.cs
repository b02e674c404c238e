// SPDX-License-Identifier: MIT
using BenchmarkDotNet.Attributes;

namespace Devmap.Benchmarks;

/// <summary>Pages that are acquired and become idle together, against one after the other. Per page.</summary>
public unsafe class BatchBenchmarks
{
    // Of every batch size, as many as make this many pages.
    private const int Operations = 4096;

    private readonly CountingDriver _driver = new();
    private readonly CountingBatchDriver _batchDriver = new();
    private DevicePageMap? _map;
    private DevicePageMap? _batchMap;
    private EdgeCount? _edges;
    private long _driven;
    private long _batchDriven;

    /// <summary>Pages at a time; where it is one at a time, pages in turn.</summary>
    [Params(1, 16, 256, 4096)]
    public int Pages { get; set; }

    /// <summary>Makes a map for each driver.</summary>
    [GlobalSetup]
    public void Setup()
    {
        _edges = new EdgeCount();
        _map = Create(_driver);
        _batchMap = Create(_batchDriver);
    }

    /// <summary>Gives everything back.</summary>
    [GlobalCleanup]
    public void Cleanup()
    {
        _map!.Dispose();
        _batchMap!.Dispose();
        _edges!.Expected = _driven + _batchDriven;
        _edges.Verify();
        Checks.Equal(_driven, _driver.Calls, "driver's calls");
        Checks.Equal(_batchDriven, _batchDriver.Pages, "batch driver's pages");

        // A page alone comes alone; of more, as many at a time as a batch holds.
        long perBatch = Math.Min(Pages, BatchPageDriver.MaxBatch);
        Checks.Equal(Pages == 1 ? 0 : _batchDriven / perBatch, _batchDriver.Batches, "batch driver's calls");
    }

    /// <summary>C#: a lease of all, to a driver that hears of batches.</summary>
    [Benchmark(OperationsPerInvoke = Operations)]
    public void EdgesBatched()
    {
        DevicePageMap map = _batchMap!;
        int pages = Pages;
        for (int i = 0; i < Operations; i += pages)
            map.Lease(0, pages).Dispose();
        _batchDriven += Operations;
    }

    /// <summary>C#: a lease of each.</summary>
    [Benchmark(Baseline = true, OperationsPerInvoke = Operations)]
    public void EdgesOneAtATime()
    {
        DevicePageMap map = _map!;
        int mask = Pages - 1;
        for (int i = 0; i < Operations; i++)
            map.Lease(i & mask).Dispose();
        _driven += Operations;
    }

    /// <summary>C: all at once, to a managed driver that hears of batches.</summary>
    [Benchmark(OperationsPerInvoke = Operations)]
    public void NativeBatched()
    {
        NativeLoops.BatchEdges(_batchMap!.Pointer, (ulong)Pages, (ulong)(Operations / Pages));
        _batchDriven += Operations;
    }

    /// <summary>C: each alone, to a managed driver.</summary>
    [Benchmark(OperationsPerInvoke = Operations)]
    public void NativeOneAtATime()
    {
        NativeLoops.Edges(_map!.Pointer, (ulong)Pages, Operations);
        _driven += Operations;
    }

    private static DevicePageMap Create(PageDriver driver) =>
        DevicePageMap.Create(new() { Type = MemoryType.DevicePublic, PageCount = Operations, Driver = driver });
}
