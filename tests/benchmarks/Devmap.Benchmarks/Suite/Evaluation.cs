// SPDX-License-Identifier: MIT
namespace Devmap.Benchmarks.Suite;

/// <summary>What the measurements say about the catalogue and the targets. A series that is missing is an error.</summary>
internal static class Evaluation
{
    public static IReadOnlyList<Comparison> Comparisons(Measurements measurements, SuiteOptions options)
    {
        string[] series = [.. measurements.Figures().Select(figure => figure.Name)];
        return
        [
            .. Catalogue.Sections.SelectMany(section => OfSection(measurements, options, section)),
            .. Catalogue.Curves.SelectMany(curve => curve.Lines
                .Where(line => !options.Skips(line.Series))
                .SelectMany(line => OfLine(measurements, curve, line, Series.Points(line.Series, series)))),
        ];
    }

    /// <summary>Every figure, with its ratio in the first comparison that it is in.</summary>
    public static IReadOnlyList<Figure> Figures(Measurements measurements, IReadOnlyList<Comparison> comparisons)
    {
        Dictionary<string, (double Ratio, string Baseline)> ratios = new(StringComparer.Ordinal);
        foreach (Comparison comparison in comparisons)
        {
            ratios.TryAdd(comparison.Denominator, (1, comparison.Denominator));
            ratios.TryAdd(comparison.Numerator, (comparison.Ratio, comparison.Denominator));
        }

        return
        [
            .. measurements.Figures().Select(figure => ratios.TryGetValue(figure.Name, out var found)
                ? figure with { Ratio = found.Ratio, Baseline = found.Baseline }
                : figure),
        ];
    }

    public static IReadOnlyList<TargetResult> Targets(Measurements measurements, SuiteOptions options) =>
        [.. Suite.Targets.All.Select(target => TargetResult.Of(target, measurements, options))];

    /// <summary>What memory_use found, and what the garbage collector holds for a lease.</summary>
    public static IReadOnlyDictionary<string, double> Memory(Measurements measurements, SuiteOptions options)
    {
        var memory = measurements.Figures()
            .Where(figure => figure.Tool == Tool.MemoryUse)
            .ToDictionary(figure => figure.Name[MemoryUse.Series(string.Empty).Length..], figure => figure.Median, StringComparer.Ordinal);
        if (!options.Skips(ExpectedSeries.Lease))
            memory["bytes_per_lease"] = measurements.Figure(ExpectedSeries.Lease).AllocatedBytes ?? 0;
        return memory;
    }

    public static string TitleOf(Curve curve, Row line) => $"{curve.Title}: {line.Label}";

    private static IEnumerable<Comparison> OfSection(Measurements measurements, SuiteOptions options, Section section)
    {
        if (options.Skips(section.Baseline.Series))
            return [];
        return section.Rows.Skip(1)
            .Where(row => !options.Skips(row.Series))
            .Select(row => Comparison.Of(measurements, section.Group, section.Title, row.Series, section.Baseline.Series));
    }

    private static IEnumerable<Comparison> OfLine(
        Measurements measurements, Curve curve, Row line, IReadOnlyList<(long Number, string Name)> points)
    {
        if (points.Count == 0)
            throw new SuiteException($"No benchmark measured '{line.Series}'.");
        return points.Skip(1).Select(point => Comparison.Of(measurements, curve.Group, TitleOf(curve, line), point.Name, points[0].Name));
    }
}
