// SPDX-License-Identifier: MIT
using System.Runtime.InteropServices;

namespace Devmap.Tests;

/// <summary>Threads that the runtime never saw; see tests/managed/native/threads.c.</summary>
internal sealed unsafe class NativeThreads
{
    private static readonly nint s_library = Load();

    // Kept until the threads have ended: a map that is disposed and forgotten is collected, and its handle with it.
    private readonly DevicePageMap _map;
    private readonly nint _crowd;

    private NativeThreads(DevicePageMap map, nint crowd)
    {
        _map = map;
        _crowd = crowd;
    }

    /// <summary>Starts threads that each drop <paramref name="puts"/> references of each page.</summary>
    /// <param name="firstPage">The first of the pages.</param>
    /// <param name="pages">How many there are.</param>
    /// <param name="threads">How many threads drop references of all of them.</param>
    /// <param name="puts">How many each thread drops of each page.</param>
    public static NativeThreads Put(DevicePage firstPage, int pages = 1, int threads = 1, int puts = 1)
    {
        var put = (delegate* unmanaged[Cdecl]<nint, ulong, uint, uint, nint>)NativeLibrary.GetExport(s_library, "testthreads_put");
        return new NativeThreads(firstPage.Map, put(firstPage.DangerousGetHandle(), (ulong)pages, (uint)threads, (uint)puts));
    }

    /// <summary>Starts threads that take and give back references on the first pages of a map, and hold none in the end.</summary>
    /// <param name="map">The map.</param>
    /// <param name="pages">How many of its pages are used.</param>
    /// <param name="threads">How many threads.</param>
    /// <param name="rounds">How often each takes or gives back.</param>
    /// <param name="seed">Where the threads' random numbers start.</param>
    public static NativeThreads Churn(DevicePageMap map, int pages, int threads, int rounds, int seed)
    {
        var churn = (delegate* unmanaged[Cdecl]<nint, ulong, uint, uint, ulong, nint>)NativeLibrary.GetExport(s_library, "testthreads_churn");
        return new NativeThreads(map, churn(map.DangerousGetHandle(), (ulong)pages, (uint)threads, (uint)rounds, (ulong)seed));
    }

    /// <summary>Waits for the threads.</summary>
    /// <returns>How many references on pages they took.</returns>
    public long Join()
    {
        var join = (delegate* unmanaged[Cdecl]<nint, ulong>)NativeLibrary.GetExport(s_library, "testthreads_join");
        long taken = (long)join(_crowd);
        GC.KeepAlive(_map);
        return taken;
    }

    /// <summary>After libdevmap, which it is linked to and has no path of its own to.</summary>
    private static nint Load()
    {
        if (!DevmapDiagnostics.LoadReport.IsLoaded)
            throw new InvalidOperationException(DevmapDiagnostics.LoadReport.Error);
        return NativeLibrary.Load(Path.Combine(AppContext.BaseDirectory, "runtimes", "linux-x64", "native", "libdevmap_testthreads.so"));
    }
}
