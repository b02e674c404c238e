// SPDX-License-Identifier: MIT
using System.Diagnostics;
using System.Diagnostics.CodeAnalysis;
using System.Globalization;
using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;
using Devmap.Debugging;
using Devmap.Interop;
using Devmap.Native;
using Devmap.Telemetry;

namespace Devmap;

/// <summary>
/// A range of memory split into reference-counted pages, with one type, one driver and one lifetime. All members may be
/// called from any thread.
/// </summary>
/// <remarks>
/// Dispose it: while it is alive the native side holds on to it, so a map that is only forgotten is never collected.
/// Disposing waits for every lease; see <see cref="Dispose"/>.
/// </remarks>
[DebuggerDisplay("{DebuggerText,nq}")]
[DebuggerTypeProxy(typeof(DevicePageMapView))]
[SuppressMessage("Usage", "MA0055:Do not use finalizer", Justification = "Frees the handle that late callers may still look at; see below.")]
public sealed unsafe partial class DevicePageMap : IDisposable, IAsyncDisposable
{
    private const int BatchSlots = 8;

    // 0 before it is known, and once the object is finalized.
    private nint _handle;

    // Of page 0; only to be compared once the object is finalized.
    private devmap_page* _metadata;

    // What the map is part of. Its handle then owns the map's.
    private readonly MapBacking _backing;

    // Of the backing: looked at by each lease.
    private readonly bool _takesPagesAsTheyAre;

    // The most pages of one lease, whose length is an int.
    private readonly int _maxLeasedPages;

    private readonly TimeSpan _disposeTimeout;
    private readonly SemaphoreSlim _teardown = new(1, 1);
    private readonly nint _owner;
    private readonly MemoryType _type;
    private readonly LeakItem? _item;
    private GCHandle _self;

    // Pages of batches while no callback uses them, one for each few threads.
    private readonly DevicePage[]?[] _batches = new DevicePage[BatchSlots][];
    private volatile int _detachingThread;

    // Threads that tear the map down, and those that go through its pages for a snapshot.
    private int _unmapping;
    private int _reading;
    private volatile bool _disposed;

    // Torn down, and the driver told.
    private volatile bool _detached;

    private DevicePageMap(DevicePageMapOptions options)
    {
        Driver = options.Driver;
        ReusesLeases = options.ReuseLeases;
        PageSize = options.PageSize;
        PageCount = options.PageCount;
        _maxLeasedPages = int.MaxValue / PageSize;
        _type = options.Type;
        _backing = MapBacking.None;
        _takesPagesAsTheyAre = _backing.TakesPagesAsTheyAre;
        _disposeTimeout = options.DisposeTimeout;
        _self = GCHandle.Alloc(this);
        _owner = GCHandle.ToIntPtr(_self);
        var ops = OpsOf(options.Driver);
        var config = new devmap_pagemap_config
        {
            size = (uint)sizeof(devmap_pagemap_config),
            type = (int)options.Type,
            backing = (int)BackingOf(options),
            page_size = (ulong)options.PageSize,
            address = (void*)options.Address,
            length = checked((ulong)options.PageCount * (ulong)options.PageSize),
            ops = options.Driver is null ? null : &ops,
            data = Owner,
        };
        devmap_pagemap* map;
        int result = NativeMethods.devmap_memremap_pages(&config, &map);
        if (result == -NativeError.ENOMEM)
        {
            DisposedMaps.Reclaim();
            result = NativeMethods.devmap_memremap_pages(&config, &map);
        }

        if (result != 0)
        {
            _self.Free();
            GC.SuppressFinalize(this);
            throw NativeError.Create(result, string.Create(CultureInfo.InvariantCulture, $"Creating a map of {options.PageCount} pages of {options.PageSize} bytes"));
        }

        Adopt(map);
        _item = LeakItem.Begin(ToString);
        DiagnosticEvents.MapCreated(this);
    }

