// SPDX-License-Identifier: MIT
using Devmap.Benchmarks.Suite;
using Xunit;

namespace Devmap.Tests.Benchmarks;

/// <summary>When a target is met.</summary>
public sealed class TargetTests
{
    [Theory]
    [InlineData(1.04, true)]
    [InlineData(1.05, true)]
    [InlineData(1.06, false)]
    public void By_a_median_at_or_below_it(double ratio, bool met)
    {
        TargetResult result = Result(new("a / b", "a", "b", 1.05), Samples.Rounds((ratio, 1), (ratio, 1)));

        Assert.Equal(met, result.Met);
        Assert.Equal(ratio, result.Ratio);
        Assert.Equal((1.05, "<=", 0), (result.Target, result.Relation, result.Spread));
        Assert.Empty(result.Note);
    }

    [Fact]
    public void Whatever_the_spread_which_is_told()
    {
        TargetResult result = Result(new("a / b", "a", "b", 1), Samples.Rounds((0.5, 1), (0.9, 1), (1.5, 1)));

        Assert.True(result.Met);
        Assert.Contains("reaches across", result.Note, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData(23, true)]
    [InlineData(22.999999, false)]
    [InlineData(23.000001, false)]
    public void Of_counts_by_the_same_count_alone(double count, bool met)
    {
        TargetResult result = Result(new("a / b", "a", "b", 1) { Exact = true }, Samples.Rounds((count, 23)));

        Assert.Equal(met, result.Met);
        Assert.Equal("=", result.Relation);
    }

    [Theory]
    [InlineData(0L, true, "allocates nothing")]
    [InlineData(24L, false, "24 bytes")]
    [InlineData(null, false, "is to allocate nothing")]
    public void Without_an_allocation_where_it_says_so(long? bytes, bool met, string note)
    {
        Measurements measurements = new();
        measurements.AddRound([Samples.Of("a", 1, bytes), Samples.Of("b", 2)]);

        TargetResult result = Result(new("a / b", "a", "b", 0.8) { NoAllocation = true }, measurements);

        Assert.Equal(met, result.Met);
        Assert.Contains(note, result.Note, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData(999_999, true)]
    [InlineData(1_000_000, false)]
    public void Below_an_absolute_limit(double nanoseconds, bool met)
    {
        TargetResult result = Result(new("a / 1 ms", "a", null, 1) { Whole = 1e6 }, Samples.Rounds((nanoseconds, 1)));

        Assert.Equal(met, result.Met);
        Assert.Equal(nanoseconds / 1e6, result.Ratio);
        Assert.Equal(("<", "1.00 ms"), (result.Relation, result.Denominator));
    }

    [Fact]
    public void With_the_floor_beside_it()
    {
        Measurements measurements = new();
        measurements.AddRound([Samples.Of("a", 3), Samples.Of("b", 2), Samples.Of("floor", 1)]);

        Assert.Contains("0.500", Result(new("a / b", "a", "b", 1) { Floor = "floor" }, measurements).Note, StringComparison.Ordinal);
    }

    [Fact]
    public void Neither_way_where_the_run_left_it_out()
    {
        TargetResult result = TargetResult.Of(new("a / b", "a", "XBenchmarks/B", 1), new(), Samples.Options with { SkipManaged = true });

        Assert.Null(result.Met);
        Assert.Null(result.Ratio);
        Assert.Equal("not measured in this run", result.Note);
    }

    [Fact]
    public void A_missing_series_is_an_error() =>
        Assert.Contains("'c'", Assert.Throws<SuiteException>(() => Result(new("a / c", "a", "c", 1), Samples.Rounds((1, 1)))).Message, StringComparison.Ordinal);

    private static TargetResult Result(Target target, Measurements measurements) => TargetResult.Of(target, measurements, Samples.Options);
}
