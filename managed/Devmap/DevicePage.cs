// SPDX-License-Identifier: MIT
using System.Runtime.InteropServices;
using Devmap.Interop;
using Devmap.Native;

namespace Devmap;

/// <summary>A page of a map: a name for it, not a reference on it. Leases hold references.</summary>
[StructLayout(LayoutKind.Auto)]
public readonly unsafe struct DevicePage : IEquatable<DevicePage>
{
    private readonly DevicePageMap? _map;

    internal DevicePage(DevicePageMap map, long index)
    {
        _map = map;
        Index = index;
    }

    /// <summary>The map that the page belongs to.</summary>
    /// <exception cref="InvalidOperationException">This is <c>default(DevicePage)</c>, which is no page.</exception>
    public DevicePageMap Map => _map ?? throw new InvalidOperationException("default(DevicePage) is no page.");

    /// <summary>The page's index in its map, from 0.</summary>
    public long Index { get; }

    /// <summary>
    /// The count as the kernel tells it: 1 is idle, 2 is one user. A moment's answer, unless the caller holds the page.
    /// </summary>
    /// <exception cref="ObjectDisposedException">The map is disposed.</exception>
    public int Count
    {
        get
        {
            Map.ThrowIfDisposed();
            return PageInlines.PageCount(Pointer);
        }
    }

    /// <summary>Whether nobody uses the page; see <see cref="Count"/>.</summary>
    /// <exception cref="ObjectDisposedException">The map is disposed.</exception>
    public bool IsIdle => Count == 1;

    /// <summary>Start of the page's memory. Whoever reads or writes it holds a lease, or is in the page's callback.</summary>
    public nint Address => Map.Address + (nint)(Index * Map.PageSize);

    /// <summary>64 bits of the driver's own; 0 when the map is created. Not synchronised.</summary>
    /// <exception cref="ObjectDisposedException">The map is disposed.</exception>
    public long DriverData
    {
        get
        {
            Map.ThrowIfDisposed();
            return (long)Pointer->zone_device_data;
        }

        set
        {
            Map.ThrowIfDisposed();
            Pointer->zone_device_data = (ulong)value;
        }
    }

    // Metadata stays mapped while the map object lives, which this struct sees to: a page read after teardown is idle.
    private devmap_page* Pointer => &Map.Pointer->pages[Index];

    /// <summary>
    /// The page's memory without a lease on it: valid during the page's callback, or under a lease of the caller's. Anything
    /// else reads memory that may be gone.
    /// </summary>
    /// <exception cref="InvalidOperationException">The memory is not the CPU's to touch.</exception>
    /// <exception cref="ObjectDisposedException">The map is disposed.</exception>
    public Span<byte> DangerousGetSpan()
    {
        Map.ThrowIfDisposed();
        Map.ThrowIfNotAddressable();
        return new Span<byte>((void*)Address, Map.PageSize);
    }

    /// <summary>The native <c>devmap_page</c>, for native code that is handed the page. The caller holds a lease on it.</summary>
    public nint DangerousGetHandle() => (nint)Pointer;

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
