// SPDX-License-Identifier: MIT
using System.Runtime.CompilerServices;
using Devmap.Interop;

namespace Devmap.Native;

/// <summary>
/// The header's hot inlines, over the same words, in the order of <c>devmap/page.h</c>; the arguments stand there.
/// <see cref="Interlocked"/> orders at least as strongly as the C side asks.
/// </summary>
internal static unsafe class PageInlines
{
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static devmap_page* CompoundHead(devmap_page* page)
    {
        nuint head = page->compound_head;
        return (head & 1) != 0 ? (devmap_page*)(head - 1) : page;
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static int PageCount(devmap_page* page)
    {
        uint refs = unchecked((uint)Volatile.Read(ref CompoundHead(page)->refcount));
        uint tracked = unchecked(refs - (uint)NativeMethods.DEVMAP_REFCOUNT_TRACKED);

        // From T - 2^27 to T + 2^27 - 1 it is tracked.
        return unchecked((int)((tracked + (1u << 27) < 1u << 28 ? tracked : refs) + 1));
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static void GetPageRefs(devmap_page* page, int references)
    {
        page = CompoundHead(page);
        int refcount = Interlocked.Add(ref RefCount(page), references);
        if (refcount <= references)
            GetPageSlow(page, unchecked(refcount - references), references);
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static void GetPage(devmap_page* page) => GetPageRefs(page, 1);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static void PutPageRefs(devmap_page* page, int references)
    {
        page = CompoundHead(page);
        int old = unchecked(Interlocked.Add(ref RefCount(page), -references) + references);
        if (old <= references)
            PutPageSlow(page, old, references);
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static void PutPage(devmap_page* page) => PutPageRefs(page, 1);

    /// <summary>
    /// The page's first field, by the pointer itself. By its name, the compiler first reads the word to see whether the
    /// pointer is null, and a read of what an atomic has just written waits for it: 1.6 times the native pair's time
    /// instead of 1.0 (PutBenchmarks.ManagedInline in tests/benchmarks).
    /// </summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static ref int RefCount(devmap_page* page) => ref *(int*)page;

    /// <summary>
    /// Not inlined, as <see cref="PutPageSlow"/>: a method that may leave managed code prepares for it on every call.
    /// </summary>
    [MethodImpl(MethodImplOptions.NoInlining)]
    private static void GetPageSlow(devmap_page* page, int old, int references) =>
        NativeMethods.devmap_get_page_slow(page, old, (uint)references);

    /// <summary>
    /// The idle edge without leaving managed code when the driver is managed; the native side opens and closes it, so that
    /// contracts and counters are the same. Whatever else there is goes the long way, in methods of its own.
    /// </summary>
    [MethodImpl(MethodImplOptions.NoInlining)]
    [SkipLocalsInit]
    private static void PutPageSlow(devmap_page* page, int old, int references)
    {
        devmap_idle_frame frame;
        if (old != references || references == 0)
        {
            PutBelowIdle(page, old, references);
            return;
        }

        if (!NativeMethods.devmap_page_idle_begin(page, &frame))
            return;
        try
        {
            if ((void*)frame.page_free == (void*)DriverCallbacks.PageFree)
                DriverCallbacks.Dispatch(page, frame.data);
            else if (frame.page_free != null)
                CallNativeDriver(&frame);
        }
        finally
        {
            // In any case: the native side keeps the frame, which is on this stack, until here.
            if (NativeMethods.devmap_page_idle_end_fast(&frame))
                Wake(&frame);
        }
    }

    [MethodImpl(MethodImplOptions.NoInlining)]
    private static void PutBelowIdle(devmap_page* page, int old, int references) =>
        NativeMethods.devmap_put_page_slow(page, old, (uint)references);

    [MethodImpl(MethodImplOptions.NoInlining)]
    private static void CallNativeDriver(devmap_idle_frame* frame) => frame->page_free(frame->page, frame->data);

    [MethodImpl(MethodImplOptions.NoInlining)]
    private static void Wake(devmap_idle_frame* frame) => NativeMethods.devmap_page_idle_wake(frame);
}
