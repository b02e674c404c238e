// SPDX-License-Identifier: MIT
namespace Devmap.CommandLine.Run;

/// <summary>Times of which any percentile is exact: the smallest one that so many percent of them do not exceed.</summary>
internal sealed class WaitingTimes
{
    private readonly TimeSpan[] _sorted;

    public WaitingTimes(IEnumerable<TimeSpan> times)
    {
        _sorted = [.. times];
        Array.Sort(_sorted);
    }

    public int Count => _sorted.Length;

    /// <summary>Null where there are no times.</summary>
    /// <param name="percent">Above 0, to 100.</param>
    public TimeSpan? Percentile(int percent)
    {
        if (_sorted.Length == 0)
            return null;
        long rank = (((long)_sorted.Length * percent) + 99) / 100;
        return _sorted[rank - 1];
    }
}
