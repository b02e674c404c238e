// SPDX-License-Identifier: MIT
using System.Diagnostics;
using System.Numerics;
using Devmap.Debugging;
using Devmap.Interop;
using Devmap.Native;

namespace Devmap;

/// <summary>
/// Memory that may be larger than what the machine has: pages that are not used lie in a store, compressed or in a file, and
/// come back when they are leased, prefetched, or touched. All members may be called from any thread.
/// </summary>
/// <remarks>
/// <para>
/// Use it by leases: what is leased is in memory, stays there, and touching it never faults. New memory reads as zeros. How
/// much is in memory at once is up to <see cref="ResidentLimit"/> and <see cref="EvictAsync"/>.
/// </para>
/// <para>
/// Dispose it, which gives the memory back with what it holds; while it is alive the native side holds on to it, so far
/// memory that is only forgotten is never collected. Disposing waits for every lease; see <see cref="Dispose"/>. A child
/// of fork(2) does not have the memory: touching it there is SIGSEGV.
/// </para>
/// <para>Lengths and offsets are in bytes, and those of pages in pages.</para>
/// </remarks>
[DebuggerDisplay("{ToString(),nq}")]
[DebuggerTypeProxy(typeof(FarMemoryView))]
public sealed unsafe partial class FarMemory : IDisposable, IAsyncDisposable
{
    private const int MaxEventCapacity = 1 << 20;

    private readonly FarBacking _backing;
    private readonly byte* _address;
    private readonly int _pageShift;
    private readonly Lock _limitLock = new();
    private long _residentLimit;

    private FarMemory(FarBacking backing, DevicePageMap map, HmmFaultService faults, FarMemoryOptions options)
    {
        _backing = backing;
        _address = (byte*)map.Address;
        _pageShift = BitOperations.Log2((uint)options.PageSize);
        _residentLimit = options.ResidentLimit;
        Map = map;
        Faults = faults;
        PageSize = options.PageSize;
        Length = map.PageCount * map.PageSize;
    }

    /// <summary>
    /// The pages, and who uses them. A lease by <see cref="DevicePageMap.Lease"/> is as one by <see cref="Lease(long, int)"/>, of
    /// whole pages.
    /// </summary>
    public DevicePageMap Map { get; }

    /// <summary>Bytes of memory.</summary>
    public long Length { get; }

    /// <summary>Bytes a page.</summary>
    public int PageSize { get; }

    /// <summary>Which page faults are served on it: what its device serves.</summary>
    public HmmFaultService Faults { get; }

    /// <summary>
    /// Most bytes that are in memory at once, a multiple of <see cref="PageSize"/>; 0 for no limit. Setting it evicts what is
    /// above it, and blocks meanwhile; leased pages stay, and go when they can. It is exceeded else only where all that is in
    /// memory is in use, or the store is failing, and a fault has to be served none the less
    /// (<see cref="FarMemoryStatistics.OverLimit"/>).
    /// </summary>
    /// <exception cref="ArgumentOutOfRangeException">Negative, or not a multiple of <see cref="PageSize"/>.</exception>
    /// <exception cref="IOException">The store failed to take a page. The limit is set none the less.</exception>
    /// <exception cref="OutOfMemoryException">The store has no memory. The limit is set none the less.</exception>
    /// <exception cref="ObjectDisposedException">The memory is disposed, or being disposed.</exception>
    public long ResidentLimit
    {
        get => Interlocked.Read(ref _residentLimit);
        set
        {
            ValidateLimit(value, PageSize, nameof(value));
            Map.ThrowIfDisposed();
            int result;
            lock (_limitLock)
            {
                result = NativeMethods.devmap_hmm_range_set_limit(_backing.Range, (ulong)value);
                if (result != -NativeError.ENODEV)
                    Interlocked.Exchange(ref _residentLimit, value);
            }

            GC.KeepAlive(Map);
            if (result is not (0 or -NativeError.EBUSY))
                throw MigrationError(result, $"Evicting from {this} to within {value} bytes");
        }
    }

