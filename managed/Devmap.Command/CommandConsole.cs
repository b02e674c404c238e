// SPDX-License-Identifier: MIT
using Spectre.Console;

namespace Devmap.CommandLine;

/// <summary>How the program writes: with colours and motion on a terminal, plain text elsewhere.</summary>
internal static class CommandConsole
{
    /// <summary>Columns of text that goes to no terminal.</summary>
    private const int PlainWidth = 160;

    public static IAnsiConsole Create(TextWriter output)
    {
        // Spectre.Console heeds NO_COLOR and TERM by itself.
        if (ReferenceEquals(output, Console.Out) && !Console.IsOutputRedirected)
            return AnsiConsole.Create(new AnsiConsoleSettings());

        // Without the enrichers, which turn escape codes on where they find themselves in a build service.
        IAnsiConsole console = AnsiConsole.Create(new AnsiConsoleSettings
        {
            Ansi = AnsiSupport.No,
            ColorSystem = ColorSystemSupport.NoColors,
            Interactive = InteractionSupport.No,
            Enrichment = new ProfileEnrichment { UseDefaultEnrichers = false },
            Out = new AnsiConsoleOutput(output),
        });
        console.Profile.Width = PlainWidth;
        return console;
    }

    /// <summary>Whether what is written can be written over.</summary>
    public static bool IsLive(this IAnsiConsole console) => console.Profile.Capabilities is { Ansi: true, Interactive: true };
}
