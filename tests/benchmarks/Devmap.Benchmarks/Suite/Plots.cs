// SPDX-License-Identifier: MIT
namespace Devmap.Benchmarks.Suite;

/// <summary>The report's pictures.</summary>
internal static class Plots
{
    /// <summary>Their folder, beside the report.</summary>
    public const string Folder = "plots";

    private const string Gnuplot = "gnuplot";

    /// <summary>Whether there is a gnuplot to draw them.</summary>
    public static bool CanDraw => ChildProgram.Exists(Gnuplot);

    /// <summary>Writes the scripts and their data, and has gnuplot draw them where it is there.</summary>
    public static async Task WriteAsync(RunResults results, string output, CancellationToken interrupt)
    {
        string folder = Path.Combine(output, Folder);
        // Without what an earlier run drew and this one does not.
        if (Directory.Exists(folder))
            Directory.Delete(folder, recursive: true);
        Directory.CreateDirectory(folder);
        foreach (GnuplotScript script in Scripts(new ResultIndex(results)))
        {
            await File.WriteAllTextAsync(Path.Combine(folder, $"{script.Name}.dat"), script.Data, interrupt).ConfigureAwait(false);
            await File.WriteAllTextAsync(Path.Combine(folder, $"{script.Name}.gp"), script.Script, interrupt).ConfigureAwait(false);
            if (CanDraw)
                await ChildProgram.RunAsync(Gnuplot, [$"{script.Name}.gp"], environment: null, folder, interrupt).ConfigureAwait(false);
        }
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
