// SPDX-License-Identifier: MIT
using System.Runtime.InteropServices;
using BenchmarkDotNet.Attributes;
using Devmap.Interop;
using Devmap.Native;

namespace Devmap.Benchmarks;

/// <summary>
/// The callbacks of managed drivers alone, as C calls them: for a page each, or for all in one call. Per page.
/// </summary>
public unsafe class CallbackBenchmarks
{
    private const int Pages = BatchPageDriver.MaxBatch;
    private const int Rounds = 16;
    private const int Operations = Pages * Rounds;

    private readonly CountingDriver _driver = new();
    private readonly CountingBatchDriver _batchDriver = new();
    private DevicePageMap? _map;
    private DevicePageMap? _batchMap;
    private devmap_page** _pages;
    private devmap_page** _batchPages;
    private long _calls;
    private long _batches;

    /// <summary>Makes a map for each driver. Their pages stay idle.</summary>
    [GlobalSetup]
    public void Setup()
    {
        _map = Create(_driver);
        _batchMap = Create(_batchDriver);
        _pages = PagesOf(_map);
        _batchPages = PagesOf(_batchMap);
    }

    /// <summary>Gives everything back.</summary>
    [GlobalCleanup]
    public void Cleanup()
    {
        _map!.Dispose();
        _batchMap!.Dispose();
        NativeMemory.AlignedFree(_pages);
        NativeMemory.AlignedFree(_batchPages);
        Checks.Equal(_calls, _driver.Calls, "driver's calls");
        Checks.Equal(_batches, _batchDriver.Batches, "batch driver's calls");
        Checks.Equal(_batches * Pages, _batchDriver.Pages, "batch driver's pages");
    }

    /// <summary>A call for each page.</summary>
    [Benchmark(Baseline = true, OperationsPerInvoke = Operations)]
    public void OneAtATime()
    {
        NativeLoops.Callbacks((nint)DriverCallbacks.PageFree, _map!.Owner, _pages, Pages, Rounds);
        _calls += Operations;
    }

    /// <summary>One call for 256 pages.</summary>
    [Benchmark(OperationsPerInvoke = Operations)]
    public void Batched()
    {
        NativeLoops.BatchCallbacks((nint)DriverCallbacks.PagesFree, _batchMap!.Owner, _batchPages, Pages, Rounds);
        _batches += Rounds;
    }

    private static DevicePageMap Create(PageDriver driver) =>
        DevicePageMap.Create(new() { Type = MemoryType.DevicePublic, PageCount = Pages, Driver = driver });

    private static devmap_page** PagesOf(DevicePageMap map)
    {
        var pages = (devmap_page**)NativeMemory.AlignedAlloc((nuint)(Pages * sizeof(devmap_page*)), 64);
        for (int i = 0; i < Pages; i++)
            pages[i] = (devmap_page*)map[i].DangerousGetHandle();
        return pages;
    }
}
