// SPDX-License-Identifier: MIT
using System.Buffers;
using System.ComponentModel;
using System.Diagnostics;
using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;
using Devmap.Debugging;
using Devmap.Native;

namespace Devmap;

/// <summary>
/// A <see cref="PageLease"/> whose memory is seen as elements. Dispose it. It works wherever <see cref="Memory{T}"/> does, and
/// in every other way as the lease of its bytes.
/// </summary>
/// <typeparam name="T">What the memory holds.</typeparam>
[DebuggerDisplay("{ToString(),nq}")]
[DebuggerTypeProxy(typeof(PageLeaseView<>))]
public sealed unsafe class PageLease<T> : MemoryManager<T>
    where T : unmanaged
{
    // Null before it is taken, and once this object is disposed. Its object is never another lease's: who reads this may be
    // late.
    private PageLease? _bytes;

    /// <summary>An object whose lease is yet to be taken, by <see cref="Begin"/>.</summary>
    internal PageLease()
    {
    }

    /// <summary>Number of elements.</summary>
    public int Length { get; private set; }

    /// <summary>Whether writing is meant; see <see cref="PageLease.IsWritable"/>.</summary>
    public bool IsWritable { get; private set; }

    /// <summary>Whether the lease is disposed.</summary>
    public bool IsDisposed => Volatile.Read(ref _bytes) is null;

    /// <summary>The elements.</summary>
    /// <exception cref="ObjectDisposedException">The lease is disposed.</exception>
    /// <exception cref="InvalidOperationException">The lease is for reading: use <see cref="ReadOnlySpan"/>.</exception>
    public Span<T> Span => MemoryMarshal.Cast<byte, T>(BytesFor().Span);

    /// <summary>The elements, for reading.</summary>
    /// <exception cref="ObjectDisposedException">The lease is disposed.</exception>
    public ReadOnlySpan<T> ReadOnlySpan => GetSpan();

    /// <summary>The elements. It checks at each use that the lease is not disposed.</summary>
    /// <exception cref="ObjectDisposedException">The lease is disposed.</exception>
    /// <exception cref="InvalidOperationException">The lease is for reading: use <see cref="ReadOnlyMemory"/>.</exception>
    public override Memory<T> Memory
    {
        get
        {
            _ = Span;
            return CreateMemory(Length);
        }
    }

    /// <summary>The elements, for reading. It checks at each use that the lease is not disposed.</summary>
    /// <exception cref="ObjectDisposedException">The lease is disposed.</exception>
    public ReadOnlyMemory<T> ReadOnlyMemory
    {
        get
        {
            _ = BytesFor();
            return CreateMemory(Length);
        }
    }

    /// <summary>The lease of the bytes; null once this is disposed.</summary>
    internal PageLease? BytesOrNull => Volatile.Read(ref _bytes);

    /// <summary>The lease of the bytes, for a member.</summary>
    private PageLease BytesFor([CallerMemberName] string member = "") => Volatile.Read(ref _bytes) ?? throw Misuse.Disposed(nameof(PageLease<>), null, member);

    /// <summary>Takes a further reference on each page: a second lease of the same elements, with a life of its own.</summary>
    /// <returns>The lease; dispose it.</returns>
    /// <exception cref="ObjectDisposedException">This lease is disposed.</exception>
    public PageLease<T> Share()
    {
        // Made first, as the references are to be given back by it.
        var share = new PageLease<T>();
        return share.Begin(BytesFor().ShareCore(isOwn: true));
    }

    /// <summary>Takes a lease over, whose object is never another one.</summary>
    /// <returns>This.</returns>
    internal PageLease<T> Begin(PageLease bytes)
    {
        Length = bytes.Length / sizeof(T);
        IsWritable = bytes.IsWritable;
        Volatile.Write(ref _bytes, bytes);
        return this;
    }

    /// <summary>Gives the references back. Again it does nothing.</summary>
    public void Dispose() => Dispose(disposing: true);

    /// <inheritdoc/>
    [EditorBrowsable(EditorBrowsableState.Never)]
    public override Span<T> GetSpan() => MemoryMarshal.Cast<byte, T>(BytesFor().GetSpan());

    /// <summary>As <see cref="PageLease.Pin"/>.</summary>
    /// <param name="elementIndex">Index of an element, from 0 to <see cref="Length"/>.</param>
    /// <exception cref="ObjectDisposedException">The lease is disposed.</exception>
    /// <exception cref="ArgumentOutOfRangeException"><paramref name="elementIndex"/> is outside the lease.</exception>
    public override MemoryHandle Pin(int elementIndex = 0)
    {
        ArgumentOutOfRangeException.ThrowIfNegative(elementIndex);
        ArgumentOutOfRangeException.ThrowIfGreaterThan(elementIndex, Length);

        // The handle ends the pin of the bytes by itself, after a dispose of this object too.
        return BytesFor().Pin(elementIndex * sizeof(T));
    }

    /// <summary>Not for use: the handle of a pin ends it.</summary>
    /// <exception cref="InvalidOperationException">Always.</exception>
    [EditorBrowsable(EditorBrowsableState.Never)]
    public override void Unpin() => throw new InvalidOperationException("A pin is ended by its handle.");

    /// <inheritdoc/>
    public override string ToString() => Volatile.Read(ref _bytes)?.ToString() ?? "disposed lease";

    /// <inheritdoc/>
    protected override void Dispose(bool disposing) => Interlocked.Exchange(ref _bytes, null)?.Dispose();
}