    /// <summary>The map that the native side made for what it is part of.</summary>
    internal DevicePageMap(MapBacking backing, devmap_pagemap* map, MemoryType type, PageDriver? driver, TimeSpan disposeTimeout, bool reusesLeases)
    {
        Driver = driver;
        ReusesLeases = reusesLeases;
        _type = type;
        _backing = backing;
        _takesPagesAsTheyAre = backing.TakesPagesAsTheyAre;
        _disposeTimeout = disposeTimeout;
        _self = GCHandle.Alloc(this);
        _owner = GCHandle.ToIntPtr(_self);
        PageSize = 1 << (int)map->page_shift;
        _maxLeasedPages = int.MaxValue / PageSize;
        PageCount = (long)map->nr_pages;
        Adopt(map);
        _item = LeakItem.Begin(ToString);
        DiagnosticEvents.MapCreated(this);
    }

    /// <summary>
    /// Frees the handle of a map that is torn down. Until here it answered every late caller that the map is gone; no such
    /// caller is left now.
    /// </summary>
    ~DevicePageMap()
    {
        if (!_disposed)
            return;

        // Who resurrects this object, in a finalizer of its own, finds no handle, and not another map that has it by then.
        var map = (devmap_pagemap*)Interlocked.Exchange(ref _handle, 0);
        if (map == null)
            return;
        _backing.Free(map);
        DisposedMaps.Remove();
    }

    /// <summary>What the memory is.</summary>
    public MemoryType Type => _type;

    /// <summary>Number of pages; of a file's map, those that fit in its capacity.</summary>
    public long PageCount { get; }

    /// <summary>Bytes a page.</summary>
    public int PageSize { get; }

    /// <summary>Start of the memory. Whoever reads or writes it holds leases on its pages.</summary>
    public nint Address { get; private set; }

    /// <summary>Who hears of idle pages.</summary>
    public PageDriver? Driver { get; }

    /// <summary>Whether the map is torn down. False after a <see cref="Dispose"/> that threw.</summary>
    public bool IsDisposed => _disposed;

    /// <summary>Whether the memory is a file's that was opened for reading.</summary>
    internal bool IsReadOnly => _backing is FileBacking && _backing.GuardsReading;

    /// <summary>Whether only leases for writing have memory to write.</summary>
    internal bool GuardsReading => _backing.GuardsReading;

    /// <summary>Whether objects of disposed leases serve later ones.</summary>
    internal bool ReusesLeases { get; }

    /// <summary>What the map is called in snapshots: a file's path, else as <see cref="ToString"/>.</summary>
    internal string Name => _backing.Path ?? ToString();

    private string DebuggerText => _disposed ? $"disposed {this}" : ToString();

    internal devmap_pagemap* Pointer => (devmap_pagemap*)Volatile.Read(ref _handle);

    /// <summary>Identifies this object to the native side as owner of the claim; the data of its callbacks.</summary>
    internal void* Owner => (void*)_owner;

    /// <summary>A page of the map.</summary>
    /// <param name="index">From 0 to <see cref="PageCount"/> - 1.</param>
    /// <exception cref="ArgumentOutOfRangeException"><paramref name="index"/> is outside the map.</exception>
    public DevicePage this[long index]
    {
        get
        {
            ArgumentOutOfRangeException.ThrowIfNegative(index);
            ArgumentOutOfRangeException.ThrowIfGreaterThanOrEqual(index, PageCount);
            return new DevicePage(this, index);
        }
    }

    /// <summary>Splits memory into pages.</summary>
    /// <param name="options">What to create.</param>
    /// <exception cref="ArgumentException">The options don't fit together; the message says which.</exception>
    /// <exception cref="InvalidOperationException">The memory is part of another map.</exception>
    /// <exception cref="OutOfMemoryException">There is no memory, or no address space.</exception>
    /// <exception cref="PlatformNotSupportedException">The native library was built without the type.</exception>
    /// <exception cref="DevmapLoadException">The native library could not be loaded.</exception>
    public static DevicePageMap Create(DevicePageMapOptions options)
    {
        ArgumentNullException.ThrowIfNull(options);
        Validate(options);
        if (options.Type != MemoryType.DeviceHost)
        {
            DevmapLibrary.EnsureFeature(
                options.Type == MemoryType.DevicePrivate ? devmap_feature.DEVMAP_FEATURE_DEVICE_PRIVATE : devmap_feature.DEVMAP_FEATURE_DEVICE_PUBLIC,
                $"A map of type {options.Type}");
        }

        DevmapLibrary.EnsureLoaded();
        return new DevicePageMap(options);
    }

