// SPDX-License-Identifier: MIT
namespace Devmap.Benchmarks.Suite;

/// <summary>The series that the catalogue and the targets are made of.</summary>
internal static class ExpectedSeries
{
    /// <summary>What a lease takes of managed memory.</summary>
    public const string Lease = "LeaseBenchmarks/Lease";

    /// <summary>All that the run does not skip; of a curve's line, one with a star.</summary>
    public static IEnumerable<string> Of(SuiteOptions options)
    {
        IEnumerable<string> ofTargets = Targets.All.SelectMany(target => (string?[])[target.Numerator, target.Denominator, target.Floor]).OfType<string>();
        IEnumerable<string> ofSections = Catalogue.Sections.SelectMany(section => section.Rows).Select(row => row.Series);
        IEnumerable<string> ofCurves = Catalogue.Curves.SelectMany(curve => curve.Lines).Select(line => line.Series);
        return ofTargets.Concat(ofSections).Concat(ofCurves).Append(Lease).Where(series => !options.Skips(series)).Distinct(StringComparer.Ordinal);
    }

    /// <summary>Finds out before half an hour of measuring, not after it, that no benchmark has a name.</summary>
    public static void Require(SuiteOptions options, IEnumerable<string> available)
    {
        HashSet<string> names = new(available, StringComparer.Ordinal);
        string[] missing = [.. Of(options).Where(series => series.Contains('*') ? Series.Points(series, names).Count == 0 : !names.Contains(series))];
        if (missing.Length > 0)
            throw new SuiteException($"No benchmark measures {string.Join(", ", missing.Select(series => $"'{series}'"))}.");
    }
}
