// SPDX-License-Identifier: MIT
using Devmap.Interop;

namespace Devmap;

/// <summary>How long something took, in nanoseconds.</summary>
public sealed record DurationHistogram
{
    /// <summary>Number of <see cref="Buckets"/>.</summary>
    public const int BucketCount = NativeMethods.DEVMAP_HISTOGRAM_BUCKETS;

    /// <summary>How many were timed: the sum of the buckets.</summary>
    public required long Count { get; init; }

    /// <summary>Nanoseconds in all.</summary>
    public required long SumNanoseconds { get; init; }

    /// <summary>The longest, in nanoseconds.</summary>
    public required long MaxNanoseconds { get; init; }

    /// <summary>Bucket i counts what took less than 2^i ns and no less than half of that; the last one all above.</summary>
    public required IReadOnlyList<long> Buckets { get; init; }

    /// <summary>
    /// What a share of them took at most, in nanoseconds: the upper end of the bucket in which the share is reached, or
    /// <see cref="MaxNanoseconds"/> where that is less; 0 where none was timed.
    /// </summary>
    /// <param name="share">From 0 to 1: 0.5 for the median.</param>
    /// <exception cref="ArgumentOutOfRangeException"><paramref name="share"/> is not from 0 to 1.</exception>
    public long QuantileNanoseconds(double share)
    {
        if (!(share is >= 0 and <= 1))
            throw new ArgumentOutOfRangeException(nameof(share), share, "A share is from 0 to 1.");
        double wanted = Math.Max(1, share * Count);
        long seen = 0;
        for (int i = 0; i < Buckets.Count - 1; i++)
        {
            seen += Buckets[i];
            if (seen >= wanted)
                return Math.Min(1L << i, MaxNanoseconds);
        }

        return MaxNanoseconds;
    }
}
