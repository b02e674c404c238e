// SPDX-License-Identifier: MIT
using System.Buffers;
using System.ComponentModel;
using System.Diagnostics;
using System.Globalization;
using System.Runtime.CompilerServices;
using Devmap.Debugging;
using Devmap.Interop;
using Devmap.Native;

namespace Devmap;

/// <summary>
/// References on adjacent pages, and the memory they keep in place. Dispose it; the pages go idle when their last lease is
/// gone. It works wherever <see cref="Memory{T}"/> does: streams, sockets, pipelines.
/// </summary>
/// <remarks>
/// <para>
/// One lease may be used by several threads as far as the memory may; <see cref="Dispose()"/> may be called from any thread
/// and more than once. A span or pointer taken from it is good until it is disposed: a span does not keep its lease alive.
/// While the memory is pinned (<see cref="Memory{T}.Pin"/>), a disposed lease keeps its references until the pin ends. An
/// operation in progress need not pin: on Linux, .NET's sockets ask for the memory again each time they can go on, on a
/// thread of the pool, where the exception that a disposed lease answers with ends the process. So dispose a lease after the
/// operations it was given to have ended, or give them a <see cref="Share"/> of it that is.
/// </para>
/// <para>
/// There is no finalizer: a lease that is lost without being disposed leaks its references, and the map that it came from
/// names its pages when it is disposed. That is a fault of the program, but not a use after free. One that is followed
/// (<see cref="DevmapDiagnostics.Level"/>) is reported when it is lost, as <see cref="DevmapFaultKind.LostLease"/>.
/// </para>
/// <para>
/// <see cref="GetSpan"/> and <see cref="Pin"/>, which are for what uses a <see cref="Memory{T}"/>, give memory that can be written
/// whatever the lease is for. A file open for reading answers a write with SIGSEGV. Far memory leased for reading takes it, and
/// loses nothing: where the store keeps a copy the write is a page fault, served as any other, and where no faults are served
/// (<see cref="FarMemory.Faults"/>) no copy is kept. With <see cref="HmmFaultService.User"/> a system call that is to write
/// there may fail with EFAULT. Lease for writing what is to be written.
/// </para>
/// <para>
/// All this is of leases as they are by default. With <see cref="DevicePageMapOptions.ReuseLeases"/> the object of a lease that
/// is disposed may be another lease at once, and whoever still has it must not touch it.
/// </para>
/// </remarks>
[DebuggerDisplay("{ToString(),nq}")]
[DebuggerTypeProxy(typeof(PageLeaseView))]
public sealed unsafe class PageLease : MemoryManager<byte>
{
    // _state, one word, so that disposing, pinning and sharing are one atomic each:
    //
    //     bit 0        disposed: no new pins, shares or spans
    //     bit 1        elsewhere: of a map that reuses leases, a Memory or a pin was handed out, copies of which may be left;
    //                  or the object is a PageLease<T>'s, which looks at it while another thread disposes it
    //     bit 2        followed: a LeaseRecord stands where the map does
    //     bits 3..31   pins: uses that outlast a dispose
    //
    // The references are given back by whoever brings it to "disposed, no pins", which happens once: disposed is not
    // cleared, and no pin is added after it. An object that goes from 0 to disposed is nowhere else, and may be used again.
    private const int Disposed = 1;
    private const int Elsewhere = 2;
    private const int Followed = 4;
    private const int OnePin = 8;

    // What does not keep a disposed lease from giving its references back.
    private const int Notes = Elsewhere | Followed;

    // The map, or of a lease that is followed its LeaseRecord, which has the map. Constant from Create to the dispose; null when
    // the object waits to be used again.
    private object? _owner;
    private devmap_page* _pages;
    private byte* _address;
    private int _length;
    private int _pageCount;
    private bool _isWritable;

    private int _state;

    private PageLease(DevicePageMap map) => _owner = map;

    /// <summary>The map that the pages belong to.</summary>
    /// <exception cref="ObjectDisposedException">The lease is disposed, and of a map that reuses leases.</exception>
    public DevicePageMap Map => _owner is DevicePageMap map ? map : FollowedMap ?? throw Misuse.Disposed(nameof(PageLease));

    /// <summary>Index of the first page.</summary>
    public long FirstPage => Map.IndexOf(_pages);

