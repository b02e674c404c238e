// SPDX-License-Identifier: MIT
using System.Text.RegularExpressions;
using Devmap.CommandLine;
using Xunit;

namespace Devmap.Tests.Command;

/// <summary>The report of a run.</summary>
public sealed partial class RunReportTests : IDisposable
{
    private readonly TemporaryDirectory _directory = new();

    public void Dispose() => _directory.Dispose();

    [Fact]
    public async Task It_is_written_with_snapshots_of_the_run()
    {
        string path = _directory["out.html"];
        DiagnosticLevel before = DevmapDiagnostics.Level;
        CommandRun run = await CommandRun.InvokeAsync("run", "--seconds", "1", "--size", "4M", "--report", path);

        Assert.Empty(run.Error);
        Assert.Equal(ExitStatus.Success, run.Status);
        Assert.Contains($"The report is in '{path}'.", run.Output, StringComparison.Ordinal);
        Assert.Equal([path], Directory.GetFiles(_directory.Root));
        Assert.Equal(before, DevmapDiagnostics.Level);

        string[] snapshots = Data().Match(await File.ReadAllTextAsync(path)).Groups["snapshots"].Value.Split(",\n");
        Assert.True(snapshots.Length > 1);
        Assert.All(snapshots, json =>
        {
            DevmapSnapshot snapshot = DevmapSnapshot.FromJson(json);
            Assert.Equal(DiagnosticLevel.Full, snapshot.Level);
            MapSnapshot map = Assert.Single(snapshot.Maps, map => map.IsFile);
            Assert.Equal(1024, map.PageCount);
            Assert.NotNull(map.HeatMap);
        });
        Assert.Equal(0, DevmapSnapshot.FromJson(snapshots[^1]).Maps.Single(map => map.IsFile).PagesInUse);
    }

    [Fact]
    public async Task A_run_that_is_interrupted_has_one_too()
    {
        string path = _directory["out.html"];
        CommandRun run = await CommandRun.InvokeAsync(new CancellationToken(canceled: true), "run", "--seconds", "600", "--size", "4M", "--report", path);

        Assert.Equal(ExitStatus.Success, run.Status);
        Assert.True(File.Exists(path));
    }

    [Fact]
    public async Task A_place_that_cannot_be_written_is_refused_before_the_run()
    {
        (await CommandRun.InvokeAsync("run", "--seconds", "600", "--report", _directory["no/such/out.html"])).AssertCannotRun($"There is no directory '{_directory["no/such"]}' for the report.");
        (await CommandRun.InvokeAsync("run", "--seconds", "600", "--report", _directory.Root)).AssertCannotRun("is a directory");
        (await CommandRun.InvokeAsync("run", "--seconds", "600", "--report", "/proc/out.html")).AssertCannotRun("The report cannot be written to '/proc'");
        CommandRun run = await CommandRun.InvokeAsync("run", "--report", string.Empty);
        Assert.Equal(ExitStatus.CannotRun, run.Status);
        Assert.Contains("--report needs a path.", run.Error, StringComparison.Ordinal);
        Assert.Empty(Directory.GetFileSystemEntries(_directory.Root));
    }

    [GeneratedRegex("<script type=\"application/json\" id=\"data\">\\[(?<snapshots>.*)\\]</script>", RegexOptions.Singleline | RegexOptions.ExplicitCapture, matchTimeoutMilliseconds: 10_000)]
    private static partial Regex Data();
}
