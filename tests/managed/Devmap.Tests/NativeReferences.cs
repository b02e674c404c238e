// SPDX-License-Identifier: MIT
using Devmap.Interop;
using Devmap.Native;
using Xunit;

namespace Devmap.Tests;

/// <summary>References that no lease holds, as native code takes and drops them.</summary>
internal static unsafe class NativeReferences
{
    /// <summary>Takes references through the page's map.</summary>
    public static void Take(DevicePage page, int count = 1)
    {
        devmap_page* pages;
        Assert.Equal(0, NativeMethods.devmap_pagemap_get_pages((devmap_pagemap*)page.Map.DangerousGetHandle(), (ulong)page.Index, 1, &pages));
        Assert.Equal(page.DangerousGetHandle(), (nint)pages);
        if (count > 1)
            PageInlines.GetPageRefs(pages, count - 1);
    }

    /// <summary>Takes references on each of some adjacent pages.</summary>
    public static void TakeEach(DevicePage firstPage, int pages, int count = 1)
    {
        for (int i = 0; i < pages; i++)
            Take(firstPage.Map[firstPage.Index + i], count);
    }

    /// <summary>Takes and drops a reference on the page at an address, where a map has one.</summary>
    public static void TakeAndPutAt(nint address)
    {
        devmap_pagemap* map = NativeMethods.devmap_get_pagemap((void*)address, null);
        devmap_page* page = NativeMethods.devmap_virt_to_page((void*)address);
        if (map != null && page != null && NativeMethods.devmap_try_get_page(page) == 0)
            NativeMethods.devmap_put_page(page);
        NativeMethods.devmap_put_pagemap(map);
    }

    /// <summary>Drops one reference.</summary>
    public static void Put(DevicePage page) => PageInlines.PutPage((devmap_page*)page.DangerousGetHandle());

    /// <summary>Drops the references of a lease that was lost, and is to be followed.</summary>
    public static void PutLost(DevicePage page)
    {
        devmap_reference reference;
        ulong found;
        Assert.Equal(0, NativeMethods.devmap_track_read((devmap_pagemap*)page.Map.DangerousGetHandle(), (ulong)page.Index, 1, 0, &reference, 1, &found));
        Assert.Equal(1ul, found);
        Assert.NotEqual(0ul, reference.owner);
        NativeMethods.devmap_put_owned_pages((devmap_page*)page.DangerousGetHandle(), 1, reference.owner);
    }
}
