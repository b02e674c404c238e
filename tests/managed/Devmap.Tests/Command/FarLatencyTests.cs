// SPDX-License-Identifier: MIT
using System.Diagnostics;
using Devmap.CommandLine.Far;
using Xunit;

namespace Devmap.Tests.Command;

/// <summary>Percentiles of times that are only counted.</summary>
public sealed class FarLatencyTests
{
    [Theory]
    [InlineData(200, 50, 100)]
    [InlineData(200, 99, 198)]
    [InlineData(200, 100, 200)]
    [InlineData(1, 50, 1)]
    [InlineData(31, 50, 16)]
    [InlineData(1_000_000, 50, 500_000)]
    [InlineData(1_000_000, 99, 990_000)]
    [InlineData(1_000_000, 100, 1_000_000)]
    public void Are_at_most_a_32nd_too_long(int count, int percent, long ticks)
    {
        var times = new LatencyHistogram();
        for (int time = count; time > 0; time--)
            times.Add(time);

        TimeSpan exact = Stopwatch.GetElapsedTime(0, ticks);
        Assert.Equal(count, times.Count);
        Assert.InRange(times.Percentile(percent)!.Value, exact, Stopwatch.GetElapsedTime(0, ticks + (ticks / 32)));
    }

    [Theory]
    [InlineData(0)]
    [InlineData(31)]
    [InlineData(32)]
    [InlineData(long.MaxValue)]
    public void The_longest_is_exact(long ticks)
    {
        var times = new LatencyHistogram();
        times.Add(ticks);

        Assert.Equal(Stopwatch.GetElapsedTime(0, ticks), times.Percentile(100));
    }

    [Fact]
    public void Those_of_several_threads_add_up()
    {
        var one = new LatencyHistogram();
        var other = new LatencyHistogram();
        one.Add(1000);
        other.Add(5);
        one.Add(other);

        Assert.Equal(2, one.Count);
        Assert.Equal(Stopwatch.GetElapsedTime(0, 5), one.Percentile(50));
        Assert.Equal(Stopwatch.GetElapsedTime(0, 1000), one.Percentile(100));
    }

    [Fact]
    public void A_clock_that_went_back_is_no_time() => Assert.Equal(TimeSpan.Zero, Of(-1).Percentile(50));

    [Fact]
    public void Of_nothing_are_none() => Assert.Null(new LatencyHistogram().Percentile(50));

    private static LatencyHistogram Of(long ticks)
    {
        var times = new LatencyHistogram();
        times.Add(ticks);
        return times;
    }
}
