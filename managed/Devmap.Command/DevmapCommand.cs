// SPDX-License-Identifier: MIT
using System.CommandLine;
using System.CommandLine.Help;
using System.CommandLine.Invocation;
using Devmap.CommandLine.Far;
using Devmap.CommandLine.Info;
using Devmap.CommandLine.Inspect;
using Devmap.CommandLine.Run;
using Devmap.CommandLine.Top;
using Spectre.Console;

namespace Devmap.CommandLine;

/// <summary>The program: its verbs, and how it ends.</summary>
internal static class DevmapCommand
{
    /// <summary>Does what the arguments ask for.</summary>
    /// <param name="args">The arguments, without the program's name.</param>
    /// <param name="output">Where results and progress go.</param>
    /// <param name="error">Where the reason goes when it can't.</param>
    /// <param name="interrupt">Asks it to come to its end.</param>
    /// <returns>An <see cref="ExitStatus"/>.</returns>
    public static async Task<int> InvokeAsync(string[] args, TextWriter output, TextWriter error, CancellationToken interrupt)
    {
        ParseResult parsed = Create(CommandConsole.Create(output), error).Parse(args);
        if (parsed.Errors.Count > 0)
        {
            foreach (string message in parsed.Errors.Select(wrong => wrong.Message).Distinct())
                await error.WriteLineAsync($"devmap: {message}").ConfigureAwait(false);
            await error.WriteLineAsync($"Try '{NameOf(parsed.CommandResult)} --help'.").ConfigureAwait(false);
            return ExitStatus.CannotRun;
        }

        // Signals are the program's own to handle, as Interruption says.
        var configuration = new InvocationConfiguration
        {
            Output = output,
            Error = error,
            EnableDefaultExceptionHandler = false,
            ProcessTerminationTimeout = null,
        };
        try
        {
            return await parsed.InvokeAsync(configuration, interrupt).ConfigureAwait(false);
        }
        catch (Exception exception) when (IsCircumstance(exception))
        {
            await error.WriteLineAsync($"devmap: {exception.Message}").ConfigureAwait(false);
            return ExitStatus.CannotRun;
        }
    }

    private static Command Create(IAnsiConsole console, TextWriter error) => new("devmap", "Pages of files and device memory that are counted, and whose owner hears when they become idle.")
    {
        new HelpOption { Action = new DetailedHelp() },
        new VersionOption { Action = new ShowVersion() },
        RunCommand.Create(console, error),
        FarCommand.Create(console, error),
        TopCommand.Create(console, error),
        InspectCommand.Create(console),
        InfoCommand.Create(console),
    };

    /// <summary>Whether an exception tells of the machine or the file, and not of a fault in this program.</summary>
    private static bool IsCircumstance(Exception exception) =>
        exception is IOException or InvalidDataException or UnauthorizedAccessException or OutOfMemoryException or PlatformNotSupportedException or DllNotFoundException or DevmapLoadException;

    private static string NameOf(System.CommandLine.Parsing.CommandResult result) =>
        result.Parent is System.CommandLine.Parsing.CommandResult parent ? $"{NameOf(parent)} {result.Command.Name}" : result.Command.Name;

    private sealed class ShowVersion : SynchronousCommandLineAction
    {
        public override int Invoke(ParseResult parseResult)
        {
            parseResult.InvocationConfiguration.Output.WriteLine($"devmap {typeof(DevmapCommand).Assembly.GetName().Version!.ToString(fieldCount: 3)}");
            return ExitStatus.Success;
        }
    }
}
