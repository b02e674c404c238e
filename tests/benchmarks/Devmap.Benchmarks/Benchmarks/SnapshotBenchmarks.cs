// SPDX-License-Identifier: MIT
using System.Diagnostics.CodeAnalysis;
using BenchmarkDotNet.Attributes;

namespace Devmap.Benchmarks;

/// <summary>A snapshot of a thousand maps with a thousand pages of each in use, at the level Counters.</summary>
[SuppressMessage("Design", "CA1001", Justification = "The cleanup disposes of it.")]
public class SnapshotBenchmarks
{
    private const int Maps = 1000;
    private const int Pages = 1000;

    private DevicePageMap[] _maps = [];
    private PageLease[] _leases = [];

    /// <summary>Leases all pages of all maps.</summary>
    [GlobalSetup]
    public void Setup()
    {
        _maps = [.. Enumerable.Range(0, Maps).Select(_ => DevicePageMap.Create(new() { PageCount = Pages }))];
        _leases = [.. _maps.Select(map => map.Lease(0, Pages))];
        DevmapSnapshot snapshot = DevmapDiagnostics.Capture();
        Checks.Equal((long)Maps * Pages, snapshot.Maps.Sum(map => map.PagesInUse), "pages in use");
    }

    /// <summary>Gives everything back.</summary>
    [GlobalCleanup]
    public void Cleanup()
    {
        foreach (PageLease lease in _leases)
            lease.Dispose();
        foreach (DevicePageMap map in _maps)
            map.Dispose();
    }

    /// <summary>As data.</summary>
    [Benchmark(Baseline = true)]
    public DevmapSnapshot Capture() => DevmapDiagnostics.Capture();

    /// <summary>As JSON.</summary>
    [Benchmark]
    public string Json() => DevmapDiagnostics.Capture().ToJson();
}
