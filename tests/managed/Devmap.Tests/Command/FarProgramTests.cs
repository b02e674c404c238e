// SPDX-License-Identifier: MIT
using System.Diagnostics;
using Devmap.CommandLine;
using Devmap.CommandLine.Far;
using Xunit;

namespace Devmap.Tests.Command;

/// <summary>The verb <c>far</c> in a process of its own: the only one of these tests that may be put into a cgroup.</summary>
public sealed class FarProgramTests
{
    [Theory]
    [InlineData("file", "512M", "32M")]
    [InlineData("lz4", "1G", "32M")]
    public async Task Proves_that_there_was_less_memory_than_data(string store, string size, string resident)
    {
        using Process far = CommandProcess.Start("far", "--store", store, "--size", size, "--resident", resident, "--page-size", "64K", "--walks", "0.2");
        string table = await far.StandardOutput.ReadToEndAsync();
        await far.WaitForExitAsync();

        Assert.Equal(ExitStatus.Success, far.ExitCode);
        Assert.Contains("8 of 8 kept", table, StringComparison.Ordinal);
        Assert.DoesNotContain("Nothing is proved", table, StringComparison.Ordinal);
        AssertNoGroupIsLeft(far);
    }

    [Fact]
    public async Task The_first_signal_ends_it_with_the_tables()
    {
        using Process far = CommandProcess.Start("far", "--seconds", "600", "--size", "16M", "--resident", "4M");
        await CommandProcess.ReadLineAsync(far, line => line.Contains("at random: ", StringComparison.Ordinal));
        CommandProcess.Interrupt(far);

        // As timeout(1) does.
        CommandProcess.Interrupt(far);
        string table = await far.StandardOutput.ReadToEndAsync();
        await far.WaitForExitAsync();

        Assert.Equal(ExitStatus.Success, far.ExitCode);
        Assert.Contains("in the phase 'at random'", table, StringComparison.Ordinal);
        Assert.Contains("7 of 7 kept", table, StringComparison.Ordinal);
        AssertNoGroupIsLeft(far);
    }

    private static void AssertNoGroupIsLeft(Process process)
    {
        try
        {
            Assert.Empty(Directory.GetDirectories(CgroupMount.Find(new CgroupFiles()).Directory, $"devmap-far-{process.Id}-*"));
        }
        catch (IOException)
        {
            // There are none here.
        }
    }
}
