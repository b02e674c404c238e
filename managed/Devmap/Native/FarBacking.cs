// SPDX-License-Identifier: MIT
using Devmap.Interop;

namespace Devmap.Native;

/// <summary>
/// The far memory of a map: the native range, whose handle owns the map's, the device memory that its pages migrate to, and
/// the store of that.
/// </summary>
internal sealed unsafe class FarBacking : MapBacking
{
    private readonly Lock _storeLock = new();
    private readonly int _pageSize;

    // Null once it is removed, and the store, which it closes, with it; under the lock.
    private devmap_hmm_devmem* _devmem;
    private devmap_store* _store;

    private FarObserverThread? _observer;

    /// <summary>Opens the store and makes the memory. The device is held by the caller.</summary>
    public FarBacking(devmap_hmm_device* device, long length, FarMemoryOptions options)
    {
        _pageSize = options.PageSize;
        _store = options.Store.Open(length / options.PageSize, options.PageSize);
        try
        {
            AddDeviceMemory(device);
            AddRange(device, length, options);
        }
        catch
        {
            CloseStore();
            throw;
        }
    }

    public override string Name => "far memory";

    public override bool GuardsReading => true;

    public override bool OwnsDriverData => true;

    // Its own thread is refused at once.
    public override bool EndsByWaiting => _observer is { IsCurrent: false };

    /// <summary>Answers <c>-ENODEV</c> once it is removed; freed with the map, and null then.</summary>
    public devmap_hmm_range* Range { get; private set; }

    /// <summary>Bytes that the store takes; 0 once it is closed.</summary>
    public long StoreBytes
    {
        get
        {
            lock (_storeLock)
                return _store == null ? 0 : (long)NativeMethods.devmap_store_bytes_used(_store);
        }
    }

    /// <summary>Starts to tell the observer, if there is one.</summary>
    public void Observe(DevicePageMap map, FarMemoryObserver? observer)
    {
        if (observer is not null)
            _observer = FarObserverThread.Start(map, Range, observer);
    }

    public override int Unmap(devmap_pagemap* map, long timeoutNanoseconds, devmap_busy_report* report)
    {
        // The dispose ends after the observer's methods have returned: from one of them, it would wait for itself.
        if (_observer is { IsCurrent: true })
            return -NativeError.EDEADLK;
        return NativeMethods.devmap_hmm_range_remove(Range, timeoutNanoseconds, null, report);
    }

    public override void OnUnmapped()
    {
        _observer?.Dispose();
        CloseStore();
    }

    public override void Free(devmap_pagemap* map)
    {
        // Who resurrects the far memory finds nothing, as of its map.
        devmap_hmm_range* range = Range;
        Range = null;
        _ = NativeMethods.devmap_hmm_range_free(range);
    }

    public override int GetPages(DevicePageMap map, long firstPage, long pageCount, devmap_page** page) =>
        GetPages(firstPage, pageCount, write: true, page);

    /// <summary>Brings pages in, and takes a reference on each. Blocks.</summary>
    public int GetPages(long firstPage, long pageCount, bool write, devmap_page** page)
    {
        int result = NativeMethods.devmap_hmm_range_get_pages(Range, (ulong)firstPage, (ulong)pageCount, write, page);

        // The memory may have ended since, and have no limit any more.
        if (result == -NativeError.EBUSY && ReadStatistics(out devmap_hmm_range_stats stats) == 0 && (ulong)pageCount > stats.limit)
            throw TooManyPages(pageCount, (long)stats.limit);
        return result;
    }

    /// <exception cref="ObjectDisposedException">The memory is disposed.</exception>
    public devmap_hmm_range_stats ReadStatistics(DevicePageMap map)
    {
        int result = ReadStatistics(out devmap_hmm_range_stats stats);
        return result == 0 ? stats : throw map.LeaseError(result);
    }

    public override Exception LeaseError(DevicePageMap map, int result, long firstPage, long pageCount)
    {
        string what = $"Leasing pages {firstPage} to {firstPage + (pageCount - 1)} of {map}";
        return result switch
        {
            -NativeError.EBUSY => NoRoom(map, what),
            -NativeError.ENODEV => map.LeaseError(result),
            -NativeError.ENOMEM or -NativeError.EOVERFLOW => NativeError.Create(result, what),
            _ => NativeError.System(result, what),
        };
    }

    private PagesBusyException NoRoom(DevicePageMap map, string what)
    {
        long limit = (long)ReadStatistics(map).limit;
        IReadOnlyList<BusyPage> pages = map.GetBusyPages(0, map.PageCount, PagesBusyException.MaxNamed, out long total);
        return new PagesBusyException(
            what, $" finds no room within the resident limit of {limit} pages ({limit * _pageSize} bytes)", map, pages, total, 0);
    }

    private InvalidOperationException TooManyPages(long pageCount, long limit) =>
        new($"{pageCount} pages are leased at once, and the resident limit is {limit} pages ({limit * _pageSize} bytes): lease less, or raise it.");

    private int ReadStatistics(out devmap_hmm_range_stats statistics)
    {
        fixed (devmap_hmm_range_stats* pointer = &statistics)
            return NativeMethods.devmap_hmm_range_stats_read(Range, pointer, (uint)sizeof(devmap_hmm_range_stats));
    }

    private void AddDeviceMemory(devmap_hmm_device* device)
    {
        devmap_hmm_devmem* devmem;
        int result = NativeMethods.devmap_hmm_devmem_add_store(device, _store, &devmem);
        if (result == -NativeError.ENOMEM)
        {
            DisposedMaps.Reclaim();
            result = NativeMethods.devmap_hmm_devmem_add_store(device, _store, &devmem);
        }

        _devmem = result == 0 ? devmem : throw NativeError.Create(result, "Making device memory");
    }

    private void AddRange(devmap_hmm_device* device, long length, FarMemoryOptions options)
    {
        var config = new devmap_hmm_range_config
        {
            size = (uint)sizeof(devmap_hmm_range_config),
            flags = (uint)devmap_hmm_range_flag.DEVMAP_HMM_RANGE_KEEP_COPIES,
            on_error = (int)options.OnError,
            event_capacity = options.Observer is null ? 0 : (uint)options.EventCapacity,
            device = device,
            devmem = _devmem,
            length = (ulong)length,
            page_size = (ulong)options.PageSize,
            resident_limit = (ulong)options.ResidentLimit,
        };
        devmap_hmm_range* range;
        int result = NativeMethods.devmap_hmm_range_add(&config, &range);
        if (result == -NativeError.ENOMEM)
        {
            DisposedMaps.Reclaim();
            result = NativeMethods.devmap_hmm_range_add(&config, &range);
        }

        Range = result == 0 ? range : throw NativeError.Create(result, $"Making far memory of {length} bytes");
    }

    /// <summary>Undoes the constructor, where nobody has seen what it made.</summary>
    public void Discard()
    {
        _ = NativeMethods.devmap_hmm_range_remove(Range, NativeMethods.DEVMAP_WAIT_FOREVER, null, null);
        _ = NativeMethods.devmap_hmm_range_free(Range);
        CloseStore();
    }

    /// <summary>Every page of the store is free by now, unless native code holds one by its own means: then this waits for it.</summary>
    private void CloseStore()
    {
        lock (_storeLock)
        {
            if (_devmem != null)
                _ = NativeMethods.devmap_hmm_devmem_remove(_devmem, NativeMethods.DEVMAP_WAIT_FOREVER, null, null);
            else
                NativeMethods.devmap_store_close(_store);
            _devmem = null;
            _store = null;
        }
    }
}
