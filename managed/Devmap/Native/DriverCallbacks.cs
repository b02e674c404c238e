// SPDX-License-Identifier: MIT
using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;
using Devmap.Interop;

namespace Devmap.Native;

/// <summary>
/// What native code calls when pages become idle: static functions that find their map by the <see cref="GCHandle"/> given
/// as data, and that nothing escapes from.
/// </summary>
internal static unsafe class DriverCallbacks
{
    /// <summary>
    /// Kept, so that an idle edge met in managed code can tell a managed driver by it. Should the runtime ever give one
    /// method two entry points, such an edge would only go the long way, through native code.
    /// </summary>
    private static readonly nint s_pageFree = (nint)(delegate* unmanaged[Cdecl]<devmap_page*, void*, void>)&OnPageFree;

    public static delegate* unmanaged[Cdecl]<devmap_page*, void*, void> PageFree => (delegate* unmanaged[Cdecl]<devmap_page*, void*, void>)s_pageFree;

    /// <summary>For drivers that are a <see cref="BatchPageDriver"/>.</summary>
    public static delegate* unmanaged[Cdecl]<devmap_page**, uint, void*, void> PagesFree => &OnPagesFree;

    /// <summary>Calls the driver of a page whose callback is <see cref="PageFree"/>. Throws nothing.</summary>
    public static void Dispatch(devmap_page* page, void* data)
    {
        try
        {
            DevicePageMap map = MapOf(data, page);
            map.Driver!.OnPageFree(new DevicePage(map, map.IndexOf(page)));
        }
#pragma warning disable CA1031 // No managed exception crosses a native frame.
        catch (Exception exception)
#pragma warning restore CA1031
        {
            FaultReporter.ReportDriver(page, exception);
        }
    }

    [UnmanagedCallersOnly(CallConvs = [typeof(CallConvCdecl)])]
    private static void OnPageFree(devmap_page* page, void* data) => Dispatch(page, data);

    [UnmanagedCallersOnly(CallConvs = [typeof(CallConvCdecl)])]
    private static void OnPagesFree(devmap_page** pages, uint count, void* data)
    {
        try
        {
            CallBatch(MapOf(data, pages[0]), new ReadOnlySpan<nint>(pages, (int)count));
        }
#pragma warning disable CA1031 // As above.
        catch (Exception exception)
#pragma warning restore CA1031
        {
            FaultReporter.ReportDriver(pages[0], exception);
        }
    }

    private static DevicePageMap MapOf(void* data, devmap_page* page)
    {
        var map = (DevicePageMap)GCHandle.FromIntPtr((nint)data).Target!;
        if (map.Pointer == null)
            map.Adopt(page->pgmap);
        return map;
    }

    private static void CallBatch(DevicePageMap map, ReadOnlySpan<nint> pages)
    {
        DevicePage[] batch = map.TakeBatch();
        try
        {
            for (int i = 0; i < pages.Length; i++)
                DevicePage.SetIndex(ref batch[i], map.IndexOf((devmap_page*)pages[i]));
            ((BatchPageDriver)map.Driver!).OnPagesFree(batch.AsSpan(0, pages.Length));
        }
        finally
        {
            map.GiveBatchBack(batch);
        }
    }
}
