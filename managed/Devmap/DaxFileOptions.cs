// SPDX-License-Identifier: MIT
namespace Devmap;

/// <summary>How <see cref="DaxFile.Open"/> opens a file.</summary>
public sealed class DaxFileOptions
{
    /// <summary><see cref="FileAccess.Read"/> (the default) or <see cref="FileAccess.ReadWrite"/>; memory that is only written there is none.</summary>
    public FileAccess Access { get; init; } = FileAccess.Read;

    /// <summary><see cref="FileMode.Open"/> (the default), or <see cref="FileMode.OpenOrCreate"/> with <see cref="FileAccess.ReadWrite"/>.</summary>
    public FileMode Mode { get; init; } = FileMode.Open;

    /// <summary>
    /// Bytes of address space to reserve: the most that the file can grow to, rounded up to the page size. 0 (the default)
    /// means 1 GiB, or four times the file's length where that is more. Address space costs no memory.
    /// </summary>
    public long Capacity { get; init; }

    /// <summary>Bytes a page, the unit in which readers and truncations exclude each other: a power of two from 4096 (the default) to 2^30.</summary>
    public int PageSize { get; init; } = 4096;

    /// <summary>Who hears of idle pages, if anybody.</summary>
    public PageDriver? Driver { get; init; }

    /// <summary>
    /// How long disposing waits for leases before it throws <see cref="PagesBusyException"/>: 30 seconds unless set;
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
