// SPDX-License-Identifier: MIT
namespace Devmap.CommandLine.Run;

/// <summary>A managed reader: leases random ranges of the file and verifies them until it is told to stop.</summary>
internal sealed class ManagedReader(DaxFile file, PageLedger ledger, int maxPages, int seed)
{
    private readonly Lock _lock = new();
    private readonly Random _random = new(seed);
    private ReaderCounts _counts;
    private ReaderCounts _published;

    /// <summary>What it did so far. Any thread.</summary>
    public ReaderCounts Counts
    {
        get
        {
            lock (_lock)
                return _published;
        }
    }

    /// <summary>Reads on a thread of its own.</summary>
    /// <param name="start">
    /// Set when every reader has its thread: the ones that read would keep the processors from those that are to come.
    /// </param>
    /// <param name="stop">Ends it.</param>
    public Task RunAsync(ManualResetEventSlim start, CancellationToken stop) =>
        Task.Factory.StartNew(() => Run(start, stop), CancellationToken.None, TaskCreationOptions.LongRunning, TaskScheduler.Default);

    private void Run(ManualResetEventSlim start, CancellationToken stop)
    {
        start.Wait(CancellationToken.None);
        while (!stop.IsCancellationRequested)
        {
            ReadOnce();
            lock (_lock)
                _published = _counts;
        }
    }

    private void ReadOnce()
    {
        int pageSize = file.Map.PageSize;
        long whole = file.Length / pageSize;
        if (whole == 0)
        {
            Thread.Yield();
            return;
        }

        int pages = 1 + _random.Next((int)Math.Min(whole, maxPages));
        long first = _random.NextInt64(whole - pages + 1);
        if (!file.TryLease(first * pageSize, pages * pageSize, out PageLease? lease))
        {
            _counts.Refused++;
            Thread.Yield();
            return;
        }

        using (lease)
        {
            _counts.Leases++;
            Verify(lease);
            if (_random.Next(4) == 0)
                Share(lease);
        }
    }

    /// <summary>A lease of its own keeps the pages in place past the end of the one that it was taken from.</summary>
    private void Share(PageLease lease)
    {
        using PageLease other = lease.Share();
        _counts.Shares++;
        lease.Dispose();
        Verify(other);
    }

    private void Verify(PageLease lease)
    {
        int pageSize = lease.Map.PageSize;
        long index = lease.FirstPage;
        for (ReadOnlySpan<byte> pages = lease.ReadOnlySpan; !pages.IsEmpty; pages = pages[pageSize..], index++)
        {
            // Under the lease, as the ledger says.
            ulong expected = ledger[index];
            if (expected == 0)
            {
                _counts.Unwritten++;
                continue;
            }

            _counts.Pages++;
            if (PageChecksum.Compute(pages[..pageSize], index) != expected && _counts.Mismatches++ == 0)
                _counts.FirstMismatch = index;
        }
    }
}
