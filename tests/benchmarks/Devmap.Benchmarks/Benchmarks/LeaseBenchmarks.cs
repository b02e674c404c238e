// SPDX-License-Identifier: MIT
using System.Buffers;
using System.Diagnostics.CodeAnalysis;
using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;
using BenchmarkDotNet.Attributes;
using Microsoft.IO;
using Microsoft.Win32.SafeHandles;

namespace Devmap.Benchmarks;

/// <summary>
/// A lease and its dispose against what .NET has for lending 4096 bytes. Unless said, the leases' map has a driver,
/// which hears of each page; the others tell nobody.
/// </summary>
[SuppressMessage("Design", "CA1001", Justification = "The cleanup disposes of it.")]
[SuppressMessage("Performance", "CA1822", Justification = "BenchmarkDotNet wants instance methods.")]
public unsafe class LeaseBenchmarks
{
    private const int Operations = 4096;
    private const int Pages = 8;
    private const int PagesOfSixteen = 16;
    private const int Bytes = 4096;

    private readonly CountingDriver _driver = new();
    private readonly RecyclableMemoryStreamManager _streams = new();
    private DevicePageMap? _map;
    private DevicePageMap? _hostMap;
    private PageLease[] _held = [];
    private PageFile? _file;
    private SafeMemoryMappedViewHandle[] _views = [];
    private SafeHandle[] _handles = [];
    private EdgeCount? _edges;
    private long _driven;
    private long _undriven;

    /// <summary>Makes the maps, the file and the handles.</summary>
    [GlobalSetup]
    public void Setup() => SetUp(reuseLeases: false);

    /// <summary>The same, with a map that uses its leases again.</summary>
    [GlobalSetup(Target = nameof(LeaseReused))]
    public void SetupReused() => SetUp(reuseLeases: true);

    /// <summary>Gives everything back.</summary>
    [GlobalCleanup]
    public void Cleanup()
    {
        foreach (PageLease lease in _held)
            lease.Dispose();
        _map!.Dispose();
        _hostMap!.Dispose();
        _file!.Dispose();
        TrivialHandle.End(_handles);
        Checks.Equal(_driven, _driver.Calls, "driver's calls");
        Checks.Equal(0, _streams.SmallPoolInUseSize, "bytes of streams left");
        _edges!.Expected = _driven + _undriven;
        _edges.Verify();
    }

    /// <summary>A page.</summary>
    [Benchmark(Baseline = true, OperationsPerInvoke = Operations)]
    public void Lease() => LeaseEach();

    /// <summary>A page, of a map that uses its leases again.</summary>
    [Benchmark(OperationsPerInvoke = Operations)]
    public void LeaseReused() => LeaseEach();

    /// <summary>A page of a map without a driver.</summary>
    [Benchmark(OperationsPerInvoke = Operations)]
    public void LeaseHost()
    {
        DevicePageMap map = _hostMap!;
        for (int i = 0; i < Operations; i++)
            map.Lease(i & (Pages - 1)).Dispose();
        _undriven += Operations;
    }

    /// <summary>A page, and a byte written to it.</summary>
    [Benchmark(OperationsPerInvoke = Operations)]
    public void LeaseSpanByte()
    {
        DevicePageMap map = _map!;
        for (int i = 0; i < Operations; i++)
        {
            PageLease lease = map.Lease(i & (Pages - 1));
            lease.Span[0] = 1;
            lease.Dispose();
        }

        _driven += Operations;
    }

    /// <summary>Sixteen pages: per lease.</summary>
    [Benchmark(OperationsPerInvoke = Operations)]
    public void LeaseOfSixteen()
    {
        DevicePageMap map = _map!;
        for (int i = 0; i < Operations; i++)
            map.Lease(PagesOfSixteen * (i & (Pages - 1)), PagesOfSixteen).Dispose();
        _driven += Operations * PagesOfSixteen;
    }

    /// <summary>A second lease of a page that is held.</summary>
    [Benchmark(OperationsPerInvoke = Operations)]
    public void LeaseShare()
    {
        ref PageLease first = ref MemoryMarshal.GetArrayDataReference(_held);
        for (nuint i = 0; i < Operations; i++)
            Unsafe.Add(ref first, i & (Pages - 1)).Share().Dispose();
    }

