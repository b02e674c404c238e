// SPDX-License-Identifier: MIT
using System.Diagnostics.CodeAnalysis;
using BenchmarkDotNet.Attributes;
using Devmap.Interop;

namespace Devmap.Benchmarks;

/// <summary>A get and its put on ordinary pages that stay in use, while nobody holds the gate.</summary>
[SuppressMessage("Design", "CA1001", Justification = "The cleanup disposes of it.")]
public unsafe class PutGateOffBenchmarks
{
    private const int Operations = 4096;

    private OrdinaryPages? _ordinary;
    private devmap_page** _pages;

    /// <summary>Allocates the pages.</summary>
    [GlobalSetup]
    public void Setup()
    {
        _ordinary = new OrdinaryPages();
        _pages = _ordinary.Pages;
    }

    /// <summary>Frees them.</summary>
    [GlobalCleanup]
    public void Cleanup() => _ordinary?.Dispose();

    /// <summary>C's loop.</summary>
    [Benchmark(Baseline = true, OperationsPerInvoke = Operations)]
    public void NativeInline() => NativeLoops.Pairs(_pages, HeldPages.Count, Operations);

    /// <summary>C#'s inlines.</summary>
    [Benchmark(OperationsPerInvoke = Operations)]
    public void ManagedInline() => ManagedLoops.Pairs(_pages, HeldPages.Count, Operations);
}
