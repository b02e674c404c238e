// SPDX-License-Identifier: MIT
using Devmap.Interop;
using Devmap.Native;

namespace Devmap;

/// <content>Migration of what is asked for.</content>
public sealed unsafe partial class FarMemory
{
    // Of a batch, after which a migration looks whether it is cancelled.
    private const int MaxBatchPages = 1024;
    private const int MaxBatchBytes = 16 << 20;

    /// <summary>
    /// Puts the data of a range in the store, and gives its memory back to the system. Pages that are leased stay, and are
    /// counted; that is no error. What the store fails to take stays too, and the result says so. Runs on a thread of the
    /// pool, or, for more than 1024 pages or 16 MiB, on one of its own.
    /// </summary>
    /// <param name="offset">Offset of the first byte.</param>
    /// <param name="length">Number of bytes; whole pages go, those at the ends too.</param>
    /// <param name="cancellationToken">
    /// Ends it between batches of 1024 pages or 16 MiB, whichever is less; what has moved by then has moved.
    /// </param>
    /// <exception cref="ArgumentOutOfRangeException">The range is not all in the memory.</exception>
    /// <exception cref="OperationCanceledException">Cancelled.</exception>
    /// <exception cref="ObjectDisposedException">The memory is disposed, or being disposed.</exception>
    public Task<FarMigration> EvictAsync(long offset, long length, CancellationToken cancellationToken = default) =>
        MigrateAsync(offset, length, evict: true, cancellationToken);

    /// <summary>
    /// Brings the data of a range from the store to memory, so that leasing or touching it soon does not wait; the store
    /// keeps its copy until the page is written. Beyond <see cref="ResidentLimit"/> other pages go, and where all of those
    /// are leased the page stays and is counted as in use. What the store fails to give stays too, and the result says so.
    /// Runs as <see cref="EvictAsync"/>.
    /// </summary>
    /// <param name="offset">Offset of the first byte.</param>
    /// <param name="length">Number of bytes; whole pages come, those at the ends too.</param>
    /// <param name="cancellationToken">
    /// Ends it between batches of 1024 pages or 16 MiB, whichever is less; what has moved by then has moved.
    /// </param>
    /// <exception cref="ArgumentOutOfRangeException">The range is not all in the memory.</exception>
    /// <exception cref="OperationCanceledException">Cancelled.</exception>
    /// <exception cref="ObjectDisposedException">The memory is disposed, or being disposed.</exception>
    public Task<FarMigration> PrefetchAsync(long offset, long length, CancellationToken cancellationToken = default) =>
        MigrateAsync(offset, length, evict: false, cancellationToken);

    private Task<FarMigration> MigrateAsync(long offset, long length, bool evict, CancellationToken token)
    {
        ArgumentOutOfRangeException.ThrowIfNegative(offset);
        ArgumentOutOfRangeException.ThrowIfNegative(length);
        if (offset > Length - length)
            throw OutOfRange(offset, length);
        Map.ThrowIfDisposed();
        if (token.IsCancellationRequested)
            return Task.FromCanceled<FarMigration>(token);
        if (length == 0)
            return Task.FromResult(default(FarMigration));
        (long firstPage, long pageCount) = PagesOf(offset, length);
        int batch = Math.Clamp(MaxBatchBytes / PageSize, 1, MaxBatchPages);
        FarMigration Work() => Migrate(firstPage, pageCount, batch, evict, token);
        return pageCount <= batch ? Task.Run(Work, token) : BlockingWait.RunAsync(Work, token);
    }

    private FarMigration Migrate(long firstPage, long pageCount, int batch, bool evict, CancellationToken token)
    {
        Span<int> results = new int[(int)Math.Min(batch, pageCount)];
        var sum = default(FarMigration);
        for (long done = 0; done < pageCount; done += results.Length)
        {
            token.ThrowIfCancellationRequested();
            if (results.Length > pageCount - done)
                results = results[..(int)(pageCount - done)];
            sum = Add(sum, MigrateBatch(firstPage + done, results, evict));
        }

        GC.KeepAlive(Map);
        return sum;
    }

    private FarMigration MigrateBatch(long firstPage, Span<int> results, bool evict)
    {
        devmap_hmm_migration summary = default;
        int result;
        fixed (int* each = results)
        {
            result = evict
                ? NativeMethods.devmap_hmm_migrate_to_device(_backing.Range, null, (ulong)firstPage, (ulong)results.Length, each, &summary)
                : NativeMethods.devmap_hmm_migrate_to_ram(_backing.Range, (ulong)firstPage, (ulong)results.Length, each, &summary);
        }

        if (summary.migrated + summary.absent + summary.in_use + summary.failed == 0)
            throw MigrationError(result, $"Migrating pages of {this}");
        int failed = summary.failed == 0 ? -1 : 0;
        while (failed >= 0 && results[failed] is (>= 0 or -NativeError.EBUSY))
            failed++;
        return new FarMigration(
            (long)summary.migrated,
            (long)summary.absent,
            (long)summary.in_use,
            (long)summary.failed,
            failed < 0 ? null : firstPage + failed,
            failed < 0 ? null : NativeError.System(results[failed], $"{(evict ? "Evicting" : "Prefetching")} page {firstPage + failed} of {this}"));
    }

    private static FarMigration Add(FarMigration left, FarMigration right) => new(
        left.Migrated + right.Migrated,
        left.Absent + right.Absent,
        left.InUse + right.InUse,
        left.Failed + right.Failed,
        left.FirstFailedPage ?? right.FirstFailedPage,
        left.Error ?? right.Error);

    /// <summary>Why nothing could be migrated.</summary>
    private Exception MigrationError(int result, string what) => result switch
    {
        -NativeError.ENODEV => Map.LeaseError(result),
        -NativeError.ENOMEM => NativeError.Create(result, what),
        _ => NativeError.System(result, what),
    };
}