    /// <summary>Takes a reference on each of some adjacent pages, on all of them or on none.</summary>
    /// <param name="firstPage">Index of the first page.</param>
    /// <param name="pageCount">Number of pages; together at most 2^31 - 1 bytes.</param>
    /// <returns>The lease; dispose it.</returns>
    /// <exception cref="ArgumentOutOfRangeException">The pages are not all in the map, or are too many.</exception>
    /// <exception cref="ObjectDisposedException">The map is disposed, or being disposed.</exception>
    /// <exception cref="LayoutBrokenException">The pages' layout is being broken.</exception>
    /// <exception cref="InvalidOperationException">
    /// A page's count is saturated; or the map is a file's, whose pages are leased by <see cref="DaxFile.Lease"/>.
    /// </exception>
    public PageLease Lease(long firstPage, long pageCount = 1)
    {
        // Most leases are of one page of a map that is part of nothing else. The native side checks what it is given; whatever
        // it does not take is asked again, where the answer says why.
        devmap_page* page = pageCount == 1 && _takesPagesAsTheyAre ? NativeMethods.devmap_pagemap_get_page_fast(Pointer, (ulong)firstPage) : null;
        if (page == null)
            return LeaseSlow(firstPage, pageCount);
        PageLease lease = PageLease.Allocate(this).BeginUntracked(page, (byte*)Address + (firstPage * PageSize), PageSize, isWritable: true);
        GC.KeepAlive(this);
        return lease;
    }

    /// <summary>As <see cref="Lease"/>, but answers false where the pages' layout is being broken.</summary>
    /// <param name="firstPage">Index of the first page.</param>
    /// <param name="pageCount">Number of pages; together at most 2^31 - 1 bytes.</param>
    /// <param name="lease">The lease; dispose it.</param>
    /// <exception cref="ArgumentOutOfRangeException">The pages are not all in the map, or are too many.</exception>
    /// <exception cref="ObjectDisposedException">The map is disposed, or being disposed.</exception>
    /// <exception cref="InvalidOperationException">As <see cref="Lease"/>.</exception>
    public bool TryLease(long firstPage, long pageCount, [NotNullWhen(true)] out PageLease? lease)
    {
        lease = TryLeaseCore(firstPage, pageCount, out int result);
        return result switch
        {
            0 => lease is not null,
            -NativeError.EAGAIN or -NativeError.EBUSY => false,
            _ => throw _backing.LeaseError(this, result, firstPage, pageCount),
        };
    }

    /// <summary>
    /// Which of this map's pages are followed, in place of <see cref="DevmapDiagnostics.Level"/>; null for that one. A page in use is
    /// followed from when it is next taken while idle. Callbacks are timed, and misuse is told, as the process's level says.
    /// </summary>
    /// <exception cref="ArgumentOutOfRangeException">No level.</exception>
    /// <exception cref="ObjectDisposedException">The map is disposed.</exception>
    public DiagnosticLevel? DiagnosticLevel
    {
        get
        {
            ThrowIfDisposed();
            int level = NativeMethods.devmap_pagemap_get_level(Pointer);
            GC.KeepAlive(this);
            return level == (int)devmap_level.DEVMAP_LEVEL_INHERIT ? null : (DiagnosticLevel)level;
        }

        set
        {
            if (value is { } level)
                DevmapDiagnostics.ThrowIfUnknown(level);
            DiagnosticLevel? before = DiagnosticLevel;
            int result = NativeMethods.devmap_pagemap_set_level(Pointer, (int?)value ?? (int)devmap_level.DEVMAP_LEVEL_INHERIT);
            GC.KeepAlive(this);
            if (result != 0)
                throw LeaseError(result);
            if (before != value)
                DiagnosticEvents.LevelChanged(this, value, before);
        }
    }

