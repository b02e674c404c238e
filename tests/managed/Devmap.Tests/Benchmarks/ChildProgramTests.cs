// SPDX-License-Identifier: MIT
using Devmap.Benchmarks.Suite;
using Xunit;

namespace Devmap.Tests.Benchmarks;

/// <summary>Other programs.</summary>
public sealed class ChildProgramTests
{
    [Fact]
    public async Task Give_back_what_they_wrote()
    {
        ChildProgram.Output output = await RunAsync("echo \"$WORD\"; echo two >&2", CancellationToken.None);

        Assert.Equal(new("one\n", "two\n"), output);
    }

    [Fact]
    public async Task Fail_with_their_own_words()
    {
        var wrong = await Assert.ThrowsAsync<SuiteException>(() => RunAsync("echo no memory >&2; exit 3", CancellationToken.None));

        Assert.Equal("sh failed with status 3: no memory", wrong.Message);
    }

    [Fact]
    public async Task Fail_where_they_are_missing()
    {
        await Assert.ThrowsAsync<SuiteException>(() => ChildProgram.RunAsync("/no/such/program", [], environment: null, directory: null, CancellationToken.None));
        Assert.False(ChildProgram.Exists("no-such-program"));
        Assert.True(ChildProgram.Exists("sh"));
    }

    [Fact]
    public async Task End_when_the_run_is_interrupted()
    {
        using var directory = new TemporaryDirectory();
        using var interrupt = new CancellationTokenSource();
        Task<ChildProgram.Output> run = RunAsync($"echo $$ > {directory["pid.tmp"]}; mv {directory["pid.tmp"]} {directory["pid"]}; exec sleep 600", interrupt.Token);
        while (!File.Exists(directory["pid"]))
            await Task.Delay(10);
        string id = (await File.ReadAllTextAsync(directory["pid"])).Trim();

        await interrupt.CancelAsync();

        await Assert.ThrowsAnyAsync<OperationCanceledException>(() => run);
        while (Directory.Exists($"/proc/{id}"))
            await Task.Delay(10);
    }

    private static Task<ChildProgram.Output> RunAsync(string script, CancellationToken interrupt) =>
        ChildProgram.RunAsync("sh", ["-c", script], new Dictionary<string, string>(StringComparer.Ordinal) { ["WORD"] = "one" }, directory: null, interrupt);
}
