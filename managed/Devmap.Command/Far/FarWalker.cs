// SPDX-License-Identifier: MIT
using System.Diagnostics;

namespace Devmap.CommandLine.Far;

/// <summary>
/// A thread's visits of pages, each of which verifies every byte of the page, and may write it anew. Not for more than one
/// thread, but for <see cref="Visits"/>.
/// </summary>
/// <remarks>
/// One that goes by pointer stands still in a page fault while it is at a page, and holds up whoever waits for it: the garbage
/// collector does. Nobody waits for the page, as <see cref="FarLedger"/> says, and the native threads that serve the fault wait
/// for nothing of this program.
/// </remarks>
internal sealed unsafe class FarWalker(FarMemory memory, FarLedger ledger, FarContent content, FarMismatches mismatches, FarSettings settings, int number, bool byPointer)
{
    /// <summary>How long to ask for a lease while what else is leased leaves no room, which is moments each time.</summary>
    private static readonly TimeSpan s_patience = TimeSpan.FromSeconds(30);

    private readonly Random _random = new(unchecked(settings.Seed + number));
    private readonly byte* _start = memory.DangerousGetPointer();
    private readonly int _pageSize = memory.PageSize;
    private readonly FarPageState[] _state = new FarPageState[1];
    private long _visits;

    /// <summary>Visits of this phase. Any thread.</summary>
    public long Visits => Interlocked.Read(ref _visits);

    /// <summary>Of these, those that wrote the page anew.</summary>
    public long Writes { get; private set; }

    /// <summary>Of them, those that found what had been written to the page, or should have; the others found a new one.</summary>
    public long Compared { get; private set; }

    /// <summary>Leases that were refused, as others left no room, and asked for again.</summary>
    public long Refused { get; private set; }

    /// <summary>How long it took to get at pages that were in memory.</summary>
    public LatencyHistogram Resident { get; private set; } = new();

    /// <summary>And at those that were not.</summary>
    public LatencyHistogram Absent { get; private set; } = new();

    /// <summary>Starts to count anew.</summary>
    public void Reset()
    {
        Interlocked.Exchange(ref _visits, 0);
        Writes = 0;
        Compared = 0;
        Refused = 0;
        Resident = new LatencyHistogram();
        Absent = new LatencyHistogram();
    }

    /// <summary>Does a task on a thread of its own.</summary>
    /// <param name="task">The task.</param>
    /// <param name="start">Set when every walker has its thread.</param>
    /// <param name="stop">Ends it early.</param>
    public Task RunAsync(FarTask task, ManualResetEventSlim start, CancellationToken stop) => Task.Factory.StartNew(
        () =>
        {
            start.Wait(CancellationToken.None);
            if (task.Phase == FarPhase.Random)
                WalkAtRandom(task.Visits, stop);
            else
                WalkInOrder(task, stop);
        },
        CancellationToken.None,
        TaskCreationOptions.LongRunning,
        TaskScheduler.Default);

    private void WalkInOrder(FarTask task, CancellationToken stop)
    {
        bool write = task.Phase == FarPhase.Fill;
        for (long page = task.FirstPage; page < task.EndPage && !stop.IsCancellationRequested; page++)
        {
            if (!TryVisit(page, write))
                throw new InvalidOperationException($"Page {page} is visited by two threads.");
        }
    }

    private void WalkAtRandom(long visits, CancellationToken stop)
    {
        while (visits > 0 && !stop.IsCancellationRequested)
        {
            bool write = _random.Next(100) < settings.Writes;
            if (TryVisit(_random.NextInt64(ledger.Pages), write))
                visits--;
            else
                Thread.Yield();
        }
    }

    private bool TryVisit(long page, bool write)
    {
        if (!ledger.TryTake(page, out int version))
            return false;
        int next = write ? FarLedger.Next(version) : version;
        if (byPointer)
            VisitByPointer(page, version, next);
        else
            VisitByLease(page, version, next);

        // Not in a finally: a page whose visit failed is nobody's to verify.
        ledger.Give(page, next);
        Interlocked.Increment(ref _visits);
        if (write)
            Writes++;
        if (version != 0)
            Compared++;
        return true;
    }

    private void VisitByPointer(long page, int version, int next)
    {
        byte* address = _start + (page * _pageSize);
        (long started, bool isResident) = StartAccess(page);

        // New memory is written first, so that one fault brings it, but not changed: it is to be verified.
        if (version == 0)
            Interlocked.Or(ref *(int*)address, 0);
        else
            _ = Volatile.Read(ref *address);
        EndAccess(started, isResident);
        var bytes = new Span<byte>(address, _pageSize);
        Verify(bytes, page, version);
        if (next != version)
            content.Fill(bytes, page, next);
    }

    private void VisitByLease(long page, int version, int next)
    {
        (long started, bool isResident) = StartAccess(page);
        using PageLease lease = Lease(page * _pageSize, next != version);
        EndAccess(started, isResident);
        Verify(lease.ReadOnlySpan, page, version);
        if (next != version)
            content.Fill(lease.Span, page, next);
    }

    private PageLease Lease(long offset, bool write)
    {
        long started = Stopwatch.GetTimestamp();
        while (true)
        {
            try
            {
                return write ? memory.Lease(offset, _pageSize) : memory.LeaseForReading(offset, _pageSize);
            }
            catch (PagesBusyException) when (Stopwatch.GetElapsedTime(started) < s_patience)
            {
                Refused++;
                Thread.Yield();
            }
        }
    }

    /// <summary>The time is taken first: looking waits for a page that is on its way.</summary>
    private (long Started, bool IsResident) StartAccess(long page)
    {
        long started = Stopwatch.GetTimestamp();
        memory.GetPageStates(page, _state);
        return (started, _state[0].HasFlag(FarPageState.Resident));
    }

    private void EndAccess(long started, bool isResident) =>
        (isResident ? Resident : Absent).Add(Stopwatch.GetTimestamp() - started);

    private void Verify(ReadOnlySpan<byte> page, long index, int version)
    {
        if (content.Matches(page, index, version))
            return;
        byte[] found = page.ToArray();
        byte[] expected = new byte[_pageSize];
        content.Fill(expected, index, version);
        mismatches.Add(FarMismatch.Of(found, expected, index, version));
    }
}
