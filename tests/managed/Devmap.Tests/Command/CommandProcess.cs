// SPDX-License-Identifier: MIT
using System.Diagnostics;
using System.Globalization;
using System.Runtime.InteropServices;
using Xunit;

namespace Devmap.Tests.Command;

/// <summary>
/// The program in a process of its own. It is told to end by SIGTERM: SIGINT is handled alike, but a process that
/// was started in the background, as tests may be, ignores it.
/// </summary>
internal static class CommandProcess
{
    private const string Signal = "-TERM";

    public static Process Start(params string[] args) => Process.Start(new ProcessStartInfo(
        Path.GetFullPath(Path.Combine(RuntimeEnvironment.GetRuntimeDirectory(), "../../../dotnet")),
        [Path.Combine(AppContext.BaseDirectory, "Devmap.Command.dll"), .. args]) { RedirectStandardOutput = true, UseShellExecute = false })!;

    public static void Interrupt(Process process)
    {
        using Process kill = Process.Start("kill", [Signal, process.Id.ToString(CultureInfo.InvariantCulture)]);
        kill.WaitForExit();
    }

    public static async Task ReadLineAsync(Process process, Func<string, bool> isWanted)
    {
        while (await process.StandardOutput.ReadLineAsync() is { } line)
        {
            if (isWanted(line))
                return;
        }

        Assert.Fail("The program ended before it said so.");
    }
}