    /// <summary>Finds the page that covers an address of this map.</summary>
    /// <param name="address">Any address.</param>
    /// <param name="page">The page.</param>
    /// <returns>Whether the address is one of this map's.</returns>
    public bool TryGetPage(nint address, out DevicePage page)
    {
        nuint offset = (nuint)address - (nuint)Address;
        long index = (long)(offset / (nuint)PageSize);
        bool found = (nuint)address >= (nuint)Address && index < PageCount;
        page = found ? new DevicePage(this, index) : default;
        return found;
    }

    /// <summary>
    /// The pages in use, in order, with who holds them as far as <see cref="DiagnosticLevel"/> lets them be followed: a moment's
    /// answer. At most <paramref name="limit"/> of them.
    /// </summary>
    /// <param name="limit">The most pages to name.</param>
    /// <exception cref="ArgumentOutOfRangeException"><paramref name="limit"/> is negative.</exception>
    /// <exception cref="ObjectDisposedException">The map is disposed.</exception>
    public IReadOnlyList<BusyPage> GetBusyPages(int limit = 1024) => GetBusyPages(0, PageCount, limit, out _);

    /// <summary>The native <c>devmap_pagemap</c>, for native code; valid while this object is not disposed.</summary>
    public nint DangerousGetHandle() => (nint)Pointer;

    /// <inheritdoc/>
    public override string ToString() => string.Create(
        CultureInfo.InvariantCulture, $"{_backing.Name} map 0x{Address:x} ({PageCount} pages of {PageSize} bytes)");

    /// <summary>
    /// Learns which native map this is: when it was created, or from the first callback, should somebody find a page by its
    /// address and drop it before then. Both say the same.
    /// </summary>
    internal void Adopt(devmap_pagemap* map)
    {
        Address = (nint)map->start;
        _metadata = map->pages;
        Volatile.Write(ref _handle, (nint)map);
        ManagedMaps.Add(this);
    }

    /// <summary>Claims a file's map for its driver.</summary>
    internal void Claim(string path)
    {
        var ops = OpsOf(Driver);
        int result = NativeMethods.devmap_fs_dax_claim(Pointer, Owner, Driver is null ? null : &ops);
        if (result == 0)
            return;
        ManagedMaps.Remove(this);
        _item?.End();
        _self.Free();
        DiagnosticEvents.MapDisposed(this);
        throw result == -NativeError.EBUSY
            ? new IOException($"'{path}' is claimed by another open of it, in this process or another one.")
            : NativeError.Create(result, $"Claiming '{path}'");
    }

    /// <summary>Pages of this map for a batch's callback; their indices are any.</summary>
    internal DevicePage[] TakeBatch()
    {
        DevicePage[]? batch = Interlocked.Exchange(ref _batches[Environment.CurrentManagedThreadId % BatchSlots], null);
        if (batch is null)
        {
            batch = new DevicePage[BatchPageDriver.MaxBatch];
            Array.Fill(batch, new DevicePage(this, 0));
        }

        return batch;
    }

    /// <summary>Keeps one of them for the next batch.</summary>
    internal void GiveBatchBack(DevicePage[] batch) => Volatile.Write(ref _batches[Environment.CurrentManagedThreadId % BatchSlots], batch);

    internal long IndexOf(devmap_page* page) => page - _metadata;

    /// <summary>Throws, and reports the use, where the map is torn down; a map that is only being disposed is met by a race.</summary>
    internal void ThrowIfDisposed([CallerMemberName] string member = "")
    {
        if (_disposed)
            throw Misuse.Disposed(nameof(DevicePageMap), this, member);
    }

    internal void ThrowIfNoDriverData()
    {
        if (_backing.OwnsDriverData)
            throw new InvalidOperationException($"The driver's words of {this} are not its user's.");
    }

