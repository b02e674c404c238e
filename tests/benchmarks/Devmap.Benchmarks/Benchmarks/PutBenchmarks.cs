// SPDX-License-Identifier: MIT
using System.Diagnostics.CodeAnalysis;
using System.Runtime.InteropServices;
using BenchmarkDotNet.Attributes;
using Devmap.Interop;

namespace Devmap.Benchmarks;

/// <summary>
/// A get and its put on pages that stay in use; unless said, of a DEVICE_PUBLIC map with a managed driver.
/// </summary>
[SuppressMessage("Design", "CA1001", Justification = "The cleanup disposes of it.")]
public unsafe class PutBenchmarks
{
    private const int Operations = 4096;

    private HeldPages? _held;
    private HeldPages? _host;
    private OrdinaryPages? _ordinary;
    private SafeHandle[] _handles = [];
    private devmap_page** _pages;
    private devmap_page** _hostPages;
    private devmap_page** _ordinaryPages;

    /// <summary>Holds the pages.</summary>
    [GlobalSetup]
    public void Setup()
    {
        _held = new HeldPages(MemoryType.DevicePublic);
        _host = new HeldPages(MemoryType.DeviceHost);
        _handles = TrivialHandle.Make(HeldPages.Count);
        _pages = _held.Pages;
        _hostPages = _host.Pages;
    }

    /// <summary>For the gate to be off, no managed map may be there.</summary>
    [GlobalSetup(Target = nameof(GateOff))]
    public void SetupGateOff()
    {
        _ordinary = new OrdinaryPages();
        _ordinaryPages = _ordinary.Pages;
    }

    /// <summary>Gives everything back.</summary>
    [GlobalCleanup]
    public void Cleanup()
    {
        _held?.Dispose();
        _host?.Dispose();
        _ordinary?.Dispose();
        TrivialHandle.End(_handles);
    }

    /// <summary>C's loop; one call for all pairs, so that the call does not count.</summary>
    [Benchmark(Baseline = true, OperationsPerInvoke = Operations)]
    public void NativeInline() => NativeLoops.Pairs(_pages, HeldPages.Count, Operations);

    /// <summary>C's loop, compiled as if there were no gate.</summary>
    [Benchmark(OperationsPerInvoke = Operations)]
    public void NativeUngated() => NativeLoops.PairsUngated(_pages, HeldPages.Count, Operations);

    /// <summary>The two atomics, in C#.</summary>
    [Benchmark(OperationsPerInvoke = Operations)]
    public int BareAtomics() => ManagedLoops.BareAtomics(_pages, HeldPages.Count, Operations);

    /// <summary>C#'s inlines.</summary>
    [Benchmark(OperationsPerInvoke = Operations)]
    public void ManagedInline() => ManagedLoops.Pairs(_pages, HeldPages.Count, Operations);

    /// <summary>C#'s inlines in a method that is called for each pair.</summary>
    [Benchmark(OperationsPerInvoke = Operations)]
    public void ManagedInlineCall() => ManagedLoops.PairCalls(_pages, HeldPages.Count, Operations);

    /// <summary>The exported functions, two calls a pair.</summary>
    [Benchmark(OperationsPerInvoke = Operations)]
    public void DllImport() => ManagedLoops.ImportPairs(_pages, HeldPages.Count, Operations);

    /// <summary>The exported functions in a method that is called for each pair.</summary>
    [Benchmark(OperationsPerInvoke = Operations)]
    public void DllImportCall() => ManagedLoops.ImportPairCalls(_pages, HeldPages.Count, Operations);

    /// <summary>.NET's counted reference.</summary>
    [Benchmark(OperationsPerInvoke = Operations)]
    public void SafeHandle() => ManagedLoops.SafeHandles(_handles, Operations);

    /// <summary>C#'s inlines on pages of a map that nobody hears of.</summary>
    [Benchmark(OperationsPerInvoke = Operations)]
    public void HostPage() => ManagedLoops.Pairs(_hostPages, HeldPages.Count, Operations);

    /// <summary>C#'s inlines on ordinary pages, the gate off.</summary>
    [Benchmark(OperationsPerInvoke = Operations)]
    public void GateOff() => ManagedLoops.Pairs(_ordinaryPages, HeldPages.Count, Operations);
}
