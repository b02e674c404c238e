// SPDX-License-Identifier: MIT
using Devmap.CommandLine;
using Xunit;

namespace Devmap.Tests.Command;

/// <summary>What the command makes of its arguments.</summary>
public sealed class ArgumentTests
{
    [Theory]
    [InlineData("--seconds is '0'", "--seconds", "0")]
    [InlineData("--seconds is '-1'", "--seconds", "-1")]
    [InlineData("--seconds is 'NaN'", "--seconds", "NaN")]
    [InlineData("--seconds is 'Infinity'", "--seconds", "Infinity")]
    [InlineData("--seconds is '1e300'", "--seconds", "1e300")]
    [InlineData("--seconds is 'soon'", "--seconds", "soon")]
    [InlineData("--seconds is '1,5'", "--seconds", "1,5")]
    [InlineData("--seconds", "--seconds")]
    [InlineData("--readers is '0'", "--readers", "0")]
    [InlineData("--readers is '-3'", "--readers", "-3")]
    [InlineData("--readers is '1025'", "--readers", "1025")]
    [InlineData("--readers is '2.5'", "--readers", "2.5")]
    [InlineData("--size is '0'", "--size", "0")]
    [InlineData("--size is '-4K'", "--size", "-4K")]
    [InlineData("--size is '12Q'", "--size", "12Q")]
    [InlineData("--size is '99999999T'", "--size", "99999999T")]
    [InlineData("--page-size is '5000'", "--page-size", "5000")]
    [InlineData("--page-size is '2K'", "--page-size", "2K")]
    [InlineData("--page-size is '2G'", "--page-size", "2G")]
    [InlineData("--seed is '-1'", "--seed", "-1")]
    [InlineData("--file needs a path", "--file", "")]
    [InlineData("'--bogus'", "--bogus")]
    [InlineData("'more'", "more")]
    public async Task Run_refuses(string reason, params string[] args)
    {
        CommandRun run = await CommandRun.InvokeAsync(["run", .. args]);

        Assert.Equal(ExitStatus.CannotRun, run.Status);
        Assert.Contains(reason, run.Error, StringComparison.Ordinal);
        Assert.EndsWith($"Try 'devmap run --help'.{Environment.NewLine}", run.Error, StringComparison.Ordinal);
        Assert.Empty(run.Output);
    }

    [Fact]
    public async Task Without_a_verb_it_says_that_one_is_missing()
    {
        CommandRun run = await CommandRun.InvokeAsync();

        Assert.Equal(ExitStatus.CannotRun, run.Status);
        Assert.Contains("Try 'devmap --help'", run.Error, StringComparison.Ordinal);
    }

    [Fact]
    public async Task The_version_is_the_librarys()
    {
        CommandRun run = await CommandRun.InvokeAsync("--version");

        Assert.Equal(ExitStatus.Success, run.Status);
        Assert.Equal($"devmap {DevmapDiagnostics.LoadReport.Version}{Environment.NewLine}", run.Output);
    }

    [Fact]
    public async Task Help_names_the_verbs()
    {
        CommandRun run = await CommandRun.InvokeAsync("--help");

        Assert.Equal(ExitStatus.Success, run.Status);
        Assert.Contains("devmap [command]", run.Output, StringComparison.Ordinal);
        Assert.Contains("run ", run.Output, StringComparison.Ordinal);
        Assert.Contains("far ", run.Output, StringComparison.Ordinal);
        Assert.Contains("info ", run.Output, StringComparison.Ordinal);
        Assert.Empty(run.Error);
    }

    [Fact]
    public async Task Help_of_run_says_what_becomes_of_the_file_and_what_the_exit_status_means()
    {
        CommandRun run = await CommandRun.InvokeAsync("run", "--help");

        Assert.Equal(ExitStatus.Success, run.Status);
        Assert.All(["--file <PATH>", "--readers <N>", "--seconds <S>", "a copy of it beside it", "Exit status:"], part => Assert.Contains(part, run.Output, StringComparison.Ordinal));
    }
}
