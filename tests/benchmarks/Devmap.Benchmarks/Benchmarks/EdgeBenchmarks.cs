// SPDX-License-Identifier: MIT
using System.Buffers;
using System.Diagnostics.CodeAnalysis;
using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;
using BenchmarkDotNet.Attributes;
using Devmap.Interop;
using Devmap.Native;

namespace Devmap.Benchmarks;

/// <summary>
/// A page's way from idle to idle: acquired, dropped for the last time, its driver called. "From" says which language
/// takes and drops the page, the word before it whose driver hears.
/// </summary>
[SuppressMessage("Design", "CA1001", Justification = "The cleanup disposes of it.")]
[SuppressMessage("Performance", "CA1822", Justification = "BenchmarkDotNet wants instance methods.")]
public unsafe class EdgeBenchmarks
{
    private const int Operations = 4096;
    private const int Pages = 8;
    private const int Bytes = 4096;

    private readonly CountingDriver _driver = new();
    private DevicePageMap? _map;
    private NativeMap? _nativeMap;
    private EdgeCount? _edges;
    private devmap_page** _words;
    private long _driven;

    /// <summary>Makes a map for each driver, and eight words for the floor.</summary>
    [GlobalSetup]
    public void Setup()
    {
        _edges = new EdgeCount();
        _map = DevicePageMap.Create(new() { Type = MemoryType.DevicePublic, PageCount = 256, Driver = _driver });
        _nativeMap = new NativeMap(256);

        // As far apart as pages' counts are, behind the pointers to them.
        _words = (devmap_page**)NativeMemory.AlignedAlloc(64 + (Pages * 64), 64);
        NativeMemory.Clear(_words, 64 + (Pages * 64));
        for (int i = 0; i < Pages; i++)
            _words[i] = (devmap_page*)((byte*)_words + 64 + (i * 64));
    }

    /// <summary>Gives everything back.</summary>
    [GlobalCleanup]
    public void Cleanup()
    {
        _map!.Dispose();
        _nativeMap!.Dispose();
        for (int i = 0; i < Pages; i++)
            Checks.Equal(0, *(int*)_words[i], $"word {i}");
        NativeMemory.AlignedFree(_words);
        Checks.Equal(_driven, _driver.Calls, "driver's calls");
        _edges!.Verify();
    }

    /// <summary>C takes and drops, C's driver hears.</summary>
    [Benchmark(Baseline = true, OperationsPerInvoke = Operations)]
    public void NativeFromNative()
    {
        NativeLoops.Edges(_nativeMap!.Pointer, Pages, Operations);
        Expect(driven: false);
    }

    /// <summary>C# takes and drops, C's driver hears.</summary>
    [Benchmark(OperationsPerInvoke = Operations)]
    public void NativeFromManaged()
    {
        ManagedLoops.Edges(_nativeMap!.Pointer, Pages, Operations);
        Expect(driven: false);
    }

    /// <summary>C takes and drops, C#'s driver hears.</summary>
    [Benchmark(OperationsPerInvoke = Operations)]
    public void ManagedFromNative()
    {
        NativeLoops.Edges(_map!.Pointer, Pages, Operations);
        Expect(driven: true);
    }

    /// <summary>C# takes and drops, C#'s driver hears.</summary>
    [Benchmark(OperationsPerInvoke = Operations)]
    public void ManagedFromManaged()
    {
        ManagedLoops.Edges(_map!.Pointer, Pages, Operations);
        Expect(driven: true);
    }

    /// <summary>The same by a lease.</summary>
    [Benchmark(OperationsPerInvoke = Operations)]
    public void Lease()
    {
        DevicePageMap map = _map!;
        for (int i = 0; i < Operations; i++)
            map.Lease(i & (Pages - 1)).Dispose();
        Expect(driven: true);
    }

    /// <summary>The same by leases, eight at a time, in turn.</summary>
    [Benchmark(OperationsPerInvoke = Operations)]
    public void LeaseEightOut()
    {
        DevicePageMap map = _map!;
        Eight<PageLease> leases = default;
        for (int i = 0; i < Operations / Pages; i++)
        {
            for (int j = 0; j < Pages; j++)
                leases[j] = map.Lease(j);
            for (int j = 0; j < Pages; j++)
                leases[j].Dispose();
        }

        Expect(driven: true);
    }

    /// <summary>As <see cref="ManagedFromManaged"/>, with eight pages in use at a time.</summary>
    [Benchmark(OperationsPerInvoke = Operations)]
    public void ManagedFromManagedEightOut()
    {
        EdgesEightOut(_map!.Pointer);
        Expect(driven: true);
    }

    /// <summary>A buffer of a page's size from .NET's pool, which tells nobody.</summary>
    [Benchmark(OperationsPerInvoke = Operations)]
    public void ArrayPoolRentReturn4K()
    {
        for (int i = 0; i < Operations; i++)
            ArrayPool<byte>.Shared.Return(ArrayPool<byte>.Shared.Rent(Bytes));
    }

    /// <summary>The same, eight at a time: more than a thread keeps for itself.</summary>
    [Benchmark(OperationsPerInvoke = Operations)]
    public void ArrayPoolRentReturn4KEightOut()
    {
        Eight<byte[]> arrays = default;
        for (int i = 0; i < Operations / Pages; i++)
        {
            for (int j = 0; j < Pages; j++)
                arrays[j] = ArrayPool<byte>.Shared.Rent(Bytes);
            for (int j = 0; j < Pages; j++)
                ArrayPool<byte>.Shared.Return(arrays[j]);
        }
    }

    /// <summary>The floor: an atomic up and one down.</summary>
    [Benchmark(OperationsPerInvoke = Operations)]
    public int AtomicPair() => ManagedLoops.BareAtomics(_words, Pages, Operations);

    [MethodImpl(MethodImplOptions.NoInlining)]
    private static void EdgesEightOut(devmap_pagemap* map)
    {
        devmap_page** pages = stackalloc devmap_page*[Pages];
        for (int i = 0; i < Operations / Pages; i++)
        {
            for (int j = 0; j < Pages; j++)
            {
                pages[j] = NativeMethods.devmap_pagemap_get_page_fast(map, (ulong)j);
                if (pages[j] == null)
                    Checks.Equal(1, 0, "pages taken");
            }

            for (int j = 0; j < Pages; j++)
                PageInlines.PutPage(pages[j]);
        }
    }

    private void Expect(bool driven)
    {
        _edges!.Expected += Operations;
        if (driven)
            _driven += Operations;
    }
}
