// SPDX-License-Identifier: MIT
using Devmap.Interop;

namespace Devmap.Native;

/// <summary>What a map is part of, if anything: a file, or far memory. It ends with the map, and says how pages are taken.</summary>
internal abstract unsafe class MapBacking
{
    /// <summary>Of a map that is part of nothing else.</summary>
    public static MapBacking None { get; } = new NoBacking();

    /// <summary>What the map is called by it.</summary>
    public abstract string Name { get; }

    /// <summary>The path of the file that it is, or null.</summary>
    public virtual string? Path => null;

    /// <summary>
    /// Whether a page may be taken as it lies there, by <c>devmap_pagemap_get_page_fast</c>; else <see cref="GetPages"/> takes
    /// it.
    /// </summary>
    public virtual bool TakesPagesAsTheyAre => false;

    /// <summary>Whether a lease that is not for writing has no writable memory to give.</summary>
    public virtual bool GuardsReading => false;

    /// <summary>Whether the pages' driver words are the native side's.</summary>
    public virtual bool OwnsDriverData => false;

    /// <summary>Whether <see cref="OnUnmapped"/> waits for somebody, so that a caller that is not to be blocked is not to call it.</summary>
    public virtual bool EndsByWaiting => false;

    /// <summary>Tears the map down, with what it is part of: as <c>devmap_memunmap_pages</c>.</summary>
    public abstract int Unmap(devmap_pagemap* map, long timeoutNanoseconds, devmap_busy_report* report);

    /// <summary>Ends what an unmapped map leaves; called once, before the map's dispose ends.</summary>
    public virtual void OnUnmapped()
    {
    }

    /// <summary>Frees the handle of a map that is torn down.</summary>
    public abstract void Free(devmap_pagemap* map);

    /// <summary>Takes a reference on each of some pages of the map, to lease them for writing.</summary>
    /// <exception cref="InvalidOperationException">Not by the map.</exception>
    public virtual int GetPages(DevicePageMap map, long firstPage, long pageCount, devmap_page** page) =>
        NativeMethods.devmap_pagemap_get_pages(map.Pointer, (ulong)firstPage, (ulong)pageCount, page);

    /// <summary>Bytes of the memory from <paramref name="offset"/> on that are there to lease in a callback, and whether to write them.</summary>
    public virtual (long Length, bool IsWritable) InCallback(DevicePageMap map, long offset) => (map.PageSize, true);

    /// <summary>Why <see cref="GetPages"/> answered <paramref name="result"/>.</summary>
    public virtual Exception LeaseError(DevicePageMap map, int result, long firstPage, long pageCount) => map.LeaseError(result);

    private sealed class NoBacking : MapBacking
    {
        public override string Name => "device";

        public override bool TakesPagesAsTheyAre => true;

        public override int Unmap(devmap_pagemap* map, long timeoutNanoseconds, devmap_busy_report* report) =>
            NativeMethods.devmap_memunmap_pages(map, timeoutNanoseconds, null, report);

        public override void Free(devmap_pagemap* map) => _ = NativeMethods.devmap_pagemap_free(map);
    }
}
