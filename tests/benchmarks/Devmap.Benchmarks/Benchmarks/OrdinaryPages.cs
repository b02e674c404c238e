// SPDX-License-Identifier: MIT
using System.Runtime.InteropServices;
using Devmap.Interop;
using Devmap.Native;

namespace Devmap.Benchmarks;

/// <summary>
/// Eight ordinary pages, of no map, with two references each: a get and its put meet neither the first nor the last.
/// </summary>
internal sealed unsafe class OrdinaryPages : IDisposable
{
    private readonly long _before = DevmapDiagnostics.ReadStatistics().OrdinaryPages.Current;

    public OrdinaryPages()
    {
        // What is measured is a put while nobody wants idle callbacks.
        Checks.Equal(0, DevmapGate.HolderCount, "holders of the gate");
        Pages = (devmap_page**)NativeMemory.AlignedAlloc((nuint)(HeldPages.Count * sizeof(devmap_page*)), 64);
        for (int i = 0; i < HeldPages.Count; i++)
        {
            Checks.Zero(NativeMethods.devmap_alloc_pages(0, &Pages[i]), nameof(NativeMethods.devmap_alloc_pages));
            PageInlines.GetPage(Pages[i]);
        }
    }

    public devmap_page** Pages { get; }

    public void Dispose()
    {
        Checks.Equal(0, DevmapGate.HolderCount, "holders of the gate");
        for (int i = 0; i < HeldPages.Count; i++)
        {
            Checks.Equal(2, PageInlines.PageCount(Pages[i]), $"count of page {i}");
            PageInlines.PutPageRefs(Pages[i], 2);
        }

        Checks.Equal(_before, DevmapDiagnostics.ReadStatistics().OrdinaryPages.Current, "ordinary pages left");
        NativeMemory.AlignedFree(Pages);
    }
}
