// SPDX-License-Identifier: MIT
using System.Diagnostics.CodeAnalysis;
using System.Runtime.CompilerServices;
using Devmap.Interop;
using Devmap.Native;
using Devmap.Telemetry;

namespace Devmap;

/// <content>Leases.</content>
public sealed unsafe partial class FarMemory
{
    /// <summary>
    /// Brings a range in for writing and reading, and keeps it in memory. Blocks while what is not there is fetched from the
    /// store, and, where the resident limit is reached, while other pages are put there.
    /// </summary>
    /// <param name="offset">Offset of the first byte.</param>
    /// <param name="length">Number of bytes, at least 1. The pages that they are in are what is kept.</param>
    /// <returns>The lease, of exactly these bytes; dispose it.</returns>
    /// <exception cref="ArgumentOutOfRangeException">The range is not all in the memory.</exception>
    /// <exception cref="PagesBusyException">
    /// What else is leased leaves no room for it within <see cref="ResidentLimit"/>. This does not wait for it.
    /// </exception>
    /// <exception cref="InvalidOperationException">
    /// The range has more pages than <see cref="ResidentLimit"/>; or a page's count is saturated.
    /// </exception>
    /// <exception cref="IOException">The store failed. The data are where they were.</exception>
    /// <exception cref="OutOfMemoryException">There is no memory to make room by, in a store that needs some.</exception>
    /// <exception cref="ObjectDisposedException">The memory is disposed, or being disposed.</exception>
    public PageLease Lease(long offset, int length) => LeaseCore(offset, length, write: true);

    /// <summary>
    /// As <see cref="Lease(long, int)"/>, for reading: the store keeps its copy, so that evicting the pages again copies nothing.
    /// Of this lease only <see cref="PageLease.ReadOnlySpan"/> and <see cref="PageLease.ReadOnlyMemory"/> are to be had.
    /// </summary>
    /// <param name="offset">Offset of the first byte.</param>
    /// <param name="length">Number of bytes, at least 1. The pages that they are in are what is kept.</param>
    /// <returns>The lease, of exactly these bytes; dispose it.</returns>
    /// <exception cref="ArgumentOutOfRangeException">The range is not all in the memory.</exception>
    /// <exception cref="PagesBusyException">As <see cref="Lease(long, int)"/>.</exception>
    /// <exception cref="InvalidOperationException">As <see cref="Lease(long, int)"/>.</exception>
    /// <exception cref="IOException">The store failed. The data are where they were.</exception>
    /// <exception cref="OutOfMemoryException">As <see cref="Lease(long, int)"/>.</exception>
    /// <exception cref="ObjectDisposedException">The memory is disposed, or being disposed.</exception>
    public PageLease LeaseForReading(long offset, int length) => LeaseCore(offset, length, write: false);

    /// <summary>
    /// As <see cref="Lease(long, int)"/>, but answers false where what else is leased leaves no room within
    /// <see cref="ResidentLimit"/>.
    /// </summary>
    /// <param name="offset">Offset of the first byte.</param>
    /// <param name="length">Number of bytes, at least 1.</param>
    /// <param name="lease">The lease, of exactly these bytes; dispose it.</param>
    /// <exception cref="ArgumentOutOfRangeException">The range is not all in the memory.</exception>
    /// <exception cref="InvalidOperationException">As <see cref="Lease(long, int)"/>.</exception>
    /// <exception cref="IOException">The store failed. The data are where they were.</exception>
    /// <exception cref="OutOfMemoryException">As <see cref="Lease(long, int)"/>.</exception>
    /// <exception cref="ObjectDisposedException">The memory is disposed, or being disposed.</exception>
    public bool TryLease(long offset, int length, [NotNullWhen(true)] out PageLease? lease)
    {
        PageLease taken = PageLease.Allocate(Map);
        int result = TryLeaseCore(ref taken, offset, length, write: true);
        lease = result == 0 ? taken : null;
        return result switch
        {
            0 => true,
            -NativeError.EBUSY => false,
            _ => throw LeaseError(result, offset, length),
        };
    }

    /// <summary>As <see cref="Lease(long, int)"/>, of elements of the memory as an array of <typeparamref name="T"/>.</summary>
    /// <typeparam name="T">What the memory holds; at most 2^31 - 1 bytes of it a lease.</typeparam>
    /// <param name="index">Index of the first element: it is at <paramref name="index"/> times the size of one.</param>
    /// <param name="count">Number of elements, at least 1.</param>
    /// <returns>The lease; dispose it.</returns>
    /// <exception cref="ArgumentOutOfRangeException">The elements are not all in the memory, or are too many.</exception>
    /// <exception cref="PagesBusyException">As <see cref="Lease(long, int)"/>.</exception>
    /// <exception cref="InvalidOperationException">As <see cref="Lease(long, int)"/>.</exception>
    /// <exception cref="IOException">The store failed. The data are where they were.</exception>
    /// <exception cref="OutOfMemoryException">As <see cref="Lease(long, int)"/>.</exception>
    /// <exception cref="ObjectDisposedException">The memory is disposed, or being disposed.</exception>
    public PageLease<T> Lease<T>(long index, int count)
        where T : unmanaged => LeaseElements<T>(index, count, write: true);