    /// <summary>Number of pages.</summary>
    public int PageCount => _pageCount;

    /// <summary>Bytes of memory leased; of a file, what was asked for, which may be less than its pages.</summary>
    public int Length => _length;

    /// <summary>
    /// Whether writing is meant: for a file what <see cref="DaxFile.LeaseForWriting"/> returned; for far memory all but what
    /// <see cref="FarMemory.LeaseForReading(long, int)"/> returned; for another map always.
    /// </summary>
    public bool IsWritable => _isWritable;

    /// <summary>Whether the lease is disposed.</summary>
    public bool IsDisposed => (Volatile.Read(ref _state) & Disposed) != 0;

    /// <summary>The memory.</summary>
    /// <exception cref="ObjectDisposedException">The lease is disposed.</exception>
    /// <exception cref="InvalidOperationException">
    /// The CPU can't address the memory (<see cref="MemoryType.DevicePrivate"/>), or may only read it
    /// (a file opened for reading, far memory leased for reading): use <see cref="ReadOnlySpan"/>.
    /// </exception>
    public Span<byte> Span
    {
        get
        {
            ThrowIfReadOnly();
            return GetSpan();
        }
    }

    /// <summary>The memory, for reading.</summary>
    /// <exception cref="ObjectDisposedException">The lease is disposed.</exception>
    /// <exception cref="InvalidOperationException">The CPU can't address it (<see cref="MemoryType.DevicePrivate"/>).</exception>
    public ReadOnlySpan<byte> ReadOnlySpan => GetSpan();

    /// <summary>The memory. It checks at each use that the lease is not disposed.</summary>
    /// <exception cref="ObjectDisposedException">The lease is disposed.</exception>
    /// <exception cref="InvalidOperationException">As <see cref="Span"/>: use <see cref="ReadOnlyMemory"/>.</exception>
    public override Memory<byte> Memory
    {
        get
        {
            ThrowIfReadOnly();
            return CheckedMemory;
        }
    }

    /// <summary>The memory, for reading. It checks at each use that the lease is not disposed.</summary>
    /// <exception cref="ObjectDisposedException">The lease is disposed.</exception>
    /// <exception cref="InvalidOperationException">The CPU can't address it (<see cref="MemoryType.DevicePrivate"/>).</exception>
    public ReadOnlyMemory<byte> ReadOnlyMemory => CheckedMemory;

    /// <summary>The map, or null once the object may be another lease.</summary>
    internal DevicePageMap? MapOrNull => _owner as DevicePageMap ?? FollowedMap;

    /// <summary>Index of the first page, or null as <see cref="MapOrNull"/>.</summary>
    internal long? FirstPageOrNull => MapOrNull?.IndexOf(_pages);

    /// <summary>Pins in progress.</summary>
    internal int Pins => Volatile.Read(ref _state) / OnePin;

    /// <summary>Whether it is known who took the references, and where.</summary>
    internal bool IsFollowed => (Volatile.Read(ref _state) & Followed) != 0;

    private DevicePageMap? FollowedMap => (_owner as LeaseRecord)?.Map;

    private Memory<byte> CheckedMemory
    {
        get
        {
            _ = GetSpan();
            if (Map.ReusesLeases)
                AddToState(Elsewhere, nameof(Memory));
            return CreateMemory(_length);
        }
    }

    /// <summary>A lease of references that the caller has taken.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    internal static PageLease Create(DevicePageMap map, devmap_page* pages, int pageCount, byte* address, int length, bool isWritable)
    {
        PageLease lease = Allocate(map);
        return lease.Begin(pages, pageCount, address, length, isWritable);
    }

    /// <summary>
    /// The object of a lease whose references the caller then takes, and gives it by <see cref="Begin"/>: so, what fails for
    /// want of memory fails with no reference taken. Where the caller gets none it forgets the object.
    /// </summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    internal static PageLease Allocate(DevicePageMap map) => map.ReusesLeases ? CreateReused(map) : new PageLease(map);

    /// <summary>As <see cref="Allocate"/>, of an object that is never another lease.</summary>
    internal static PageLease AllocateOwn(DevicePageMap map) => new(map) { _state = map.ReusesLeases ? Elsewhere : 0 };

