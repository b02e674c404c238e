// SPDX-License-Identifier: MIT
using Devmap.Benchmarks.Suite;
using Xunit;

namespace Devmap.Tests.Benchmarks;

/// <summary>The folder of a run's results.</summary>
public sealed class ResultFilesTests
{
    [Fact]
    public void Clear_what_an_earlier_run_left()
    {
        using var directory = new TemporaryDirectory();
        File.WriteAllText(new ResultFiles(directory.Root).Raw("old"), string.Empty);

        ResultFiles files = new(directory.Root);

        Assert.True(File.Exists(directory[ResultFiles.Marker]));
        Assert.False(File.Exists(files.Raw("old")));
    }

    [Fact]
    public async Task Keep_the_run_and_the_old_plots_where_the_new_ones_fail()
    {
        using var directory = new TemporaryDirectory();
        ResultFiles files = new(directory.Root);
        Directory.CreateDirectory(directory["plots"]);
        await File.WriteAllTextAsync(directory["plots/old.svg"], string.Empty);
        // No folder can be made where a file is.
        await File.WriteAllTextAsync(directory["plots.tmp"], string.Empty);
        await using var error = new StringWriter();

        string report = await files.WriteAsync(Samples.Results(Samples.Everything(Samples.Options), Samples.Options), error, CancellationToken.None);

        Assert.True(File.Exists(directory["results.json"]));
        Assert.Contains("There are no pictures:", await File.ReadAllTextAsync(report), StringComparison.Ordinal);
        Assert.StartsWith("warning: the report has no pictures:", error.ToString(), StringComparison.Ordinal);
        Assert.True(File.Exists(directory["plots/old.svg"]));
    }

    [Fact]
    public async Task Replace_the_old_plots_by_complete_ones()
    {
        using var directory = new TemporaryDirectory();
        ResultFiles files = new(directory.Root);
        Directory.CreateDirectory(directory["plots"]);
        await File.WriteAllTextAsync(directory["plots/old.svg"], string.Empty);
        await using var error = new StringWriter();

        await files.WriteAsync(Samples.Results(Samples.Everything(Samples.Options), Samples.Options), error, CancellationToken.None);

        Assert.False(File.Exists(directory["plots/old.svg"]));
        Assert.NotEmpty(Directory.EnumerateFiles(directory["plots"], "*.gp"));
        Assert.False(Directory.Exists(directory["plots.tmp"]) || Directory.Exists(directory["plots.old"]));
    }

    [Theory]
    [InlineData("")]
    [InlineData("null")]
    [InlineData("{}")]
    [InlineData("[{}]")]
    public void Of_a_child_that_are_broken_are_named(string json) =>
        Assert.StartsWith("raw/managed-1.json cannot be read: ", Assert.Throws<SuiteException>(() => ManagedTool.Read("raw/managed-1.json", json)).Message, StringComparison.Ordinal);
}
