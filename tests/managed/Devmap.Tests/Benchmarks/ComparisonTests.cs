// SPDX-License-Identifier: MIT
using Devmap.Benchmarks.Suite;
using Xunit;

namespace Devmap.Tests.Benchmarks;

/// <summary>What a comparison says.</summary>
public sealed class ComparisonTests
{
    [Theory]
    [InlineData(1.0, 0.99, 1.01, "no difference seen")]
    [InlineData(1.05, 1.0, 1.06, "no difference seen")]
    [InlineData(0.95, 0.9, 1.0, "no difference seen")]
    [InlineData(1.5, 1.25, 1.75, "more")]
    [InlineData(1.05, 1.04, 1.06, "more")]
    [InlineData(0.95, 0.94, 0.96, "less")]
    [InlineData(1.0, 1.0, 1.0, "equal")]
    [InlineData(1.00001, 1.00001, 1.00001, "more")]
    public void Weighs_the_difference_against_the_spread(double median, double low, double high, string verdict)
    {
        Assert.Equal(verdict, Comparison.VerdictOf(new(median, low, high, 0, 9, Summary.EnoughForQuartiles)));
        Assert.Equal(verdict, Comparison.VerdictOf(new(median, median, median, low, high, Summary.EnoughForQuartiles - 1)));
    }

    [Fact]
    public void Takes_quartiles_of_a_few_rounds_for_nothing()
    {
        // The quartiles are 1.03 and 1.06; the difference is 0.05, and the rounds are 0.06 apart.
        var comparison = Comparison.Of(Samples.Rounds((1.01, 1), (1.05, 1), (1.07, 1)), "a group", "a title", "a", "b");

        Assert.Equal(Comparison.NoDifference, comparison.Verdict);
    }

    [Fact]
    public void Names_both_sides()
    {
        var comparison = Comparison.Of(Samples.Rounds((1, 1), (3, 1), (2, 1)), "a group", "a title", "a", "b");

        Assert.Equal(("a group", "a title", "a", "b"), (comparison.Group, comparison.Title, comparison.Numerator, comparison.Denominator));
        Assert.Equal((2, 1.5, 2.5, 1), (comparison.Ratio, comparison.Quartile1, comparison.Quartile3, comparison.High - comparison.Spread));
        Assert.Equal((1, 3, 2, "ratio"), (comparison.Low, comparison.High, comparison.Spread, comparison.Unit));
        Assert.Equal(Comparison.NoDifference, comparison.Verdict);
    }
}