    /// <summary>The lease holds references that this thread has just taken.</summary>
    /// <returns>This lease, or the one that stands for it where it is followed.</returns>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    internal PageLease Begin(devmap_page* pages, int pageCount, byte* address, int length, bool isWritable)
    {
        Set(pages, pageCount, address, length, isWritable);
        return TrackKey.IsEnabled ? Follow() : this;
    }

    /// <summary>
    /// As <see cref="Begin"/>, of a page that was taken by what takes none that is followed; so only a scope is to be asked, and not
    /// the page's count, which was written this moment.
    /// </summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    internal PageLease BeginUntracked(devmap_page* page, byte* address, int length, bool isWritable)
    {
        Set(page, 1, address, length, isWritable);
        return DevmapLeakScope.IsAnyOpen ? Follow() : this;
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private void Set(devmap_page* pages, int pageCount, byte* address, int length, bool isWritable)
    {
        _pages = pages;
        _pageCount = pageCount;
        _address = address;
        _length = length;
        _isWritable = isWritable;
    }

    /// <summary>Follows the lease if that is asked for. Where there is no memory for it, it is as any other.</summary>
    [MethodImpl(MethodImplOptions.NoInlining)]
    private PageLease Follow()
    {
        DevicePageMap map = Map;
        LeaseRecord? record = LeaseRecord.TryCreate(map, _pages, _pageCount);
        if (record is null)
            return this;

        // The pool of some thread may point to the object, by which it could never be lost.
        PageLease lease = this;
        if (map.ReusesLeases && (_state & Elsewhere) == 0 && TryCopy() is { } copy)
        {
            lease = copy;
            _owner = null;
        }

        lease._owner = record;
        lease._state |= Followed;
        return lease;
    }

    private PageLease? TryCopy()
    {
        try
        {
            return new PageLease(Map)
            {
                _pages = _pages, _pageCount = _pageCount, _address = _address, _length = _length, _isWritable = _isWritable,
            };
        }
        catch (OutOfMemoryException)
        {
            return null;
        }
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static PageLease CreateReused(DevicePageMap map)
    {
        PageLease? lease = LeasePool.Take();
        if (lease is null)
            return new PageLease(map);
        lease._owner = map;
        lease._state = 0;
        return lease;
    }

    /// <summary>Takes a further reference on each page: a second lease of the same memory, with a life of its own.</summary>
    /// <returns>The lease; dispose it.</returns>
    /// <exception cref="ObjectDisposedException">This lease is disposed.</exception>
    public PageLease Share() => ShareCore(isOwn: false);

    /// <summary>As <see cref="Share"/>; whether by an object that is never another lease.</summary>
    internal PageLease ShareCore(bool isOwn)
    {
        // A pin keeps the references that the new ones are taken from, should another thread dispose this lease now.
        AddToState(OnePin, nameof(Share));
        try
        {
            // Made first: what fails for want of memory fails with no reference taken.
            PageLease share = isOwn ? AllocateOwn(Map) : Allocate(Map);
            for (int i = 0; i < _pageCount; i++)
                PageInlines.GetPage(&_pages[i]);
            return share.Begin(_pages, _pageCount, _address, _length, _isWritable);
        }
        finally
        {
            RemovePin();
        }
    }

    /// <summary>Gives the references back. Again it does nothing.</summary>
    public void Dispose() => Dispose(disposing: true);

    /// <inheritdoc/>
    [EditorBrowsable(EditorBrowsableState.Never)]
    public override Span<byte> GetSpan()
    {
        ThrowIfDisposed();
        Map.ThrowIfNotAddressable();
        return new Span<byte>(_address, _length);
    }

    /// <summary>
    /// Keeps the memory in place until <see cref="Unpin"/>, past a dispose. Native memory does not move; what is pinned is
    /// its lifetime.
    /// </summary>
    /// <param name="elementIndex">Offset in bytes, from 0 to <see cref="Length"/>.</param>
    /// <exception cref="ObjectDisposedException">The lease is disposed.</exception>
    /// <exception cref="ArgumentOutOfRangeException"><paramref name="elementIndex"/> is outside the lease.</exception>
    /// <exception cref="InvalidOperationException">The CPU can't address the memory (<see cref="MemoryType.DevicePrivate"/>).</exception>
    public override MemoryHandle Pin(int elementIndex = 0)
    {
        ArgumentOutOfRangeException.ThrowIfNegative(elementIndex);
        ArgumentOutOfRangeException.ThrowIfGreaterThan(elementIndex, _length);
        Map.ThrowIfNotAddressable();
        AddToState(Map.ReusesLeases ? OnePin | Elsewhere : OnePin);
        return new MemoryHandle(_address + elementIndex, default, this);
    }

    /// <summary>Ends a pin; <see cref="MemoryHandle.Dispose"/> calls it.</summary>
    /// <exception cref="InvalidOperationException">There is no pin to end.</exception>
    [EditorBrowsable(EditorBrowsableState.Never)]
    public override void Unpin() => RemovePin();

    /// <inheritdoc/>
    public override string ToString()
    {
        // Looks at no page: the lease may be disposed, and its map gone.
        if (MapOrNull is not { } map)
            return "disposed lease";
        long first = map.IndexOf(_pages);
        return string.Create(
            CultureInfo.InvariantCulture,
            $"{(IsDisposed ? "disposed " : null)}lease of {_length} bytes in pages {first} to {first + _pageCount - 1} of {map}");
    }

    /// <inheritdoc/>
    protected override void Dispose(bool disposing)
    {
        if (Interlocked.CompareExchange(ref _state, Disposed, 0) == 0)
        {
            DevicePageMap map = Unsafe.As<DevicePageMap>(_owner!);
            PutPages(map);
            if (map.ReusesLeases)
                Keep();
        }
        else if ((Interlocked.Or(ref _state, Disposed) & ~Notes) == 0)
        {
            End();
        }
    }

    /// <summary>Adds a pin, or notes that the memory is elsewhere, or both.</summary>
    private void AddToState(int change, [CallerMemberName] string member = "")
    {
        int state = Volatile.Read(ref _state);
        while (true)
        {
            if ((state & Disposed) != 0)
                throw Misuse.Disposed(nameof(PageLease), this, member);
            int next = checked(state + (change & ~Elsewhere)) | (change & Elsewhere);
            int seen = Interlocked.CompareExchange(ref _state, next, state);
            if (seen == state)
                return;
            state = seen;
        }
    }

    private void RemovePin()
    {
        int state = Volatile.Read(ref _state);
        while (true)
        {
            if (state < OnePin)
                throw new InvalidOperationException("Unpin without a pin.");
            int seen = Interlocked.CompareExchange(ref _state, state - OnePin, state);
            if (seen == state)
                break;
            state = seen;
        }

        if (((state - OnePin) & ~Notes) == Disposed)
            End();
    }

    /// <summary>The end of a lease whose object is not used again.</summary>
    private void End()
    {
        DevicePageMap map = Map;
        if (_owner is LeaseRecord record)
            record.Dispose();
        else
            PutPages(map);

        // The pool of some thread may still point to the object, and would keep the map alive by it.
        if (map.ReusesLeases)
            _owner = null;
    }

    private void PutPages(DevicePageMap map)
    {
        if (_pageCount == 1)
            PageInlines.PutPage(_pages);
        else
            NativeMethods.devmap_put_pages(_pages, (ulong)_pageCount);

        // The last put lets a waiting teardown go on; the map's metadata stays mapped while its object lives.
        GC.KeepAlive(map);
    }

    /// <summary>Puts the object by for this thread's next lease: the last touch of it as this one.</summary>
    private void Keep()
    {
        _owner = null;
        LeasePool.Keep(this);
    }

    private void ThrowIfDisposed([CallerMemberName] string member = "")
    {
        if (IsDisposed)
            throw Misuse.Disposed(nameof(PageLease), this, member);
    }

    private void ThrowIfReadOnly([CallerMemberName] string member = "")
    {
        ThrowIfDisposed(member);
        DevicePageMap map = Map;
        if (!_isWritable && map.GuardsReading)
        {
            throw new InvalidOperationException(
                $"{(map.IsReadOnly ? $"The file of {map} is open" : $"This lease of {map} is")} for reading: use {nameof(ReadOnlySpan)} or {nameof(ReadOnlyMemory)}.");
        }
    }
}
