// SPDX-License-Identifier: MIT
using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;
using Devmap.Interop;
using Devmap.Native;

namespace Devmap.Benchmarks;

/// <summary>
/// The loops of <c>loops.h</c> in C#, with the same arguments: an array of page pointers, a power of two of them, used
/// in turn. No bounds and no null are checked in them, as in C.
/// </summary>
internal static unsafe class ManagedLoops
{
    [MethodImpl(MethodImplOptions.NoInlining)]
    public static void Pairs(devmap_page** pages, nuint pageCount, nuint n)
    {
        for (nuint i = 0; i < n; i++)
        {
            devmap_page* page = pages[i & (pageCount - 1)];
            PageInlines.GetPage(page);
            PageInlines.PutPage(page);
        }
    }

    /// <summary>
    /// The two atomics of a pair. Their results are used, as a pair uses them, so that they are the same instructions.
    /// </summary>
    [MethodImpl(MethodImplOptions.NoInlining)]
    public static int BareAtomics(devmap_page** pages, nuint pageCount, nuint n)
    {
        int seen = 0;
        for (nuint i = 0; i < n; i++)
        {
            devmap_page* page = pages[i & (pageCount - 1)];
            seen |= Interlocked.Add(ref *(int*)page, 1);
            seen |= Interlocked.Add(ref *(int*)page, -1);
        }

        return seen;
    }

    [MethodImpl(MethodImplOptions.NoInlining)]
    public static void PairCalls(devmap_page** pages, nuint pageCount, nuint n)
    {
        for (nuint i = 0; i < n; i++)
            Pair(pages[i & (pageCount - 1)]);
    }

    /// <summary>The exported functions. The frame of the imports is set up once, before the loop.</summary>
    [MethodImpl(MethodImplOptions.NoInlining)]
    public static void ImportPairs(devmap_page** pages, nuint pageCount, nuint n)
    {
        for (nuint i = 0; i < n; i++)
        {
            devmap_page* page = pages[i & (pageCount - 1)];
            NativeMethods.devmap_get_page(page);
            NativeMethods.devmap_put_page(page);
        }
    }

    /// <summary>
    /// The exported functions, as a program's method pays for them: with a frame set up in each call of it.
    /// </summary>
    [MethodImpl(MethodImplOptions.NoInlining)]
    public static void ImportPairCalls(devmap_page** pages, nuint pageCount, nuint n)
    {
        for (nuint i = 0; i < n; i++)
            ImportPair(pages[i & (pageCount - 1)]);
    }

    /// <summary>As <see cref="DevicePageMap.Lease"/> takes a page and gives it back, without the lease.</summary>
    [MethodImpl(MethodImplOptions.NoInlining)]
    public static void Edges(devmap_pagemap* map, nuint pageCount, nuint n)
    {
        for (nuint i = 0; i < n; i++)
        {
            devmap_page* page = NativeMethods.devmap_pagemap_get_page_fast(map, i & (pageCount - 1));
            if (page == null)
                Checks.Equal(1, 0, "pages taken");
            PageInlines.PutPage(page);
        }
    }

    [MethodImpl(MethodImplOptions.NoInlining)]
    public static void SafeHandles(SafeHandle[] handles, nuint n)
    {
        ref SafeHandle first = ref MemoryMarshal.GetArrayDataReference(handles);
        for (nuint i = 0; i < n; i++)
        {
            SafeHandle handle = Unsafe.Add(ref first, i & 7);
            bool taken = false;
            handle.DangerousAddRef(ref taken);
            handle.DangerousRelease();
        }
    }

    [MethodImpl(MethodImplOptions.NoInlining)]
    private static void Pair(devmap_page* page)
    {
        PageInlines.GetPage(page);
        PageInlines.PutPage(page);
    }

    [MethodImpl(MethodImplOptions.NoInlining)]
    private static void ImportPair(devmap_page* page)
    {
        NativeMethods.devmap_get_page(page);
        NativeMethods.devmap_put_page(page);
    }
}
