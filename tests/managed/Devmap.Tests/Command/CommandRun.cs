// SPDX-License-Identifier: MIT
using Devmap.CommandLine;
using Xunit;

namespace Devmap.Tests.Command;

/// <summary>The command, called in this process, and what it wrote.</summary>
internal sealed record CommandRun(int Status, string Output, string Error)
{
    public static async Task<CommandRun> InvokeAsync(CancellationToken interrupt, params string[] args)
    {
        await using var output = new StringWriter();
        await using var error = new StringWriter();
        int status = await DevmapCommand.InvokeAsync(args, output, error, interrupt);
        return new CommandRun(status, output.ToString(), error.ToString());
    }

    public static Task<CommandRun> InvokeAsync(params string[] args) => InvokeAsync(CancellationToken.None, args);

    /// <summary>What the table says under <paramref name="name"/>.</summary>
    public string Figure(string name)
    {
        string row = Assert.Single(Output.Split('\n'), line => line.StartsWith($"│ {name} ", StringComparison.Ordinal));
        return row.Split('│')[2].Trim();
    }

    /// <summary>That the command could not run, and said why in one line.</summary>
    public void AssertCannotRun(string reason)
    {
        Assert.Equal(ExitStatus.CannotRun, Status);
        Assert.StartsWith("devmap: ", Error, StringComparison.Ordinal);
        Assert.Contains(reason, Error, StringComparison.Ordinal);
        Assert.Single(Error.TrimEnd().Split('\n'));
        Assert.DoesNotContain("contracts", Output, StringComparison.Ordinal);
    }
}
