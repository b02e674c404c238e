// SPDX-License-Identifier: MIT
using System.Text.Json;
using Devmap.Benchmarks.Suite;
using Xunit;

namespace Devmap.Tests.Benchmarks;

/// <summary>results.json.</summary>
public sealed class ResultsJsonTests
{
    [Fact]
    public void Can_be_read_back()
    {
        RunResults results = Samples.Results(Samples.Everything(Samples.Options), Samples.Options);
        string json = JsonSerializer.Serialize(results, ResultsJson.Default.RunResults);

        RunResults read = JsonSerializer.Deserialize(json, ResultsJson.Default.RunResults)!;

        Assert.Equal(results.Figures, read.Figures);
        Assert.Equal(results.Comparisons, read.Comparisons);
        Assert.Equal(results.Targets, read.Targets);
        Assert.Equal(results.Memory, read.Memory);
        Assert.Equal(json, JsonSerializer.Serialize(read, ResultsJson.Default.RunResults));
        Assert.Equal(Report.Write(results, noPictures: null), Report.Write(read, noPictures: null));
    }

    [Fact]
    public void Has_the_names_that_others_read()
    {
        using var json = JsonDocument.Parse(JsonSerializer.Serialize(Samples.Results(Samples.Everything(Samples.Options), Samples.Options), ResultsJson.Default.RunResults));
        JsonElement root = json.RootElement;

        Assert.Equal(1, root.GetProperty("schemaVersion").GetInt32());
        Assert.True(root.GetProperty("quiet").GetProperty("quiet").GetBoolean());
        Assert.Equal("A processor", root.GetProperty("machine").GetProperty("cpu").GetString());
        AssertAll(root.GetProperty("targets"), Targets.All.Count, "name", "ratio", "unit", "target", "met", "spread", "note");
        AssertAll(root.GetProperty("figures"), 1, "name", "tool", "unit", "median", "quartile1", "quartile3", "low", "high", "samples", "ratio", "baseline");
        AssertAll(
            root.GetProperty("comparisons"), 1,
            "group", "title", "numerator", "denominator", "ratio", "unit", "quartile1", "quartile3", "low", "high", "spread", "verdict");
        foreach (JsonElement figure in root.GetProperty("figures").EnumerateArray())
            Assert.Equal(figure.GetProperty("baseline").ValueKind == JsonValueKind.Null, figure.GetProperty("ratio").ValueKind == JsonValueKind.Null);
    }

    [Theory]
    [InlineData("put/no_ops", "put/no_ops")]
    [InlineData("put/gate_off", "put/no_ops")]
    [InlineData("growth/create/pages:1", "growth/create/pages:1")]
    [InlineData("growth/create/pages:64", "growth/create/pages:1")]
    [InlineData("terabyte/create_destroy", null)]
    public void Has_each_figures_ratio_and_what_it_is_to(string series, string? baseline)
    {
        RunResults results = Samples.Results(Samples.Everything(Samples.Options), Samples.Options);

        Figure figure = Assert.Single(results.Figures, figure => figure.Name == series);

        Assert.Equal(baseline, figure.Baseline);
        if (baseline is null)
            Assert.Null(figure.Ratio);
        else if (baseline == series)
            Assert.Equal(1, figure.Ratio);
        else
            Assert.Equal(results.Comparisons.First(comparison => comparison.Numerator == series).Ratio, figure.Ratio);
    }

    [Fact]
    public void Has_null_for_what_was_not_measured()
    {
        SuiteOptions options = Samples.Options with { SkipManaged = true };
        using var json = JsonDocument.Parse(JsonSerializer.Serialize(Samples.Results(Samples.Everything(options), options), ResultsJson.Default.RunResults));

        JsonElement skipped = json.RootElement.GetProperty("targets").EnumerateArray()
            .First(target => target.GetProperty("numerator").GetString() == "PutBenchmarks/ManagedInline");

        Assert.All((string[])["ratio", "met", "spread"], name => Assert.Equal(JsonValueKind.Null, skipped.GetProperty(name).ValueKind));
    }

    private static void AssertAll(JsonElement elements, int least, params string[] names)
    {
        Assert.True(elements.GetArrayLength() >= least);
        foreach (JsonElement element in elements.EnumerateArray())
            Assert.All(names, name => Assert.True(element.TryGetProperty(name, out _), $"{name} of {element}"));
    }
}
