// SPDX-License-Identifier: MIT
using Devmap.CommandLine;
using Xunit;

namespace Devmap.Tests.Command;

/// <summary>The verb <c>inspect</c>.</summary>
public sealed class InspectTests : IDisposable
{
    private readonly TemporaryDirectory _directory = new();

    public void Dispose() => _directory.Dispose();

    [Fact]
    public async Task Shows_a_file_that_was_saved()
    {
        Snapshots.Create().Save(_directory["saved.json"]);

        CommandRun run = await CommandRun.InvokeAsync("inspect", _directory["saved.json"]);

        Assert.Empty(run.Error);
        Assert.Equal(ExitStatus.Success, run.Status);
        Assert.Equal("4242 (sample), Devmap 1.2.3", run.Figure("process"));
        Assert.Contains("at writer.Run()", run.Output, StringComparison.Ordinal);
    }

    [Fact]
    public async Task Shows_what_this_process_captures()
    {
        await using var map = DevicePageMap.Create(new() { Type = MemoryType.DevicePublic, PageCount = 64, Driver = new CountingDriver() });
        using PageLease lease = map.Lease(3, 2);
        DevmapDiagnostics.Capture().Save(_directory["captured.json"]);

        CommandRun run = await CommandRun.InvokeAsync("inspect", _directory["captured.json"]);

        Assert.Empty(run.Error);
        Assert.StartsWith($"{Environment.ProcessId} (", run.Figure("process"), StringComparison.Ordinal);
        Assert.Contains(run.Output.Split('\n'), line => line.Contains("│ 256 KiB │    64 │      2 │", StringComparison.Ordinal));
    }

    [Fact]
    public async Task Writes_the_page_beside_the_view()
    {
        Snapshots.Create().Save(_directory["saved.json"]);

        CommandRun run = await CommandRun.InvokeAsync("inspect", _directory["saved.json"], "--html", _directory["page.html"]);

        Assert.Empty(run.Error);
        Assert.Equal(ExitStatus.Success, run.Status);
        Assert.Contains(_directory["page.html"], run.Output, StringComparison.Ordinal);
        Assert.Contains("writer.Run()", await File.ReadAllTextAsync(_directory["page.html"]), StringComparison.Ordinal);
    }

    [Fact]
    public async Task Does_not_write_the_page_over_the_snapshot_nor_where_it_can_not()
    {
        Snapshots.Create().Save(_directory["saved.json"]);

        (await CommandRun.InvokeAsync("inspect", _directory["saved.json"], "--html", _directory["saved.json"])).AssertCannotRun("the snapshot itself");
        (await CommandRun.InvokeAsync("inspect", _directory["saved.json"], "--html", _directory["missing/page.html"])).AssertCannotRun(_directory["missing/page.html"]);
        Assert.Equal("sample", DevmapSnapshot.Load(_directory["saved.json"]).ProcessName);
    }

    [Theory]
    [InlineData("", "no snapshot of Devmap")]
    [InlineData("not JSON", "no snapshot of Devmap")]
    [InlineData("[]", "no snapshot of Devmap")]
    [InlineData("{\"hello\": 1}", "no snapshot of Devmap")]
    [InlineData("{\"version\": 1}", "no snapshot of Devmap")]
    [InlineData("{\"version\": 999, \"maps\": 5}", "version 999; this library reads version 1")]
    public async Task Refuses_another_file(string contents, string reason)
    {
        await File.WriteAllTextAsync(_directory["other.json"], contents);

        CommandRun run = await CommandRun.InvokeAsync("inspect", _directory["other.json"]);

        run.AssertCannotRun(reason);
        Assert.Contains(_directory["other.json"], run.Error, StringComparison.Ordinal);
        Assert.Empty(run.Output);
    }

    [Fact]
    public async Task Refuses_a_file_that_was_cut_off()
    {
        string json = Snapshots.Create().ToJson();
        await File.WriteAllTextAsync(_directory["cut.json"], json[..(json.Length / 2)]);

        CommandRun run = await CommandRun.InvokeAsync("inspect", _directory["cut.json"]);

        run.AssertCannotRun("damaged");
    }

    [Fact]
    public async Task Refuses_what_is_not_there_and_a_directory()
    {
        (await CommandRun.InvokeAsync("inspect", _directory["missing.json"])).AssertCannotRun(_directory["missing.json"]);
        (await CommandRun.InvokeAsync("inspect", _directory["missing/file.json"])).AssertCannotRun(_directory["missing/file.json"]);
        (await CommandRun.InvokeAsync("inspect", _directory.Root)).AssertCannotRun(_directory.Root);
    }

    [Theory]
    [InlineData("FILE needs a path", "")]
    [InlineData("'inspect'")]
    [InlineData("'more'", "a.json", "more")]
    public async Task Refuses_arguments(string reason, params string[] args)
    {
        CommandRun run = await CommandRun.InvokeAsync(["inspect", .. args]);

        Assert.Equal(ExitStatus.CannotRun, run.Status);
        Assert.Contains(reason, run.Error, StringComparison.Ordinal);
        Assert.EndsWith($"Try 'devmap inspect --help'.{Environment.NewLine}", run.Error, StringComparison.Ordinal);
    }
}
