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
        Assert.Equal(Report.Write(results, hasPictures: true), Report.Write(read, hasPictures: true));
    }

    [Fact]
    public void Has_the_names_that_others_read()
    {
        using var json = JsonDocument.Parse(JsonSerializer.Serialize(Samples.Results(Samples.Everything(Samples.Options), Samples.Options), ResultsJson.Default.RunResults));
        JsonElement root = json.RootElement;

        Assert.Equal(1, root.GetProperty("schemaVersion").GetInt32());
        Assert.True(root.GetProperty("quiet").GetProperty("quiet").GetBoolean());
        Assert.Equal("A processor", root.GetProperty("machine").GetProperty("cpu").GetString());
        foreach (string name in (string[])["name", "ratio", "target", "met", "spread", "note"])
            Assert.True(root.GetProperty("targets")[0].TryGetProperty(name, out _), name);
        foreach (string name in (string[])["name", "tool", "unit", "median", "quartile1", "quartile3", "samples"])
            Assert.True(root.GetProperty("figures")[0].TryGetProperty(name, out _), name);
        foreach (string name in (string[])["group", "title", "numerator", "denominator", "ratio", "quartile1", "quartile3", "spread", "verdict"])
            Assert.True(root.GetProperty("comparisons")[0].TryGetProperty(name, out _), name);
    }
}
