// SPDX-License-Identifier: MIT
using System.Runtime.InteropServices;
using BenchmarkDotNet.Attributes;
using Devmap.Interop;
using Devmap.Native;

namespace Devmap.Benchmarks;

/// <summary>
/// A get and its put on a busy page of a managed map: C#'s inlines against the loop that C compiled from the header's. In
/// one process, so that both see the same page and the same libdevmap.
/// </summary>
[MedianColumn]
public unsafe class PairBenchmarks
{
    private const int Pairs = 4096;

    private DevicePageMap? _map;
    private PageLease? _lease;
    private devmap_page* _page;
    private delegate* unmanaged[Cdecl]<devmap_page*, ulong, void> _native;

    /// <summary>Leases the page, and finds the native loop beside libdevmap.</summary>
    [GlobalSetup]
    public void Setup()
    {
        _map = DevicePageMap.Create(new() { Type = MemoryType.DevicePublic, PageCount = 256, Driver = new SilentDriver() });
        _lease = _map.Lease(7);
        _page = (devmap_page*)_map[7].DangerousGetHandle();
        string library = Environment.GetEnvironmentVariable("DEVMAP_BENCHMARK_PAIRS")
            ?? throw new InvalidOperationException("DEVMAP_BENCHMARK_PAIRS names no libdevmap_pairs.so; tests/benchmarks/run.sh does.");
        _native = (delegate* unmanaged[Cdecl]<devmap_page*, ulong, void>)NativeLibrary.GetExport(NativeLibrary.Load(library), "pairs_gated");
    }

    /// <summary>Gives everything back.</summary>
    [GlobalCleanup]
    public void Cleanup()
    {
        _lease?.Dispose();
        _map?.Dispose();
    }

    /// <summary>C's loop; one call for all pairs, so that the call does not count.</summary>
    [Benchmark(Baseline = true, OperationsPerInvoke = Pairs)]
    public void NativeInline() => _native(_page, Pairs);

    /// <summary>C#'s loop over the same word.</summary>
    [Benchmark(OperationsPerInvoke = Pairs)]
    public void ManagedInline()
    {
        devmap_page* page = _page;
        for (int i = 0; i < Pairs; i++)
        {
            PageInlines.GetPage(page);
            PageInlines.PutPage(page);
        }
    }

    /// <summary>The exported inlines, two calls a pair.</summary>
    [Benchmark(OperationsPerInvoke = Pairs)]
    public void DllImport()
    {
        devmap_page* page = _page;
        for (int i = 0; i < Pairs; i++)
        {
            NativeMethods.devmap_get_page(page);
            NativeMethods.devmap_put_page(page);
        }
    }

    private sealed class SilentDriver : PageDriver
    {
        protected internal override void OnPageFree(DevicePage page)
        {
        }
    }
}