    /// <summary>Makes far memory of a device of its own, which serves faults as far as the system permits.</summary>
    /// <param name="length">Bytes: a positive multiple of the page size.</param>
    /// <param name="options">What to make; by default memory that is evicted, compressed, when <see cref="EvictAsync"/> is called.</param>
    /// <exception cref="ArgumentException">As <see cref="Create(HmmDevice, long, FarMemoryOptions)"/>.</exception>
    /// <exception cref="OutOfMemoryException">There is no memory, or no address space.</exception>
    /// <exception cref="IOException">The store's file cannot be used, or its disk is full.</exception>
    /// <exception cref="UnauthorizedAccessException">Access to the store's file is denied.</exception>
    /// <exception cref="DllNotFoundException">The store needs liblz4, which is not there.</exception>
    /// <exception cref="PlatformNotSupportedException">The native library was built without device memory.</exception>
    /// <exception cref="DevmapLoadException">The native library could not be loaded.</exception>
    public static FarMemory Create(long length, FarMemoryOptions? options = null)
    {
        options = Validate(length, options);
        using var device = new HmmDevice();
        return Create(device, length, options);
    }

    /// <summary>Makes far memory of a device.</summary>
    /// <param name="device">Whose threads serve page faults on it; may be disposed before the far memory.</param>
    /// <param name="length">Bytes: a positive multiple of the page size.</param>
    /// <param name="options">What to make; by default memory that is evicted, compressed, when <see cref="EvictAsync"/> is called.</param>
    /// <exception cref="ArgumentOutOfRangeException">The length, or an option, is out of its range.</exception>
    /// <exception cref="ArgumentException">The store has no pages of this size.</exception>
    /// <exception cref="ObjectDisposedException">The device is disposed.</exception>
    /// <exception cref="OutOfMemoryException">There is no memory, or no address space.</exception>
    /// <exception cref="IOException">The store's file cannot be used, or its disk is full.</exception>
    /// <exception cref="UnauthorizedAccessException">Access to the store's file is denied.</exception>
    /// <exception cref="DllNotFoundException">The store needs liblz4, which is not there.</exception>
    public static FarMemory Create(HmmDevice device, long length, FarMemoryOptions? options = null)
    {
        ArgumentNullException.ThrowIfNull(device);
        options = Validate(length, options);
        devmap_hmm_device* native = device.Hold();
        try
        {
            var backing = new FarBacking(native, length, options);
            return Create(backing, device.Faults, options);
        }
        finally
        {
            device.Release();
        }
    }

    /// <summary>What the memory has counted.</summary>
    /// <exception cref="ObjectDisposedException">The memory is disposed.</exception>
    public FarMemoryStatistics GetStatistics()
    {
        Map.ThrowIfDisposed();
        var statistics = new FarMemoryStatistics(_backing.ReadStatistics(Map), _backing.StoreBytes);
        GC.KeepAlive(Map);
        return statistics;
    }

    /// <summary>Tells where pages are, each at a moment of its own.</summary>
    /// <param name="firstPage">Index of the first page.</param>
    /// <param name="states">Receives a state for each page from there on. Not unleased far memory.</param>
    /// <exception cref="ArgumentOutOfRangeException">The pages are not all in the memory.</exception>
    /// <exception cref="ObjectDisposedException">The memory is disposed, or being disposed.</exception>
    public void GetPageStates(long firstPage, Span<FarPageState> states)
    {
        ArgumentOutOfRangeException.ThrowIfNegative(firstPage);
        ArgumentOutOfRangeException.ThrowIfGreaterThan(firstPage, Map.PageCount - states.Length);
        Map.ThrowIfDisposed();
        int result;
        fixed (FarPageState* bytes = states)
            result = states.Length == 0 ? 0 : NativeMethods.devmap_hmm_range_snapshot(_backing.Range, (ulong)firstPage, (ulong)states.Length, (byte*)bytes);
        GC.KeepAlive(Map);
        if (result != 0)
            throw Map.LeaseError(result);
    }

