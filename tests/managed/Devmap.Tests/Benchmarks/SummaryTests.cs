// SPDX-License-Identifier: MIT
using Devmap.Benchmarks.Suite;
using Xunit;

namespace Devmap.Tests.Benchmarks;

/// <summary>Medians and quartiles.</summary>
public sealed class SummaryTests
{
    [Theory]
    [InlineData(new[] { 7.0 }, 7, 7, 7)]
    [InlineData(new[] { 2.0, 1 }, 1.5, 1.25, 1.75)]
    [InlineData(new[] { 3.0, 1, 2 }, 2, 1.5, 2.5)]
    [InlineData(new[] { 4.0, 1, 3, 2 }, 2.5, 1.75, 3.25)]
    [InlineData(new[] { 5.0, 1, 100, 2, 4 }, 4, 2, 5)]
    public void Come_from_sorted_values(double[] values, double median, double quartile1, double quartile3)
    {
        var summary = Summary.Of(values);

        Assert.Equal(new Summary(median, quartile1, quartile3, values.Min(), values.Max(), values.Length), summary);
    }

    [Theory]
    [InlineData(1, 7, 7)]
    [InlineData(3, 1, 9)]
    [InlineData(6, 1, 9)]
    [InlineData(7, 4, 7)]
    [InlineData(9, 4, 7)]
    public void Of_a_few_spread_over_all_of_them(int samples, double low, double high)
    {
        Summary summary = samples == 1 ? Summary.Of([7]) : new(5, 4, 7, 1, 9, samples);

        Assert.Equal((low, high, high - low), (summary.Low, summary.High, summary.Spread));
    }

    [Fact]
    public void Need_a_value() => Assert.Throws<ArgumentException>(() => Summary.Of([]));
}
