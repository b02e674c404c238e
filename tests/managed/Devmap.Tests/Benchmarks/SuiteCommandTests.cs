// SPDX-License-Identifier: MIT
using Devmap.Benchmarks.Suite;
using Xunit;

namespace Devmap.Tests.Benchmarks;

/// <summary>The program's arguments, and how it ends.</summary>
public sealed class SuiteCommandTests
{
    [Theory]
    [InlineData("--rounds is '0'", "--rounds", "0")]
    [InlineData("--rounds is '1'", "--rounds", "1")]
    [InlineData("--rounds is 'x'", "--rounds", "x")]
    [InlineData("--frobnicate", "--frobnicate")]
    [InlineData("leave nothing to measure", "--skip-native", "--skip-managed")]
    public async Task Wrong_arguments_end_it_with_2(string reason, params string[] args)
    {
        (int status, _, string error) = await InvokeAsync(args);

        Assert.Equal(2, status);
        Assert.StartsWith("bench: ", error, StringComparison.Ordinal);
        Assert.Contains(reason, error, StringComparison.Ordinal);
    }

    [Fact]
    public async Task Help_says_what_it_takes_and_hides_the_childs_verb()
    {
        (int status, string output, string error) = await InvokeAsync("--help");

        Assert.Equal((0, string.Empty), (status, error));
        Assert.Contains("repository's root", string.Join(' ', output.Split((char[]?)null, StringSplitOptions.RemoveEmptyEntries)), StringComparison.Ordinal);
        foreach (string option in (string[])["--quick", "--rounds", "--out", "--native", "--skip-native", "--skip-managed"])
            Assert.Contains(option, output, StringComparison.Ordinal);
        Assert.DoesNotContain("--class", output, StringComparison.Ordinal);
        Assert.DoesNotContain("Commands:", output, StringComparison.Ordinal);
    }

    [Fact]
    public async Task A_missing_build_ends_it_with_1()
    {
        using var directory = new TemporaryDirectory();

        await AssertFailsAsync($"There is no folder {directory["none"]}", "--out", directory["out"], "--native", directory["none"]);
        await AssertFailsAsync("has no libdevmap.so", "--out", directory["out"], "--native", directory.Root);
    }

    [Fact]
    public async Task So_does_a_folder_that_cannot_be_written()
    {
        using var directory = new TemporaryDirectory();
        await File.WriteAllTextAsync(directory["file"], string.Empty);

        await AssertFailsAsync($"The results cannot be written to {directory["file"]}/out", "--out", directory["file"] + "/out", "--native", directory.Root);
    }

    [Theory]
    [InlineData("raw")]
    [InlineData("plots")]
    [InlineData("plots.tmp")]
    public async Task So_does_a_folder_with_somebody_elses(string name)
    {
        using var directory = new TemporaryDirectory();
        string file = Path.Combine(Directory.CreateDirectory(directory[name]).FullName, "photo");
        await File.WriteAllTextAsync(file, string.Empty);

        await AssertFailsAsync($"{directory.Root} has {name}", "--out", directory.Root, "--native", directory["none"]);

        Assert.True(File.Exists(file));
        Assert.Single(Directory.EnumerateFileSystemEntries(directory.Root));
    }

    [Fact]
    public async Task So_does_a_class_that_is_not_there()
    {
        using var directory = new TemporaryDirectory();

        await AssertFailsAsync("There is no class 'None'", ManagedCommand.Name, "--class", "None", "--results", directory["results.json"]);
    }

    private static async Task AssertFailsAsync(string reason, params string[] args)
    {
        (int status, _, string error) = await InvokeAsync(args);

        Assert.Equal(1, status);
        Assert.StartsWith("bench: ", error, StringComparison.Ordinal);
        Assert.Contains(reason, error, StringComparison.Ordinal);
        Assert.Single(error.TrimEnd().Split('\n'));
    }

    private static async Task<(int Status, string Output, string Error)> InvokeAsync(params string[] args)
    {
        await using var output = new StringWriter();
        await using var error = new StringWriter();
        int status = await SuiteCommand.InvokeAsync(args, output, error);
        return (status, output.ToString(), error.ToString());
    }
}
