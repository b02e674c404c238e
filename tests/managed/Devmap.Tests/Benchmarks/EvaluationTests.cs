// SPDX-License-Identifier: MIT
using Devmap.Benchmarks.Suite;
using Xunit;

namespace Devmap.Tests.Benchmarks;

/// <summary>All comparisons and targets of a run.</summary>
public sealed class EvaluationTests
{
    [Fact]
    public void Cover_the_catalogue()
    {
        Measurements everything = Samples.Everything(Samples.Options);
        IReadOnlyList<Comparison> comparisons = Evaluation.Comparisons(everything, Samples.Options);

        Assert.All(Catalogue.Sections, section => Assert.All(
            section.Rows.Skip(1),
            row => Assert.Single(comparisons, comparison => comparison.Title == section.Title && comparison.Numerator == row.Series && comparison.Denominator == section.Baseline.Series)));
        Assert.All(Catalogue.Curves, curve => Assert.All(
            curve.Lines,
            line => Assert.Contains(comparisons, comparison => comparison.Numerator == line.Series.Replace("*", "64", StringComparison.Ordinal))));
        Assert.Equal(Targets.All.Count, Evaluation.Targets(everything, Samples.Options).Count);
        Assert.Equal(56, Evaluation.Memory(everything, Samples.Options)["bytes_per_lease"]);
        Assert.Contains("terabyte_map_kib", Evaluation.Memory(everything, Samples.Options).Keys);
    }

    [Theory]
    [InlineData("put/no_ops")]
    [InlineData("LeaseBenchmarks/LeaseReused")]
    [InlineData("instead/dpdk_mbuf")]
    [InlineData("growth/lookup/maps:10000")]
    [InlineData("memory/terabyte_map_kib")]
    public void Miss_no_series_silently(string series)
    {
        Measurements measurements = Samples.Everything(Samples.Options, except: series);

        string afterwards = Assert.Throws<SuiteException>(() => Samples.Results(measurements, Samples.Options)).Message;
        string beforehand = Assert.Throws<SuiteException>(() =>
            ExpectedSeries.Require(Samples.Options, measurements.Figures().Select(figure => figure.Name))).Message;

        Assert.Contains($"'{series}'", afterwards, StringComparison.Ordinal);
        Assert.Contains($"'{series}'", beforehand, StringComparison.Ordinal);
    }

    [Fact]
    public void Miss_no_curve_silently()
    {
        string[] names = [.. Samples.Everything(Samples.Options).Figures().Select(figure => figure.Name)];

        ExpectedSeries.Require(Samples.Options, names);
        Assert.Contains("'growth/create/pages:*'", Assert.Throws<SuiteException>(() =>
            ExpectedSeries.Require(Samples.Options, names.Where(name => !name.StartsWith("growth/create/", StringComparison.Ordinal)))).Message, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData(true, false)]
    [InlineData(false, true)]
    public void Leave_out_what_the_run_skipped(bool native, bool managed)
    {
        SuiteOptions options = Samples.Options with { SkipNative = native, SkipManaged = managed };
        RunResults results = Samples.Results(Samples.Everything(options), options);

        Assert.Equal(Targets.All.Count, results.Targets.Count);
        Assert.Contains(results.Targets, target => target.Met is null);
        Assert.Contains(results.Targets, target => target.Met is not null);
        Assert.All(results.Comparisons, comparison => Assert.Equal(native, Series.IsManaged(comparison.Numerator)));
    }

    [Theory]
    [InlineData("growth/lookup/maps:10", "growth/lookup/maps:*", 10L)]
    [InlineData("XBenchmarks/Y(Pages:4096)", "XBenchmarks/Y(Pages:*)", 4096L)]
    [InlineData("growth/lookup_cached/maps:10", "growth/lookup/maps:*", null)]
    [InlineData("growth/lookup/maps:", "growth/lookup/maps:*", null)]
    [InlineData("growth/lookup/maps:1/threads:2", "growth/lookup/maps:*", null)]
    [InlineData("X(P:)", "X(P:*)", null)]
    public void Find_a_curves_points(string series, string pattern, long? number) => Assert.Equal(number, Series.Number(series, pattern));
}
