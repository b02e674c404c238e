// SPDX-License-Identifier: MIT
namespace Devmap;

/// <summary>What <see cref="FarMemory.Create(long, FarMemoryOptions)"/> is asked for.</summary>
public sealed class FarMemoryOptions
{
    /// <summary>Where data lie while they are not in memory; by default compressed in memory.</summary>
    public FarStore Store { get; init; } = FarStore.Lz4;

    /// <summary>
    /// Most bytes that are in memory at once, a multiple of <see cref="PageSize"/>: to bring in a page beyond it, one that was
    /// not used for long is evicted. 0 (the default) for no limit: then pages are evicted only by
    /// <see cref="FarMemory.EvictAsync"/>.
    /// </summary>
    public long ResidentLimit { get; init; }

    /// <summary>
    /// Bytes a page, the unit in which data come and go: a power of two from 4096 (the default) to 2^30, and to 64 MiB for
    /// <see cref="FarStore.Lz4"/>.
    /// </summary>
    public int PageSize { get; init; } = 4096;

    /// <summary>What a thread meets that touches data without a lease that the store fails to give back.</summary>
    public FarMemoryError OnError { get; init; }

    /// <summary>
    /// Whether a disposed lease's object serves a later lease, so that leasing allocates nothing: each thread keeps those that
    /// it disposed, up to 64. False unless set. Then a lease must not be touched once it is disposed, by any thread, as it may be
    /// another's by then: not by a second dispose either, so what <c>using</c> disposes is not to be disposed before. A lease
    /// whose <see cref="PageLease.Memory"/> was asked for, or that was pinned, is not used again, as copies may be anywhere.
    /// A <see cref="PageLease{T}"/> is an object of its own, and none of this is of it.
    /// </summary>
    public bool ReuseLeases { get; init; }

    /// <summary>
    /// How long disposing waits for leases before it throws <see cref="PagesBusyException"/>: 30 seconds unless set;
    /// <see cref="TimeSpan.Zero"/> asks once, <see cref="Timeout.InfiniteTimeSpan"/> waits for ever.
    /// </summary>
    public TimeSpan DisposeTimeout { get; init; } = TimeSpan.FromSeconds(30);

    /// <summary>Who hears, afterwards, of faults and migrations, if anybody. Each far memory calls it on a thread of its own.</summary>
    public FarMemoryObserver? Observer { get; init; }

    /// <summary>
    /// Events that wait for the <see cref="Observer"/> at most, from 1 to 2^20, 4096 unless set; older ones are lost, which it
    /// hears of too. Without an observer nothing is kept.
    /// </summary>
    public int EventCapacity { get; init; } = 4096;
}
