// SPDX-License-Identifier: MIT
using Devmap.Benchmarks.Suite;
using Xunit;

namespace Devmap.Tests.Benchmarks;

/// <summary>Figures and ratios over rounds.</summary>
public sealed class MeasurementsTests
{
    [Fact]
    public void A_ratio_is_taken_in_each_round()
    {
        // The machine was three times slower in the second round, for both.
        Measurements measurements = Samples.Rounds((2, 1), (6, 3), (4, 2));

        Assert.Equal(new Summary(2, 2, 2, 2, 2, 3), measurements.Ratio("a", "b"));
    }

    [Fact]
    public void Its_spread_is_that_of_the_rounds() =>
        Assert.Equal(new Summary(2, 1.5, 2.5, 1, 3, 3), Samples.Rounds((1, 1), (3, 1), (2, 1)).Ratio("a", "b"));

    [Fact]
    public void A_figure_is_the_rounds_median_and_their_most_bytes()
    {
        Measurements measurements = new();
        measurements.AddRound([Samples.Of("a", 1, allocatedBytes: 0)]);
        measurements.AddRound([Samples.Of("a", 3, allocatedBytes: 24)]);
        measurements.AddRound([Samples.Of("a", 2, allocatedBytes: 0)]);

        Figure figure = measurements.Figure("a");

        Assert.Equal(2, figure.Median);
        Assert.Equal(1.5, figure.Quartile1);
        Assert.Equal(2.5, figure.Quartile3);
        Assert.Equal((1, 3), (figure.Low, figure.High));
        Assert.Equal(3, figure.Samples);
        Assert.Equal(24, figure.AllocatedBytes);
    }

    [Fact]
    public void Counts_are_a_round_of_their_own()
    {
        Measurements measurements = Samples.Rounds((2, 1), (2, 1));
        measurements.AddRound([Samples.Of("counted", 23), Samples.Of("too", 23)]);

        Assert.Equal(new Summary(1, 1, 1, 1, 1, 1), measurements.Ratio("counted", "too"));
        Assert.Equal(2, measurements.Ratio("a", "b").Samples);
        Assert.Equal(["a", "b", "counted", "too"], measurements.Figures().Select(figure => figure.Name));
    }

    [Theory]
    [InlineData("a", "c")]
    [InlineData("c", "a")]
    [InlineData("c", "c")]
    public void A_missing_series_is_named(string numerator, string denominator)
    {
        var wrong = Assert.Throws<SuiteException>(() => Samples.Rounds((2, 1)).Ratio(numerator, denominator));

        Assert.Contains("'c'", wrong.Message, StringComparison.Ordinal);
    }

    [Fact]
    public void So_is_one_that_only_some_rounds_have()
    {
        Measurements measurements = Samples.Rounds((2, 1));
        measurements.AddRound([Samples.Of("a", 2)]);

        Assert.Contains("'b'", Assert.Throws<SuiteException>(() => measurements.Ratio("a", "b")).Message, StringComparison.Ordinal);
    }

    [Fact]
    public void Two_benchmarks_of_one_name_are_refused() =>
        Assert.Throws<SuiteException>(() => new Measurements().AddRound([Samples.Of("a", 1), Samples.Of("a", 2)]));

    [Fact]
    public void What_is_no_number_is_refused()
    {
        Assert.Throws<SuiteException>(() => new Measurements().AddRound([Samples.Of("a", double.PositiveInfinity)]));
        Assert.Throws<SuiteException>(() => Samples.Rounds((1, 0)).Ratio("a", "b"));
    }
}
