// SPDX-License-Identifier: MIT
namespace Devmap.Benchmarks.Suite;

/// <summary>Finds a run's figures and comparisons for the catalogue. What the run left out is not there.</summary>
internal sealed class ResultIndex(RunResults results)
{
    private readonly Dictionary<string, Figure> _figures = results.Figures.ToDictionary(figure => figure.Name, StringComparer.Ordinal);

    private readonly Dictionary<(string Title, string Series), Comparison> _comparisons =
        results.Comparisons.ToDictionary(comparison => (comparison.Title, comparison.Numerator));

    public IReadOnlyList<(Row Row, Figure Figure)> Rows(Section section) =>
        [.. section.Rows.Where(row => _figures.ContainsKey(row.Series)).Select(row => (row, _figures[row.Series]))];

    public IReadOnlyList<(Row Line, IReadOnlyList<(long Number, Figure Figure)> Points)> Lines(Curve curve) =>
        [.. curve.Lines.Select(line => (line, Points(line))).Where(line => line.Item2.Count > 0)];

    /// <summary>Null for a baseline.</summary>
    public Comparison? Comparison(string title, string series) => _comparisons.GetValueOrDefault((title, series));

    private IReadOnlyList<(long Number, Figure Figure)> Points(Row line) =>
        [.. Series.Points(line.Series, _figures.Keys).Select(point => (point.Number, _figures[point.Name]))];
}
