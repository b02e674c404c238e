// SPDX-License-Identifier: MIT
using System.CommandLine;
using Devmap.CommandLine.Snapshots;
using Spectre.Console;

namespace Devmap.CommandLine.Inspect;

/// <summary>The verb <c>inspect</c>.</summary>
internal static class InspectCommand
{
    private const string Details = """
        FILE is what DevmapSnapshot.Save wrote: the process's gate, counters and times, its maps with those most in use first,
        its busy pages with who holds them, for how long and from where, as far as the process's level knew, and its latest
        faults. Nothing is asked of the process, which may be long gone.

        Exit status: 0 it was shown, 2 the file is not there, is no snapshot, or is one of another version, or the
        page could not be written.
        """;

    public static Command Create(IAnsiConsole console)
    {
        var file = new Argument<string>("FILE") { Description = "The snapshot, as JSON.", CustomParser = OptionParsers.Path("FILE") };
        var html = new Option<string?>("--html") { Description = "Writes the snapshot as an HTML page there too.", HelpName = "OUT", CustomParser = OptionParsers.Path("--html") };
        var command = new DetailedCommand("inspect", "Shows a saved snapshot.", Details) { file, html };
        command.SetAction(parsed => Show(parsed.GetValue(file)!, parsed.GetValue(html), console));
        return command;
    }

    private static int Show(string file, string? html, IAnsiConsole console)
    {
        DevmapSnapshot snapshot = DevmapSnapshot.Load(file);
        if (html is not null)
            WriteHtml(snapshot, file, html);
        console.Write(SnapshotView.Create(snapshot, former: null, SnapshotDetail.Whole));
        if (html is not null)
            console.WriteLine($"The page is {Path.GetFullPath(html)}");
        return ExitStatus.Success;
    }

    private static void WriteHtml(DevmapSnapshot snapshot, string file, string html)
    {
        if (string.Equals(Path.GetFullPath(file), Path.GetFullPath(html), StringComparison.Ordinal))
            throw new IOException($"--html is '{html}', the snapshot itself, which it would replace.");
        DevmapDiagnostics.WriteHtml(html, snapshot);
    }
}
