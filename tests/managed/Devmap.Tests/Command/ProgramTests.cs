// SPDX-License-Identifier: MIT
using System.Diagnostics;
using Devmap.CommandLine;
using Xunit;

namespace Devmap.Tests.Command;

/// <summary>The program in a process of its own.</summary>
public sealed class ProgramTests
{
    [Fact]
    public async Task The_first_signal_ends_a_run_with_the_table()
    {
        using Process run = CommandProcess.Start("run", "--seconds", "600", "--size", "4M");
        await CommandProcess.ReadLineAsync(run, line => line.Contains("leases", StringComparison.Ordinal));
        CommandProcess.Interrupt(run);
        string table = await run.StandardOutput.ReadToEndAsync();
        await run.WaitForExitAsync();

        Assert.Equal(ExitStatus.Success, run.ExitCode);
        Assert.Contains("interrupted", table, StringComparison.Ordinal);
        Assert.Contains("10 of 10 kept", table, StringComparison.Ordinal);
    }

    [Fact]
    public async Task Info_is_the_first_to_use_the_library()
    {
        using Process info = CommandProcess.Start("info");
        string table = await info.StandardOutput.ReadToEndAsync();
        await info.WaitForExitAsync();

        Assert.Equal(ExitStatus.Success, info.ExitCode);
        Assert.Contains("DEVMAP_FEATURE_FS_DAX", table, StringComparison.Ordinal);
    }
}
