// SPDX-License-Identifier: MIT
using Devmap.CommandLine;
using Xunit;

namespace Devmap.Tests.Command;

/// <summary>The verb <c>info</c>.</summary>
public sealed class InfoTests
{
    [Fact]
    public async Task Tells_of_the_library_that_is_loaded()
    {
        CommandRun run = await CommandRun.InvokeAsync("info");

        Assert.Equal(ExitStatus.Success, run.Status);
        Assert.Equal(DevmapDiagnostics.LoadReport.Version, run.Figure("libdevmap"));
        Assert.Contains("DEVMAP_FEATURE_FS_DAX", run.Output, StringComparison.Ordinal);
        Assert.Contains("libdevmap.so", run.Output, StringComparison.Ordinal);
        Assert.Contains(DevmapDiagnostics.LoadReport.RuntimeIdentifier, run.Output, StringComparison.Ordinal);
    }
}