    /// <summary>.NET's owner of pooled memory.</summary>
    [Benchmark(OperationsPerInvoke = Operations)]
    public void MemoryPool()
    {
        for (int i = 0; i < Operations; i++)
            MemoryPool<byte>.Shared.Rent(Bytes).Dispose();
    }

    /// <summary>The same, and a byte written to it.</summary>
    [Benchmark(OperationsPerInvoke = Operations)]
    public void MemoryPoolSpanByte()
    {
        for (int i = 0; i < Operations; i++)
        {
            IMemoryOwner<byte> owner = MemoryPool<byte>.Shared.Rent(Bytes);
            owner.Memory.Span[0] = 1;
            owner.Dispose();
        }
    }

    /// <summary>.NET's pool of arrays.</summary>
    [Benchmark(OperationsPerInvoke = Operations)]
    public void ArrayPool()
    {
        for (int i = 0; i < Operations; i++)
            ArrayPool<byte>.Shared.Return(ArrayPool<byte>.Shared.Rent(Bytes));
    }

    /// <summary>A pooled stream.</summary>
    [Benchmark(OperationsPerInvoke = Operations)]
    public void RecyclableMemoryStream()
    {
        RecyclableMemoryStreamManager streams = _streams;
        for (int i = 0; i < Operations; i++)
            streams.GetStream(nameof(LeaseBenchmarks), Bytes).Dispose();
    }

    /// <summary>Off-heap memory, allocated and freed.</summary>
    [Benchmark(OperationsPerInvoke = Operations)]
    public void NativeMemoryOwner()
    {
        for (int i = 0; i < Operations; i++)
            new NativeMemoryOwner(Bytes).Dispose();
    }

    /// <summary>A mapped file's page by .NET: a view's pointer, taken and given back.</summary>
    [Benchmark(OperationsPerInvoke = Operations)]
    public void ViewAccessorPointer()
    {
        ref SafeMemoryMappedViewHandle first = ref MemoryMarshal.GetArrayDataReference(_views);
        for (nuint i = 0; i < Operations; i++)
        {
            SafeMemoryMappedViewHandle view = Unsafe.Add(ref first, i & (Pages - 1));
            byte* pointer = null;
            view.AcquirePointer(ref pointer);
            view.ReleasePointer();
        }
    }

    /// <summary>A mapped file's page by Devmap.</summary>
    [Benchmark(OperationsPerInvoke = Operations)]
    public void DaxLease()
    {
        DaxFile file = _file!.Dax;
        for (int i = 0; i < Operations; i++)
            file.Lease(PageFile.PageSize * (i & (Pages - 1)), PageFile.PageSize).Dispose();
        _undriven += Operations;
    }

    /// <summary>.NET's counted reference.</summary>
    [Benchmark(OperationsPerInvoke = Operations)]
    public void SafeHandle() => ManagedLoops.SafeHandles(_handles, Operations);

    private void SetUp(bool reuseLeases)
    {
        _edges = new EdgeCount();
        _map = DevicePageMap.Create(Options(reuseLeases));
        _hostMap = DevicePageMap.Create(new() { PageCount = 256 });
        _held = [.. Enumerable.Range(PagesOfSixteen * Pages, Pages).Select(i => _map.Lease(i))];
        _driven = Pages;
        _file = new PageFile();
        _views = [.. _file.Views.Select(static view => view.SafeMemoryMappedViewHandle)];
        _handles = TrivialHandle.Make(Pages);
    }

    private void LeaseEach()
    {
        DevicePageMap map = _map!;
        for (int i = 0; i < Operations; i++)
            map.Lease(i & (Pages - 1)).Dispose();
        _driven += Operations;
    }

    private DevicePageMapOptions Options(bool reuseLeases) => new()
    {
        Type = MemoryType.DevicePublic,
        PageCount = 256,
        Driver = _driver,
        ReuseLeases = reuseLeases,
    };
}
