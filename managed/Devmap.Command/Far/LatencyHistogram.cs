// SPDX-License-Identifier: MIT
using System.Diagnostics;
using System.Numerics;

namespace Devmap.CommandLine.Far;

/// <summary>
/// Times, counted by how long they are, so that a further one takes no memory. A percentile is at most 1/32 above the exact
/// one; the longest is exact. For one thread at a time.
/// </summary>
internal sealed class LatencyHistogram
{
    // Each power of two is divided into 32. Shorter times have a bucket each.
    private const int Bits = 5;
    private const int Parts = 1 << Bits;

    private readonly long[] _buckets = new long[(64 - Bits) * Parts];
    private long _longest;

    public long Count { get; private set; }

    /// <param name="ticks">As <see cref="Stopwatch.GetTimestamp"/> counts.</param>
    public void Add(long ticks)
    {
        ticks = Math.Max(ticks, 0);
        _buckets[BucketOf(ticks)]++;
        Count++;
        _longest = Math.Max(_longest, ticks);
    }

    public void Add(LatencyHistogram other)
    {
        for (int i = 0; i < _buckets.Length; i++)
            _buckets[i] += other._buckets[i];
        Count += other.Count;
        _longest = Math.Max(_longest, other._longest);
    }

    /// <summary>The time that so many percent of them do not exceed. Null where there are no times.</summary>
    /// <param name="percent">Above 0, to 100.</param>
    public TimeSpan? Percentile(int percent)
    {
        if (Count == 0)
            return null;
        long left = (long)decimal.Ceiling((decimal)Count * percent / 100);
        int bucket = -1;
        while (left > 0)
            left -= _buckets[++bucket];
        return Stopwatch.GetElapsedTime(0, Math.Min(LastOf(bucket), _longest));
    }

    private static int BucketOf(long ticks)
    {
        if (ticks < Parts)
            return (int)ticks;
        int shift = BitOperations.Log2((ulong)ticks) - Bits;
        return (shift * Parts) + (int)(ticks >> shift);
    }

    /// <summary>The longest time that is counted in a bucket.</summary>
    private static long LastOf(int bucket)
    {
        if (bucket < Parts)
            return bucket;
        int shift = (bucket / Parts) - 1;
        long first = (long)((bucket % Parts) + Parts) << shift;
        return first + ((1L << shift) - 1);
    }
}
