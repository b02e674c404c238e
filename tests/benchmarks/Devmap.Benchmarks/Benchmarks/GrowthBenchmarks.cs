// SPDX-License-Identifier: MIT
using System.Runtime.InteropServices;
using BenchmarkDotNet.Attributes;
using Devmap.Interop;
using Devmap.Native;

namespace Devmap.Benchmarks;

/// <summary>What the number of maps costs.</summary>
public unsafe class GrowthBenchmarks
{
    private const int Operations = 4096;
    private const int Created = 16;
    private const int Pages = 8;
    private const int PageSize = 4096;
    private const long GiB = 1L << 30;

    private CountingDriver[] _drivers = [];
    private DevicePageMap[] _maps = [];
    private byte** _addresses;
    private EdgeCount? _edges;

    /// <summary>How many maps there are.</summary>
    [Params(1, 10, 100, 1000)]
    public int Maps { get; set; }

    /// <summary>Makes the maps, each with a driver.</summary>
    [GlobalSetup]
    public void Setup()
    {
        _edges = new EdgeCount();
        _drivers = [.. Enumerable.Range(0, Maps).Select(static _ => new CountingDriver())];
        _maps = [.. _drivers.Select(driver => Create(Pages, driver))];
        _addresses = (byte**)NativeMemory.Alloc((nuint)Maps, (nuint)sizeof(byte*));
        for (int i = 0; i < Maps; i++)
            _addresses[i] = (byte*)_maps[i].Address;
    }

    /// <summary>Gives everything back.</summary>
    [GlobalCleanup]
    public void Cleanup()
    {
        foreach (DevicePageMap map in _maps)
            map.Dispose();
        NativeMemory.Free(_addresses);
        Checks.Equal(_edges!.Expected, _drivers.Sum(static driver => driver.Calls), "drivers' calls");
        _edges.Verify();
    }

    /// <summary>Leases of a page, a map after the other.</summary>
    [Benchmark(OperationsPerInvoke = Operations)]
    public void LookupLease()
    {
        DevicePageMap[] maps = _maps;
        int map = 0;
        for (int i = 0; i < Operations; i++)
        {
            maps[map].Lease(i & (Pages - 1)).Dispose();
            if (++map == maps.Length)
                map = 0;
        }

        _edges!.Expected += Operations;
    }

    /// <summary>The same for a page of which only the address is known: found among all maps, taken, dropped.</summary>
    [Benchmark(OperationsPerInvoke = Operations)]
    public void LookupAddress()
    {
        byte** addresses = _addresses;
        int count = Maps;
        int map = 0;
        for (int i = 0; i < Operations; i++)
        {
            byte* address = addresses[map] + (PageSize * (i & (Pages - 1)));
            devmap_page* page = NativeMethods.devmap_virt_to_page(address);
            int result = NativeMethods.devmap_try_get_page(page);
            if (result != 0)
                Checks.Zero(result, nameof(NativeMethods.devmap_try_get_page));
            PageInlines.PutPage(page);
            if (++map == count)
                map = 0;
        }

        _edges!.Expected += Operations;
    }

    /// <summary>One map more, of a GiB, made and torn down. Per map.</summary>
    [Benchmark(OperationsPerInvoke = Created)]
    public void CreateDispose()
    {
        CountingDriver driver = _drivers[0];
        for (int i = 0; i < Created; i++)
            Create(GiB / PageSize, driver).Dispose();
    }

    private static DevicePageMap Create(long pages, PageDriver driver) =>
        DevicePageMap.Create(new() { Type = MemoryType.DevicePublic, PageCount = pages, Driver = driver });
}