    /// <summary>As <see cref="LeaseForReading(long, int)"/>, of elements of the memory as an array of <typeparamref name="T"/>.</summary>
    /// <typeparam name="T">What the memory holds; at most 2^31 - 1 bytes of it a lease.</typeparam>
    /// <param name="index">Index of the first element: it is at <paramref name="index"/> times the size of one.</param>
    /// <param name="count">Number of elements, at least 1.</param>
    /// <returns>The lease; dispose it.</returns>
    /// <exception cref="ArgumentOutOfRangeException">The elements are not all in the memory, or are too many.</exception>
    /// <exception cref="PagesBusyException">As <see cref="Lease(long, int)"/>.</exception>
    /// <exception cref="InvalidOperationException">As <see cref="Lease(long, int)"/>.</exception>
    /// <exception cref="IOException">The store failed. The data are where they were.</exception>
    /// <exception cref="OutOfMemoryException">As <see cref="Lease(long, int)"/>.</exception>
    /// <exception cref="ObjectDisposedException">The memory is disposed, or being disposed.</exception>
    public PageLease<T> LeaseForReading<T>(long index, int count)
        where T : unmanaged => LeaseElements<T>(index, count, write: false);

    private PageLease<T> LeaseElements<T>(long index, int count, bool write)
        where T : unmanaged
    {
        ArgumentOutOfRangeException.ThrowIfNegative(index);
        ArgumentOutOfRangeException.ThrowIfGreaterThan(index, Length / sizeof(T));
        ArgumentOutOfRangeException.ThrowIfNegativeOrZero(count);
        ArgumentOutOfRangeException.ThrowIfGreaterThan(count, int.MaxValue / sizeof(T));

        // Made first, as the references are to be given back by them.
        var elements = new PageLease<T>();
        PageLease bytes = PageLease.AllocateOwn(Map);
        return elements.Begin(LeaseCore(bytes, index * sizeof(T), count * sizeof(T), write));
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private PageLease LeaseCore(long offset, int length, bool write) => LeaseCore(PageLease.Allocate(Map), offset, length, write);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private PageLease LeaseCore(PageLease lease, long offset, int length, bool write)
    {
        // Most leases are of one page that is there, which takes no transition to native code. What is not taken is asked
        // again, where the answer says why; no index that is none is there.
        int room = PageSize - (int)(offset & (PageSize - 1));
        devmap_page* page = (uint)(length - 1) < (uint)room
            ? NativeMethods.devmap_hmm_range_get_page_fast(_backing.Range, (ulong)(offset >> _pageShift), write)
            : null;
        if (page == null)
            return LeaseSlow(lease, offset, length, write);
        lease = lease.BeginUntracked(page, _address + offset, length, write);
        GC.KeepAlive(Map);
        return lease;
    }

    /// <summary>A method of its own, as it leaves managed code, for which its caller would prepare on every call.</summary>
    [MethodImpl(MethodImplOptions.NoInlining)]
    private PageLease LeaseSlow(PageLease lease, long offset, int length, bool write)
    {
        int result = TryLeaseCore(ref lease, offset, length, write);
        return result == 0 ? lease : throw LeaseError(result, offset, length);
    }

    private int TryLeaseCore(ref PageLease lease, long offset, int length, bool write)
    {
        ArgumentOutOfRangeException.ThrowIfNegative(offset);
        ArgumentOutOfRangeException.ThrowIfNegativeOrZero(length);
        if (offset > Length - length)
            throw OutOfRange(offset, length);
        Map.ThrowIfDisposed();
        (long firstPage, long pageCount) = PagesOf(offset, length);
        devmap_page* page;
        int result = _backing.GetPages(firstPage, pageCount, write, &page);
        GC.KeepAlive(Map);
        if (result == 0)
            lease = lease.Begin(page, (int)pageCount, _address + offset, length, write);
        else
            DiagnosticEvents.PageRefused(Map, firstPage, pageCount, result);
        return result;
    }

    private (long FirstPage, long PageCount) PagesOf(long offset, long length)
    {
        long first = offset >> _pageShift;
        return (first, ((offset + length - 1) >> _pageShift) - first + 1);
    }

    private Exception LeaseError(int result, long offset, long length)
    {
        (long firstPage, long pageCount) = PagesOf(offset, length);
        return _backing.LeaseError(Map, result, firstPage, pageCount);
    }

    private ArgumentOutOfRangeException OutOfRange(long offset, long length) =>
        new(nameof(offset), offset, $"{length} bytes from {offset} are not all in {this}, which has {Length}.");
}
