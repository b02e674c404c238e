// SPDX-License-Identifier: MIT
using System.Runtime.InteropServices;
using Devmap.Interop;

namespace Devmap.Benchmarks;

/// <summary>A map of which eight pages are held, and an array of them that native code can read.</summary>
internal sealed unsafe class HeldPages : IDisposable
{
    public const int Count = 8;

    private readonly CountingDriver? _driver;
    private readonly PageLease[] _leases;

    public HeldPages(MemoryType type)
    {
        _driver = type == MemoryType.DeviceHost ? null : new CountingDriver();
        Map = DevicePageMap.Create(new() { Type = type, PageCount = 256, Driver = _driver });
        _leases = [.. Enumerable.Range(0, Count).Select(i => Map.Lease(i))];
        Pages = (devmap_page**)NativeMemory.AlignedAlloc((nuint)(Count * sizeof(devmap_page*)), 64);
        for (int i = 0; i < Count; i++)
            Pages[i] = (devmap_page*)Map[i].DangerousGetHandle();
    }

    public DevicePageMap Map { get; }

    public devmap_page** Pages { get; }

    /// <summary>How often the benchmark called the driver.</summary>
    public long ExpectedCalls { get; set; }

    /// <summary>Gives everything back. Each page must be as held as it was, and idle once after it.</summary>
    public void Dispose()
    {
        for (int i = 0; i < Count; i++)
            Checks.Equal(2, Map[i].Count, $"count of page {i}");
        if (_driver is not null)
            Checks.Equal(ExpectedCalls, _driver.Calls, "driver's calls while the pages are held");
        foreach (PageLease lease in _leases)
            lease.Dispose();
        if (_driver is not null)
            Checks.Equal(ExpectedCalls + Count, _driver.Calls, "driver's calls");
        Map.Dispose();
        NativeMemory.AlignedFree(Pages);
    }
}
