// SPDX-License-Identifier: MIT
using System.CommandLine;
using System.CommandLine.Help;
using System.CommandLine.Invocation;

namespace Devmap.CommandLine;

/// <summary>The usual help, and after it what a <see cref="DetailedCommand"/> adds.</summary>
internal sealed class DetailedHelp : SynchronousCommandLineAction
{
    private readonly HelpAction _usual = new();

    public override bool ClearsParseErrors => true;

    public override int Invoke(ParseResult parseResult)
    {
        int status = _usual.Invoke(parseResult);
        if (parseResult.CommandResult.Command is DetailedCommand command)
            parseResult.InvocationConfiguration.Output.WriteLine(command.Details);
        return status;
    }
}
