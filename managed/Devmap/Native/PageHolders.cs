// SPDX-License-Identifier: MIT
using System.Collections.Concurrent;
using System.Diagnostics;
using System.Globalization;
using System.Runtime.InteropServices;
using Devmap.Interop;

namespace Devmap.Native;

/// <summary>Reads who holds pages, as far as the native side follows them.</summary>
internal static unsafe class PageHolders
{
    private const int NanosecondsPerTick = 100;
    private const int EventBits = 4;

    // Of leases that were taken in one.
    private static readonly ConcurrentDictionary<ulong, string> s_activities = new();

    /// <summary>Notes the activity, if any, that a lease was taken in. Throws nothing.</summary>
    public static void NoteActivity(ulong owner)
    {
        if (Activity.Current is not { } activity)
            return;
        try
        {
            s_activities[owner] = activity.Id is { } id ? $"{activity.OperationName} {id}" : activity.OperationName;
        }
        catch (OutOfMemoryException)
        {
            // It stays unknown.
        }
    }

    /// <summary>The lease ended.</summary>
    public static void ForgetActivity(ulong owner)
    {
        if (!s_activities.IsEmpty)
            s_activities.TryRemove(owner, out _);
    }

    /// <summary>Reads holders, the oldest first.</summary>
    /// <param name="map">A native map, or 0 for all.</param>
    /// <param name="firstPage">Index of the first page.</param>
    /// <param name="pageCount">Number of pages.</param>
    /// <param name="olderThan">Only those held for at least so long.</param>
    /// <param name="limit">The most to read.</param>
    /// <returns>Each with the native map, which is only to be compared.</returns>
    public static List<(nint Map, PageHolder Holder)> Read(nint map, long firstPage, long pageCount, TimeSpan olderThan, int limit)
    {
        devmap_reference[] references = ReadReferences(map, firstPage, pageCount, olderThan, limit);
        Array.Sort(references, static (left, right) => left.taken_ns.CompareTo(right.taken_ns));

        // In this order, so that none was taken before it was.
        ulong clock = (ulong)Stopwatch.GetElapsedTime(0).Ticks * NanosecondsPerTick;
        DateTimeOffset now = DateTimeOffset.Now;
        var holders = new List<(nint Map, PageHolder Holder)>(references.Length);
        foreach (ref readonly devmap_reference reference in references.AsSpan())
            holders.Add(((nint)reference.pgmap, ToHolder(in reference, now, clock)));
        return holders;
    }

    /// <summary>The holder of a reference, if it is still there.</summary>
    /// <param name="map">The page's map, where it is a managed one; else all references are looked at, as the handle may be freed by now.</param>
    /// <param name="index">Index of the page.</param>
    /// <param name="reference">The reference's number.</param>
    public static PageHolder? Find(DevicePageMap? map, ulong index, ulong reference)
    {
        devmap_reference[] references = map is null
            ? ReadReferences(0, 0, long.MaxValue, TimeSpan.Zero, int.MaxValue)
            : ReadReferences((nint)map.Pointer, (long)index, 1, TimeSpan.Zero, int.MaxValue);
        GC.KeepAlive(map);

        // In this order, so that none was taken before it was.
        ulong clock = (ulong)Stopwatch.GetElapsedTime(0).Ticks * NanosecondsPerTick;
        DateTimeOffset now = DateTimeOffset.Now;
        foreach (ref readonly devmap_reference found in references.AsSpan())
        {
            if (found.id == reference)
                return ToHolder(in found, now, clock);
        }

        return null;
    }

    /// <summary>What happened to a page, the oldest first.</summary>
    public static IReadOnlyList<PageEvent> ReadHistory(devmap_pagemap* map, long index) =>
        ToEvents(NativeMethods.devmap_page_history(map, (ulong)index));

    /// <summary>A history in the native side's form, which has the latest event in the lowest bits.</summary>
    public static IReadOnlyList<PageEvent> ToEvents(ulong history)
    {
        if (history == 0)
            return [];
        var events = new List<PageEvent>(NativeMethods.DEVMAP_PAGE_HISTORY);
        for (int shift = (NativeMethods.DEVMAP_PAGE_HISTORY - 1) * EventBits; shift >= 0; shift -= EventBits)
        {
            var seen = (PageEvent)(history >> shift & ((1 << EventBits) - 1));
            if (seen != PageEvent.None)
                events.Add(seen);
        }

        return events;
    }

    private static devmap_reference[] ReadReferences(nint map, long firstPage, long pageCount, TimeSpan olderThan, int limit)
    {
        devmap_reference[] references = [];
        while (true)
        {
            ulong found;
            fixed (devmap_reference* pointer = references)
            {
                int result = NativeMethods.devmap_track_read(
                    (devmap_pagemap*)map,
                    (ulong)firstPage,
                    (ulong)pageCount,
                    (ulong)Math.Max(0, Timeouts.ToNanoseconds(olderThan)),
                    pointer,
                    (ulong)references.Length,
                    &found);
                if (result != 0)
                    throw NativeError.Create(result, "Reading who holds pages");
            }

            // More may have come since there was room for all.
            int wanted = (int)Math.Min(found, (ulong)limit);
            if (wanted <= references.Length)
                return references.Length == wanted ? references : references[..wanted];
            references = new devmap_reference[(int)Math.Min((ulong)limit, found + (found / 8))];
        }
    }

    private static PageHolder ToHolder(in devmap_reference reference, DateTimeOffset now, ulong clock)
    {
        var age = TimeSpan.FromTicks((long)(clock > reference.taken_ns ? clock - reference.taken_ns : 0) / NanosecondsPerTick);
        bool isLease = reference.owner != 0;
        string name;
        fixed (devmap_reference* pointer = &reference)
            name = Marshal.PtrToStringUTF8((nint)(&pointer->thread_name)) ?? string.Empty;
        return new PageHolder
        {
            PageIndex = (long)reference.index,
            Map = ManagedMaps.Find(reference.pgmap),
            TakenAt = now - age,
            Age = age,
            ThreadId = (int)reference.thread,
            ThreadName = name,
            Activity = isLease ? s_activities.GetValueOrDefault(reference.owner) : null,
            Stack = isLease ? StackDepot.Find(reference.stack) : StackDepot.ReadNative(reference.stack),
            IsLease = isLease,
            IsActivation = reference.activated != 0,
            References = (int)reference.nr_refs,
        };
    }
}
