// SPDX-License-Identifier: MIT
namespace Devmap;

/// <summary>What <see cref="DevicePageMap.Create"/> is asked for.</summary>
public sealed class DevicePageMapOptions
{
    /// <summary>
    /// What the memory is; by default <see cref="MemoryType.DeviceHost"/>. <see cref="MemoryType.DevicePrivate"/> and
    /// <see cref="MemoryType.DevicePublic"/> want a <see cref="Driver"/>, <see cref="MemoryType.DeviceHost"/> takes none.
    /// </summary>
    public MemoryType Type { get; init; }

    /// <summary>Number of pages; at least 1. Only pages that are used take memory, 64 bytes of metadata included.</summary>
    public long PageCount { get; init; }

    /// <summary>Bytes a page: a power of two from 4096 (the default) to 2^30.</summary>
    public int PageSize { get; init; } = 4096;

    /// <summary>
    /// Start of memory that the caller owns, a multiple of <see cref="PageSize"/>, valid until the map is disposed; or 0
    /// (the default) for memory that the map reserves: zero-filled and writable, or for
    /// <see cref="MemoryType.DevicePrivate"/> addresses that nobody may touch.
    /// </summary>
    public nint Address { get; init; }

    /// <summary>Who hears of idle pages. A driver may serve several maps.</summary>
    public PageDriver? Driver { get; init; }

    /// <summary>
    /// How long disposing waits for pages in use before it throws <see cref="PagesBusyException"/>: 30 seconds unless set;
    /// <see cref="TimeSpan.Zero"/> asks once, <see cref="Timeout.InfiniteTimeSpan"/> waits for ever.
    /// </summary>
    public TimeSpan DisposeTimeout { get; init; } = TimeSpan.FromSeconds(30);

    /// <summary>
    /// Whether a disposed lease's object serves a later lease, so that leasing allocates nothing: each thread keeps those that
    /// it disposed, up to 64. False unless set. Then a lease must not be touched once it is disposed, by any thread, as it may be
    /// another's by then: not by a second dispose either, so what <c>using</c> disposes is not to be disposed before. A lease
    /// whose <see cref="PageLease.Memory"/> was asked for, or that was pinned, is not used again, as copies may be anywhere.
    /// </summary>
    public bool ReuseLeases { get; init; }
}
