// SPDX-License-Identifier: MIT
using Devmap.CommandLine;
using Xunit;

namespace Devmap.Tests.Command;

/// <summary>What the verb <c>far</c> makes of its arguments.</summary>
public sealed class FarArgumentTests
{
    [Theory]
    [InlineData("--size is '0'", "--size", "0")]
    [InlineData("--size is '-1G'", "--size", "-1G")]
    [InlineData("--size is 'much'", "--size", "much")]
    [InlineData("--resident is '0'", "--resident", "0")]
    [InlineData("--resident is '-4K'", "--resident", "-4K")]
    [InlineData("--resident is 4 KiB; 4 threads with a page of 4 KiB each need at least 20 KiB", "--resident", "4K")]
    [InlineData("--resident is 1 bytes", "--resident", "1")]
    [InlineData("--store is 'tape'; it takes file, lz4 or plain", "--store", "tape")]
    [InlineData("--store", "--store")]
    [InlineData("--path needs a path", "--store", "file", "--path", "")]
    [InlineData("--path is the file of --store file", "--path", "x")]
    [InlineData("--overwrite is about the file of --path", "--store", "file", "--overwrite")]
    [InlineData("--page-size is '5000'", "--page-size", "5000")]
    [InlineData("--page-size is '2G'", "--page-size", "2G")]
    [InlineData("--page-size is 128 MiB; --store lz4 takes pages of at most 64 MiB", "--page-size", "128M")]
    [InlineData("--threads is '0'", "--threads", "0")]
    [InlineData("--threads is '257'", "--threads", "257")]
    [InlineData("--fault-threads is '0'", "--fault-threads", "0")]
    [InlineData("--fault-threads is '17'", "--fault-threads", "17")]
    [InlineData("--access is 'dma'; it takes lease, pointer or mixed", "--access", "dma")]
    [InlineData("--access pointer needs page faults to be served", "--access", "pointer", "--faults", "none")]
    [InlineData("--faults is 'some'; it takes none, user, all or auto", "--faults", "some")]
    [InlineData("--walks is '0'", "--walks", "0")]
    [InlineData("--walks is 'NaN'", "--walks", "NaN")]
    [InlineData("--seconds is '-1'", "--seconds", "-1")]
    [InlineData("--walks and --seconds both say", "--walks", "1", "--seconds", "1")]
    [InlineData("--writes is '101'", "--writes", "101")]
    [InlineData("--writes is '-1'", "--writes", "-1")]
    [InlineData("--seed is '-1'", "--seed", "-1")]
    [InlineData("--memory-limit is '0'", "--memory-limit", "0")]
    [InlineData("--memory-limit is 256 MiB; the program and what is resident need at least 320 MiB", "--memory-limit", "256M")]
    [InlineData("--no-limit and --memory-limit exclude each other", "--no-limit", "--memory-limit", "1G")]
    [InlineData("'--bogus'", "--bogus")]
    [InlineData("'more'", "more")]
    public async Task Far_refuses(string reason, params string[] args)
    {
        CommandRun run = await CommandRun.InvokeAsync(["far", .. args]);

        Assert.Equal(ExitStatus.CannotRun, run.Status);
        Assert.Contains(reason, run.Error, StringComparison.Ordinal);
        Assert.EndsWith($"Try 'devmap far --help'.{Environment.NewLine}", run.Error, StringComparison.Ordinal);
        Assert.Empty(run.Output);
    }

    [Theory]
    [InlineData("lz4", "4000T")]
    [InlineData("lz4", "7000000T")]
    [InlineData("plain", "4000T")]
    public async Task A_size_beyond_the_machine_is_told(string store, string size) =>
        (await CommandRun.InvokeAsync("far", "--no-limit", "--store", store, "--size", size)).AssertCannotRun("of memory, and there are");

    [Fact]
    public async Task Help_says_what_it_proves_and_what_the_exit_status_means()
    {
        CommandRun run = await CommandRun.InvokeAsync("far", "--help");

        Assert.Equal(ExitStatus.Success, run.Status);
        Assert.All(["--store <file|lz4|plain>", "--resident <BYTES>", "memory cgroup", "not touched without --overwrite", "Exit status:"], part => Assert.Contains(part, run.Output, StringComparison.Ordinal));
    }
}
