// SPDX-License-Identifier: MIT
namespace Devmap.Benchmarks.Suite;

/// <summary>The report's pictures.</summary>
internal static class Plots
{
    /// <summary>Their folder, beside the report.</summary>
    public const string Folder = "plots";

    private const string NewFolder = "plots.tmp";
    private const string OldFolder = "plots.old";
    private const string Gnuplot = "gnuplot";

    /// <summary>All that a run may delete, beside the report.</summary>
    public static IReadOnlyList<string> Folders { get; } = [Folder, NewFolder, OldFolder];

    /// <summary>Writes the scripts and their data, and has gnuplot draw them where it is there.</summary>
    /// <returns>Why there are no pictures; null where they were drawn.</returns>
    public static async Task<string?> WriteAsync(RunResults results, string output, CancellationToken interrupt)
    {
        string folder = Path.Combine(output, NewFolder);
        bool canDraw = ChildProgram.Exists(Gnuplot);
        try
        {
            Delete(folder);
            Directory.CreateDirectory(folder);
            foreach (GnuplotScript script in Scripts(new ResultIndex(results)))
                await WriteAsync(script, folder, canDraw, interrupt).ConfigureAwait(false);
            Swap(folder, Path.Combine(output, Folder), Path.Combine(output, OldFolder));
            return canDraw ? null : $"{Gnuplot} is missing; its scripts and data are in {Folder}/";
        }
        catch (Exception exception) when (exception is SuiteException or IOException or UnauthorizedAccessException)
        {
            return $"{exception.Message}; what was written of them is in {NewFolder}/";
        }
    }

    private static async Task WriteAsync(GnuplotScript script, string folder, bool draw, CancellationToken interrupt)
    {
        string path = Path.Combine(folder, script.Name);
        await File.WriteAllTextAsync($"{path}.dat", script.Data, interrupt).ConfigureAwait(false);
        await File.WriteAllTextAsync($"{path}.gp", script.Script, interrupt).ConfigureAwait(false);
        if (!draw)
            return;
        await ChildProgram.RunAsync(Gnuplot, [$"{script.Name}.gp"], environment: null, folder, interrupt)
            .ConfigureAwait(false);
    }

    /// <summary>What an earlier run drew goes, but not before the new plots are complete.</summary>
    private static void Swap(string complete, string folder, string old)
    {
        Delete(old);
        if (Directory.Exists(folder))
            Directory.Move(folder, old);
        Directory.Move(complete, folder);
        Delete(old);
    }

    private static void Delete(string folder)
    {
        if (Directory.Exists(folder))
            Directory.Delete(folder, recursive: true);
    }

    private static IEnumerable<GnuplotScript> Scripts(ResultIndex results)
    {
        foreach (Section section in Catalogue.Sections)
        {
            if (results.Rows(section) is { Count: > 0 } rows)
                yield return GnuplotScript.Bars(section.Title, section.Per, [.. rows.Select(row => (row.Row.Label, row.Figure))]);
        }

        foreach (Curve curve in Catalogue.Curves)
        {
            if (results.Lines(curve) is { Count: > 0 } lines)
                yield return GnuplotScript.Lines(curve.Title, curve.Per, curve.Axis, [.. lines.Select(line => (line.Line.Label, line.Points))]);
        }
    }
}
