// SPDX-License-Identifier: MIT
using System.Diagnostics;
using System.Globalization;
using System.Runtime.InteropServices;
using Devmap.CommandLine;
using Xunit;

namespace Devmap.Tests.Command;

/// <summary>
/// The program in a process of its own. It is told to end by SIGTERM: SIGINT is handled alike, but a process that
/// was started in the background, as tests may be, ignores it.
/// </summary>
public sealed class ProgramTests
{
    private const string Signal = "-TERM";

    [Fact]
    public async Task The_first_signal_ends_a_run_with_the_table()
    {
        using Process run = Start("run", "--seconds", "600", "--size", "4M");
        await ReadLineAsync(run, line => line.Contains("leases", StringComparison.Ordinal));
        Send(run);
        string table = await run.StandardOutput.ReadToEndAsync();
        await run.WaitForExitAsync();

        Assert.Equal(ExitStatus.Success, run.ExitCode);
        Assert.Contains("interrupted", table, StringComparison.Ordinal);
        Assert.Contains("10 of 10 kept", table, StringComparison.Ordinal);
    }

    [Fact]
    public async Task Info_is_the_first_to_use_the_library()
    {
        using Process info = Start("info");
        string table = await info.StandardOutput.ReadToEndAsync();
        await info.WaitForExitAsync();

        Assert.Equal(ExitStatus.Success, info.ExitCode);
        Assert.Contains("DEVMAP_FEATURE_FS_DAX", table, StringComparison.Ordinal);
    }

    private static Process Start(params string[] args) => Process.Start(new ProcessStartInfo(
        Path.GetFullPath(Path.Combine(RuntimeEnvironment.GetRuntimeDirectory(), "../../../dotnet")),
        [Path.Combine(AppContext.BaseDirectory, "Devmap.Command.dll"), .. args]) { RedirectStandardOutput = true, UseShellExecute = false })!;

    private static void Send(Process process)
    {
        using Process kill = Process.Start("kill", [Signal, process.Id.ToString(CultureInfo.InvariantCulture)]);
        kill.WaitForExit();
    }

    private static async Task ReadLineAsync(Process process, Func<string, bool> isWanted)
    {
        while (await process.StandardOutput.ReadLineAsync() is { } line)
        {
            if (isWanted(line))
                return;
        }

        Assert.Fail("The program ended before it said so.");
    }
}