    /// <summary>
    /// The memory without a lease on it, valid until this object is being disposed: for data structures that point into
    /// themselves, and for native code.
    /// </summary>
    /// <remarks>
    /// Touching a page that is not in memory faults, and a native thread brings it in, while the thread that touched it, and a
    /// garbage collection if one wants to begin, wait for the store. That is as <see cref="Faults"/> says: without, touching
    /// such a page ends the process, and with <see cref="HmmFaultService.User"/> a system call given one fails with EFAULT.
    /// Where the store fails, <see cref="FarMemoryOptions.OnError"/> says what happens. Nobody may unmap, remap, protect or
    /// advise away any of it (munmap, mremap, mprotect, madvise), and a child of fork(2) does not have it. A
    /// <see cref="FarMemoryObserver"/> has no use for it, as it is told of what happened while the memory is disposed too.
    /// </remarks>
    /// <exception cref="ObjectDisposedException">The memory is disposed.</exception>
    public byte* DangerousGetPointer()
    {
        Map.ThrowIfDisposed();
        return _address;
    }

    /// <summary>The native <c>devmap_hmm_range</c>, for native code; valid while this object is not disposed.</summary>
    public nint DangerousGetHandle() => (nint)_backing.Range;

    /// <summary>
    /// Waits for every lease, then gives the memory back, with what it and its store hold; see
    /// <see cref="DevicePageMap.Dispose"/>. Threads that touch unleased memory then are SIGSEGV: end them before.
    /// Waits for the observer, if there is one, to have heard of everything too, beyond the dispose timeout.
    /// </summary>
    /// <exception cref="PagesBusyException">
    /// Leases stayed out for the dispose timeout. Nothing is given back, but there are no new leases: dispose it again when
    /// they are back, or <see cref="DevicePageMap.Resume"/> its map.
    /// </exception>
    /// <exception cref="InvalidOperationException">Called by the memory's own observer, whose end it would wait for.</exception>
    public void Dispose() => Map.Dispose();

    /// <summary>As <see cref="Dispose"/>, without blocking the caller while leases are out, or the observer hears of what is left.</summary>
    /// <exception cref="PagesBusyException">As <see cref="Dispose"/>.</exception>
    /// <exception cref="InvalidOperationException">As <see cref="Dispose"/>.</exception>
    public ValueTask DisposeAsync() => Map.DisposeAsync();

    /// <inheritdoc/>
    public override string ToString() => Map.ToString();

    private static FarMemory Create(FarBacking backing, HmmFaultService faults, FarMemoryOptions options)
    {
        DevicePageMap map;
        try
        {
            map = new DevicePageMap(
                backing,
                NativeMethods.devmap_hmm_range_pagemap(backing.Range),
                MemoryType.DeviceHost,
                driver: null,
                options.DisposeTimeout,
                options.ReuseLeases);
        }
        catch
        {
            backing.Discard();
            throw;
        }

        try
        {
            backing.Observe(map, options.Observer);
            return new FarMemory(backing, map, faults, options);
        }
        catch
        {
            map.Dispose();
            throw;
        }
    }

    private static FarMemoryOptions Validate(long length, FarMemoryOptions? options)
    {
        const string name = nameof(options);
        options ??= new FarMemoryOptions();
        PageSizes.Validate(options.PageSize, $"{name}.{nameof(options.PageSize)}");
        if (length <= 0 || length % options.PageSize != 0)
            throw new ArgumentOutOfRangeException(nameof(length), length, $"The length is no positive multiple of the page size, {options.PageSize}.");
        if (options.Store is null)
            throw new ArgumentException($"{nameof(options.Store)} is null.", name);
        ValidateLimit(options.ResidentLimit, options.PageSize, $"{name}.{nameof(options.ResidentLimit)}");
        if (options.OnError is not (FarMemoryError.SigBus or FarMemoryError.ZeroPage))
            throw new ArgumentOutOfRangeException(name, options.OnError, $"{nameof(options.OnError)} is no way to meet an error.");
        if (options.EventCapacity is < 1 or > MaxEventCapacity)
            throw new ArgumentOutOfRangeException(name, options.EventCapacity, $"{nameof(options.EventCapacity)} is not from 1 to {MaxEventCapacity}.");
        Timeouts.Validate(options.DisposeTimeout, $"{name}.{nameof(options.DisposeTimeout)}");
        return options;
    }

    private static void ValidateLimit(long limit, int pageSize, string name)
    {
        if (limit < 0 || limit % pageSize != 0)
            throw new ArgumentOutOfRangeException(name, limit, $"A resident limit is 0, or a positive multiple of the page size, {pageSize}.");
    }
}
