// SPDX-License-Identifier: MIT
using System.Diagnostics;

namespace Devmap.CommandLine.Run;

/// <summary>
/// The only one who changes the file: truncates it under its readers, grows it again and fills what was added. Not for
/// more than one thread, but for the counts.
/// </summary>
internal sealed class Truncator(WorkFile work, PageLedger ledger, int seed)
{
    /// <summary>How long a truncation waits for readers, who hold no lease for more than moments.</summary>
    private static readonly TimeSpan s_patience = TimeSpan.FromSeconds(30);

    /// <summary>How long one waits that would rather give up.</summary>
    private static readonly TimeSpan s_impatience = TimeSpan.FromMicroseconds(50);

    private readonly Random _random = new(seed);
    private readonly List<TimeSpan> _waits = [];
    private readonly int _pageSize = work.File.Map.PageSize;

    /// <summary>Whole pages that are written, all from the first one.</summary>
    private long _written;

    private long _length;
    private long _truncations;
    private long _givenUp;
    private long _growths;

    public long Truncations => Interlocked.Read(ref _truncations);

    /// <summary>Truncations that ended in a timeout.</summary>
    public long GivenUp => Interlocked.Read(ref _givenUp);

    /// <summary>Of these, those after which the file had another length than before.</summary>
    public long HalfDone { get; private set; }

    public long Growths => Interlocked.Read(ref _growths);

    /// <summary>Bytes that the file has by what was asked of it.</summary>
    public long Length
    {
        get => Interlocked.Read(ref _length);
        private set => Interlocked.Exchange(ref _length, value);
    }

    /// <summary>How long each truncation took, the wait for its readers included.</summary>
    public WaitingTimes Waits => new(_waits);

    /// <summary>Grows the file to all its bytes, and fills it as far as it is not interrupted.</summary>
    public async Task CompleteAsync(CancellationToken interrupt)
    {
        await GrowAsync(work.Size).ConfigureAwait(false);
        Fill(interrupt);
    }

    /// <summary>Truncates and grows, again and again.</summary>
    public async Task RunAsync(CancellationToken stop)
    {
        while (!stop.IsCancellationRequested)
        {
            if (!await TryTruncateAsync(stop).ConfigureAwait(false))
                continue;
            await GrowAsync(work.Size - RandomPart(work.Size - Length)).ConfigureAwait(false);
            Interlocked.Increment(ref _growths);
            Fill(stop);
        }
    }

    private async Task<bool> TryTruncateAsync(CancellationToken stop)
    {
        long length = Length - Math.Max(1, RandomPart(Length));
        TimeSpan timeout = _random.Next(16) == 0 ? s_impatience : s_patience;
        long started = Stopwatch.GetTimestamp();
        try
        {
            await work.File.SetLengthAsync(length, timeout, stop).ConfigureAwait(false);
        }
        catch (PagesBusyException)
        {
            Interlocked.Increment(ref _givenUp);
            if (work.File.Length != Length || work.OrdinaryLength != Length)
                HalfDone++;
            return false;
        }
        catch (OperationCanceledException)
        {
            return false;
        }

        _waits.Add(Stopwatch.GetElapsedTime(started));
        Length = length;
        Interlocked.Increment(ref _truncations);

        // The page with the new end in it lost its tail.
        long left = length / _pageSize;
        for (long page = left; page < _written; page++)
            ledger[page] = 0;
        _written = Math.Min(_written, left);
        return true;
    }

    private async Task GrowAsync(long length)
    {
        await work.File.SetLengthAsync(length, s_patience, CancellationToken.None).ConfigureAwait(false);
        Length = length;
    }

    /// <summary>Writes the whole pages that are not written.</summary>
    private void Fill(CancellationToken stop)
    {
        int batch = ReadSizes.MaxPages(_pageSize);
        long whole = Length / _pageSize;
        while (_written < whole && !stop.IsCancellationRequested)
        {
            int pages = (int)Math.Min(batch, whole - _written);
            using PageLease lease = work.File.LeaseForWriting(_written * _pageSize, pages * _pageSize);
            Span<byte> bytes = lease.Span;
            work.Content.Fill(bytes, _written, _pageSize);
            for (; !bytes.IsEmpty; bytes = bytes[_pageSize..], _written++)
                ledger[_written] = PageChecksum.Compute(bytes[.._pageSize], _written);
        }
    }

    /// <summary>From 0 to <paramref name="limit"/>, every order of magnitude as likely as the next.</summary>
    private long RandomPart(long limit) => Math.Min(limit, (long)Math.Pow(limit + 1.0, _random.NextDouble()) - 1);
}