    internal void ThrowIfNotAddressable()
    {
        if (Type == MemoryType.DevicePrivate)
            throw new InvalidOperationException($"The memory of {this} is private to its device: the CPU can't address it.");
    }

    internal IReadOnlyList<BusyPage> GetBusyPages(long firstPage, long pageCount, int limit, out long total)
    {
        ArgumentOutOfRangeException.ThrowIfNegative(limit);
        ulong found = CountBusyPages(firstPage, pageCount, []);
        var pages = new devmap_busy_page[Math.Min((ulong)limit, found)];
        found = CountBusyPages(firstPage, pageCount, pages);
        total = (long)found;
        return ToBusyPages(pages, found);
    }

    /// <summary>Whether each page is followed that is taken from now on while idle.</summary>
    internal bool FollowsAll
    {
        get
        {
            int level = NativeMethods.devmap_pagemap_get_level(Pointer);
            GC.KeepAlive(this);
            return (level == (int)devmap_level.DEVMAP_LEVEL_INHERIT ? NativeMethods.devmap_get_level() : level) == (int)devmap_level.DEVMAP_LEVEL_FULL;
        }
    }

    /// <summary>
    /// Leases a page for its own callback: the page's edge still holds the map and the page, so that this succeeds while
    /// the map is being disposed or the page truncated too, which then wait for the lease.
    /// </summary>
    internal PageLease LeaseInCallback(long index)
    {
        long offset = index * PageSize;
        (long length, bool isWritable) = _backing.InCallback(this, offset);
        if (length <= 0)
            throw new InvalidOperationException($"Page {index} of {this} is no part of the file any more.");
        PageInlines.GetPage(&Pointer->pages[index]);
        return PageLease.Create(this, &Pointer->pages[index], 1, (byte*)Address + offset, (int)length, isWritable);
    }

    /// <summary>The exception for a native result that says why pages could not be taken.</summary>
    internal Exception LeaseError(int result) => result switch
    {
        -NativeError.ENODEV => new ObjectDisposedException(ToString(), "The map is disposed, or being disposed."),
        -NativeError.EAGAIN => new LayoutBrokenException(),
        _ => NativeError.Create(result, $"Leasing pages of {this}"),
    };

    private ulong CountBusyPages(long firstPage, long pageCount, Span<devmap_busy_page> pages)
    {
        ThrowIfDisposed();
        ulong found;
        fixed (devmap_busy_page* pointer = pages)
        {
            int result = NativeMethods.devmap_pagemap_busy_pages(
                Pointer, (ulong)firstPage, (ulong)pageCount, pointer, (ulong)pages.Length, &found);
            GC.KeepAlive(this);
            return result == 0 ? found : throw LeaseError(result);
        }
    }

    /// <summary>The pages with who holds them, as far as that is known by now.</summary>
    private BusyPage[] ToBusyPages(ReadOnlySpan<devmap_busy_page> pages, ulong found)
    {
        var busy = new BusyPage[(int)Math.Min(found, (ulong)pages.Length)];
        ILookup<long, PageHolder>? holders = null;

        // Some may still be followed where no level follows any more.
        if (busy.Length > 0)
        {
            long first = (long)pages[0].index;
            holders = PageHolders.Read((nint)Pointer, first, (long)pages[busy.Length - 1].index - first + 1, TimeSpan.Zero, int.MaxValue)
                .ToLookup(static found => found.Holder.PageIndex, static found => found.Holder);
        }

        for (int i = 0; i < busy.Length; i++)
        {
            long index = (long)pages[i].index;
            busy[i] = holders is null || !holders.Contains(index) ? new BusyPage(index, pages[i].count) : new BusyPage(index, pages[i].count)
            {
                Holders = [.. holders[index]],
                History = PageHolders.ReadHistory(Pointer, index),
            };
        }

        GC.KeepAlive(this);
        return busy;
    }

    private static devmap_pagemap_ops OpsOf(PageDriver? driver) => new()
    {
        page_free = driver is null ? null : DriverCallbacks.PageFree,
        pages_free = driver is BatchPageDriver ? DriverCallbacks.PagesFree : null,
    };

