// SPDX-License-Identifier: MIT
using Devmap.Interop;

namespace Devmap.Native;

/// <summary>Finds the pages in use for a snapshot: those whose references are followed, and on demand others.</summary>
internal static unsafe class BusyPageReader
{
    public static IReadOnlyList<BusyPageSnapshot> Read(devmap_map_info[] maps, SnapshotOptions options)
    {
        Dictionary<nint, long> ids = new(maps.Length);
        foreach (devmap_map_info map in maps)
            ids[(nint)map.pgmap] = (long)map.id;
        List<(nint Map, PageHolder Holder)> holders =
            options.HolderLimit == 0 ? [] : PageHolders.Read(0, 0, long.MaxValue, TimeSpan.Zero, options.HolderLimit);
        Dictionary<(nint Map, long Index), BusyPageSnapshot> pages = [];
        foreach (IGrouping<(nint Map, long Index), PageHolder> page in holders.GroupBy(held => (held.Map, held.Holder.PageIndex), held => held.Holder))
        {
            // A snapshot is data, and holds no map.
            PageHolder[] of = [.. page.Select(holder => holder with { Map = null })];
            if (CountOf(page.Key.Map, page.Key.Index) is var count and not 0)
                pages[page.Key] = PageOf(page.Key.Map, ids.GetValueOrDefault(page.Key.Map), page.Key.Index, count ?? (1 + of.Sum(holder => holder.References)), of);
        }

        AddOthers(pages, maps, options.BusyPageLimit);
        return [.. pages.Values.OrderBy(page => page.MapId).ThenBy(page => page.PageIndex)];
    }

    private static BusyPageSnapshot PageOf(nint map, long id, long index, int count, IReadOnlyList<PageHolder> holders) => new()
    {
        MapId = id,
        PageIndex = index,
        Count = count,
        Holders = holders,
        History = HistoryOf(map, index),
    };

    private static void AddOthers(Dictionary<(nint Map, long Index), BusyPageSnapshot> pages, devmap_map_info[] maps, int limit)
    {
        foreach (devmap_map_info map in maps)
        {
            if (pages.Count >= limit)
                return;
            if (map.pages_in_use == 0)
                continue;

            // The limit may be any number, of which no array is made.
            int room = (int)Math.Min((ulong)limit, map.pages_in_use);
            foreach (devmap_busy_page busy in BusyPagesOf((nint)map.pgmap, 0, (long)map.nr_pages, room) ?? [])
            {
                if (pages.Count >= limit)
                    break;
                pages.TryAdd(((nint)map.pgmap, (long)busy.index), PageOf((nint)map.pgmap, (long)map.id, (long)busy.index, busy.count, []));
            }
        }
    }

    /// <summary>A page's count; 0 when it is idle by now, and null where it cannot be asked.</summary>
    private static int? CountOf(nint map, long index) =>
        BusyPagesOf(map, index, 1, 1) is { } busy ? busy.Select(page => page.count).FirstOrDefault() : null;

    /// <summary>Null for a map that managed code does not keep: its handle may be freed at any moment.</summary>
    private static devmap_busy_page[]? BusyPagesOf(nint handle, long firstPage, long pageCount, int limit)
    {
        if (ManagedMaps.Find((devmap_pagemap*)handle) is not { } map)
            return null;
        var busy = new devmap_busy_page[limit];
        ulong found;
        int result;
        fixed (devmap_busy_page* pointer = busy)
            result = NativeMethods.devmap_pagemap_busy_pages(map.Pointer, (ulong)firstPage, (ulong)pageCount, pointer, (ulong)limit, &found);
        GC.KeepAlive(map);
        return result == 0 ? busy[..(int)Math.Min(found, (ulong)limit)] : [];
    }

    private static IReadOnlyList<PageEvent> HistoryOf(nint handle, long index)
    {
        if (ManagedMaps.Find((devmap_pagemap*)handle) is not { } map)
            return [];
        IReadOnlyList<PageEvent> history = PageHolders.ReadHistory(map.Pointer, index);
        GC.KeepAlive(map);
        return history;
    }
}
