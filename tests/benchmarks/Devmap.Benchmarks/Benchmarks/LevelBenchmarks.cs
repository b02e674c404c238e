// SPDX-License-Identifier: MIT
using System.Diagnostics.CodeAnalysis;
using System.Runtime.InteropServices;
using BenchmarkDotNet.Attributes;
using Devmap.Interop;

namespace Devmap.Benchmarks;

/// <summary>What diagnostics cost in C#: pairs on pages that were leased at each level, leases, and snapshots.</summary>
[SuppressMessage("Design", "CA1001", Justification = "The cleanup disposes of it.")]
public unsafe class LevelBenchmarks
{
    private const int Operations = 4096;

    // Of so many, eight are followed at Sampled.
    private const int Pages = 1024;

    private readonly CountingDriver _driver = new();
    private DevicePageMap? _held;
    private DevicePageMap? _free;
    private PageLease[] _leases = [];
    private devmap_page** _pages;
    private DiagnosticLevel _before;
    private long _leased;

    /// <summary>The process's level.</summary>
    [Params(DiagnosticLevel.Off, DiagnosticLevel.Counters, DiagnosticLevel.Sampled, DiagnosticLevel.Full)]
    public DiagnosticLevel Level { get; set; }

    /// <summary>Leases each page of one map by itself.</summary>
    [GlobalSetup]
    public void Setup()
    {
        _before = DevmapDiagnostics.Level;
        DevmapDiagnostics.Level = Level;
        _held = DevicePageMap.Create(new() { PageCount = Pages });
        _free = DevicePageMap.Create(new() { Type = MemoryType.DevicePublic, PageCount = Pages, Driver = _driver });
        _leases = [.. Enumerable.Range(0, Pages).Select(i => _held.Lease(i))];
        _pages = (devmap_page**)NativeMemory.AlignedAlloc((nuint)(Pages * sizeof(devmap_page*)), 64);
        for (int i = 0; i < Pages; i++)
            _pages[i] = (devmap_page*)_held[i].DangerousGetHandle();
    }

    /// <summary>Gives everything back.</summary>
    [GlobalCleanup]
    public void Cleanup()
    {
        foreach (PageLease lease in _leases)
            lease.Dispose();
        _held!.Dispose();
        _free!.Dispose();
        NativeMemory.AlignedFree(_pages);
        Checks.Equal(_leased, _driver.Calls, "driver's calls");
        DevmapDiagnostics.Level = _before;
    }

    /// <summary>A get and its put, in turn on each of the pages held.</summary>
    [Benchmark(Baseline = true, OperationsPerInvoke = Operations)]
    public void Pair() => ManagedLoops.Pairs(_pages, Pages, Operations);

    /// <summary>A lease of one page and its dispose.</summary>
    [Benchmark(OperationsPerInvoke = Operations)]
    public void Lease()
    {
        DevicePageMap map = _free!;
        for (int i = 0; i < Operations; i++)
            map.Lease(i & (Pages - 1)).Dispose();
        _leased += Operations;
    }
}