    private static devmap_backing BackingOf(DevicePageMapOptions options)
    {
        if (options.Address != 0)
            return devmap_backing.DEVMAP_BACKING_CALLER;
        return options.Type == MemoryType.DevicePrivate ? devmap_backing.DEVMAP_BACKING_INACCESSIBLE : devmap_backing.DEVMAP_BACKING_RESERVED;
    }

    private static void Validate(DevicePageMapOptions options)
    {
        const string name = nameof(options);
        if (options.PageCount <= 0)
            throw new ArgumentOutOfRangeException(name, options.PageCount, $"{nameof(options.PageCount)} is not positive.");
        PageSizes.Validate(options.PageSize, $"{name}.{nameof(options.PageSize)}");
        Timeouts.Validate(options.DisposeTimeout, $"{name}.{nameof(options.DisposeTimeout)}");
        if (options.PageCount > long.MaxValue / options.PageSize)
            throw new ArgumentOutOfRangeException(name, options.PageCount, $"{nameof(options.PageCount)} times {nameof(options.PageSize)} overflows.");
        if (options.Address % options.PageSize != 0)
            throw new ArgumentException($"{nameof(options.Address)} 0x{options.Address:x} is not a multiple of {nameof(options.PageSize)} {options.PageSize}.", name);
        if ((nuint)options.Address > nuint.MaxValue - ((nuint)(options.PageCount * options.PageSize) - 1))
            throw new ArgumentException($"{options.PageCount} pages from {nameof(options.Address)} 0x{options.Address:x} end beyond the address space.", name);
        switch (options.Type)
        {
            case MemoryType.DeviceHost when options.Driver is not null:
                throw new ArgumentException($"A map of type {MemoryType.DeviceHost} has no callback, so it takes no {nameof(options.Driver)}.", name);
            case MemoryType.DeviceHost:
                break;
            case MemoryType.DevicePrivate or MemoryType.DevicePublic when options.Driver is null:
                throw new ArgumentException($"A map of type {options.Type} needs a {nameof(options.Driver)} to tell of its idle pages.", name);
            case MemoryType.DevicePrivate or MemoryType.DevicePublic:
                break;
            case MemoryType.FsDax:
                throw new ArgumentException($"Maps of type {MemoryType.FsDax} are made by {nameof(DaxFile)}.{nameof(DaxFile.Open)}.", name);
            default:
                throw new ArgumentOutOfRangeException(name, options.Type, $"{nameof(options.Type)} is no memory type.");
        }
    }

    private PageLease? TryLeaseCore(long firstPage, long pageCount, out int result)
    {
        ArgumentOutOfRangeException.ThrowIfNegative(firstPage);
        ArgumentOutOfRangeException.ThrowIfNegativeOrZero(pageCount);
        ArgumentOutOfRangeException.ThrowIfGreaterThan(pageCount, _maxLeasedPages);
        if (firstPage > PageCount - pageCount)
            throw new ArgumentOutOfRangeException(nameof(firstPage), firstPage, $"Pages {firstPage} to {firstPage + (pageCount - 1)} are not all among the {PageCount} pages of {this}.");
        ThrowIfDisposed();
        PageLease lease = PageLease.Allocate(this);
        devmap_page* page;
        result = _backing.GetPages(this, firstPage, pageCount, &page);
        GC.KeepAlive(this);
        if (result != 0)
        {
            DiagnosticEvents.PageRefused(this, firstPage, pageCount, result);
            return null;
        }

        return lease.Begin(page, (int)pageCount, (byte*)Address + (firstPage * PageSize), (int)pageCount * PageSize, isWritable: true);
    }

    /// <summary>A method of its own, as it leaves managed code, for which its caller would prepare on every call.</summary>
    [MethodImpl(MethodImplOptions.NoInlining)]
    private PageLease LeaseSlow(long firstPage, long pageCount) =>
        TryLeaseCore(firstPage, pageCount, out int result) ?? throw _backing.LeaseError(this, result, firstPage, pageCount);
}
