// SPDX-License-Identifier: MIT
using System.Diagnostics;
using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;
using Devmap.Debugging;
using Devmap.Interop;
using Devmap.Native;

namespace Devmap;

/// <summary>A page of a map: a name for it, not a reference on it. Leases hold references.</summary>
[DebuggerDisplay("{ToString(),nq}")]
[DebuggerTypeProxy(typeof(DevicePageView))]
[StructLayout(LayoutKind.Auto)]
public readonly unsafe struct DevicePage : IEquatable<DevicePage>
{
    private readonly DevicePageMap? _map;
    private readonly long _index;

    internal DevicePage(DevicePageMap map, long index)
    {
        _map = map;
        _index = index;
    }

    /// <summary>The map that the page belongs to.</summary>
    /// <exception cref="InvalidOperationException">This is <c>default(DevicePage)</c>, which is no page.</exception>
    public DevicePageMap Map => _map ?? throw new InvalidOperationException("default(DevicePage) is no page.");

    /// <summary>The page's index in its map, from 0.</summary>
    public long Index => _index;

    /// <summary>
    /// The count as the kernel tells it: 1 is idle, 2 is one user. A moment's answer, unless the caller holds the page. 0 is
    /// a page of a <see cref="FarMemory"/> whose data are on the device, or on their way.
    /// </summary>
    /// <exception cref="ObjectDisposedException">The map is disposed.</exception>
    public int Count
    {
        get
        {
            Map.ThrowIfDisposed();
            int count = PageInlines.PageCount(Pointer);
            GC.KeepAlive(_map);
            return count;
        }
    }

    /// <summary>Whether nobody uses the page; see <see cref="Count"/>.</summary>
    /// <exception cref="ObjectDisposedException">The map is disposed.</exception>
    public bool IsIdle => Count == 1;

    /// <summary>Start of the page's memory. Whoever reads or writes it holds a lease, or is in the page's callback.</summary>
    public nint Address => Map.Address + (nint)(Index * Map.PageSize);

    /// <summary>64 bits of the driver's own; 0 when the map is created. Not synchronised.</summary>
    /// <exception cref="ObjectDisposedException">The map is disposed.</exception>
    /// <exception cref="InvalidOperationException">The map is a <see cref="FarMemory"/>'s, which has no driver of its user's.</exception>
    public long DriverData
    {
        get
        {
            Map.ThrowIfDisposed();
            Map.ThrowIfNoDriverData();
            long data = (long)Pointer->zone_device_data;
            GC.KeepAlive(_map);
            return data;
        }

        set
        {
            Map.ThrowIfDisposed();
            Map.ThrowIfNoDriverData();
            Pointer->zone_device_data = (ulong)value;
            GC.KeepAlive(_map);
        }
    }

    /// <summary>The map; null for <c>default(DevicePage)</c>.</summary>
    internal DevicePageMap? MapOrNull => _map;

    /// <summary><see cref="Count"/>, or null where there is none to read; reports nothing.</summary>
    internal int? CountOrNull
    {
        get
        {
            if (_map is null || _map.IsDisposed || _map.Pointer == null)
                return null;
            int count = PageInlines.PageCount(Pointer);
            GC.KeepAlive(_map);
            return count;
        }
    }

    // Metadata stays mapped while the map object lives, which this struct sees to: a page read after teardown is idle.
    private devmap_page* Pointer => &Map.Pointer->pages[Index];

    /// <summary>
    /// Leases the page. In its own callback, or that of a page that became idle together with it, this always succeeds, while
    /// the map is being disposed or the page truncated too: they then wait for the lease. Elsewhere it is
    /// <see cref="DevicePageMap.Lease"/> of this page.
    /// </summary>
    /// <returns>The lease, of the page or of the part of it that is in the file; dispose it.</returns>
    /// <exception cref="ObjectDisposedException">The map is disposed, or, outside the callback, being disposed.</exception>
    /// <exception cref="LayoutBrokenException">Outside the callback: the page's layout is being broken.</exception>
    /// <exception cref="InvalidOperationException">
    /// The page's count is saturated; or the page is a file's and this is not its callback, or it is no part of the file any more.
    /// </exception>
    public PageLease Lease()
    {
        Map.ThrowIfDisposed();
        return NativeMethods.devmap_page_in_callback(Pointer) ? Map.LeaseInCallback(Index) : Map.Lease(Index);
    }

    /// <summary>
    /// The page's memory without a lease on it: valid during the page's callback, or under a lease of the caller's. Anything
    /// else reads memory that may be gone; where pages are followed (<see cref="DevmapDiagnostics.Level"/>), asking for the memory of a
    /// page that nobody holds is reported as <see cref="DevmapFaultKind.UseAfterDispose"/>.
    /// </summary>
    /// <exception cref="InvalidOperationException">The CPU can't address the memory, or may only read it.</exception>
    /// <exception cref="ObjectDisposedException">The map is disposed.</exception>
    public Span<byte> DangerousGetSpan()
    {
        if (Map.IsReadOnly)
            throw new InvalidOperationException($"The file of {Map} is open for reading: use {nameof(DangerousGetReadOnlySpan)}.");
        ThrowIfNoMemory();
        return new Span<byte>((void*)Address, Map.PageSize);
    }

    /// <summary>As <see cref="DangerousGetSpan"/>, for reading.</summary>
    /// <exception cref="InvalidOperationException">The CPU can't address the memory.</exception>
    /// <exception cref="ObjectDisposedException">The map is disposed.</exception>
    public ReadOnlySpan<byte> DangerousGetReadOnlySpan()
    {
        ThrowIfNoMemory();
        return new ReadOnlySpan<byte>((void*)Address, Map.PageSize);
    }

    private void ThrowIfNoMemory([CallerMemberName] string member = "")
    {
        Map.ThrowIfDisposed(member);
        Map.ThrowIfNotAddressable();

        // Idle, or on its way to the device; a saturated page counts as held.
        if (TrackKey.IsEnabled && PageInlines.PageCount(Pointer) is 0 or 1 && !NativeMethods.devmap_page_in_callback(Pointer))
            Misuse.Untaken(this, member);
        GC.KeepAlive(_map);
    }

    /// <summary>The native <c>devmap_page</c>, for native code that is handed the page. The caller holds a lease on it.</summary>
    public nint DangerousGetHandle() => (nint)Pointer;

    /// <summary>
    /// Makes a page of a batch, which is of one map for good, another page of it: without writing the reference to the map
    /// again, which the garbage collector would have to be told of.
    /// </summary>
    internal static void SetIndex(ref DevicePage page, long index) => Unsafe.AsRef(in page._index) = index;

    /// <inheritdoc/>
    public bool Equals(DevicePage other) => ReferenceEquals(_map, other._map) && Index == other.Index;

    /// <inheritdoc/>
    public override bool Equals(object? obj) => obj is DevicePage other && Equals(other);

    /// <inheritdoc/>
    public override int GetHashCode() => HashCode.Combine(_map, Index);

    /// <inheritdoc/>
    public override string ToString() => _map is null ? "no page" : $"page {Index} of {_map}";

    /// <summary>Whether both name the same page.</summary>
    public static bool operator ==(DevicePage left, DevicePage right) => left.Equals(right);

    /// <summary>Whether the two name different pages.</summary>
    public static bool operator !=(DevicePage left, DevicePage right) => !left.Equals(right);
}
