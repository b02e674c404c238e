// SPDX-License-Identifier: MIT
using System.Globalization;
using System.Text;

namespace Devmap.Benchmarks.Suite;

/// <summary>A run in words and tables: report.md.</summary>
internal sealed class Report
{
    private readonly RunResults _results;
    private readonly ResultIndex _index;
    private readonly string? _noPictures;
    private readonly StringBuilder _text = new();

    private Report(RunResults results, string? noPictures)
    {
        _results = results;
        _index = new(results);
        _noPictures = noPictures;
    }

    /// <param name="results">What was measured.</param>
    /// <param name="noPictures">Why there are no pictures; null where there are.</param>
    public static string Write(RunResults results, string? noPictures)
    {
        Report report = new(results, noPictures);
        ReportHead.Write(report._text, results, noPictures);
        report.WriteTargets();
        foreach (string group in Catalogue.Groups)
            report.WriteGroup(group);
        return report._text.ToString().TrimEnd('\n') + "\n";
    }

    /// <summary>A target's result as a row of words, for the report and the terminal.</summary>
    public static IReadOnlyList<string> TargetCells(TargetResult target) =>
    [
        target.Name,
        target.Ratio is { } ratio ? Show.Ratio(ratio) : "-",
        $"{(target.Relation == "<=" ? "≤" : target.Relation)} {target.Target.ToString(CultureInfo.InvariantCulture)}",
        target.Met switch { true => "yes", false => "no", null => "-" },
        target.Spread is { } spread ? Show.Ratio(spread) : "-",
        target.Note,
    ];

    /// <summary>The headings over these.</summary>
    public static IReadOnlyList<string> TargetColumns { get; } = ["ratio", "is", "target", "met", "spread", "note"];

    private void WriteTargets() => _text
        .Heading(2, "Targets")
        .Table(TargetColumns, _results.Targets.Select(TargetCells));

    private void WriteGroup(string group)
    {
        _text.Heading(2, group);
        if (group == Catalogue.Memory)
        {
            WriteMemory();
            return;
        }

        int before = _text.Length;
        foreach (Section section in Catalogue.Sections.Where(section => section.Group == group))
            WriteSection(section);
        foreach (Curve curve in Catalogue.Curves.Where(curve => curve.Group == group))
            WriteCurve(curve);
        if (_text.Length == before)
            _text.Paragraph("Not measured in this run.");
    }

    private void WriteSection(Section section)
    {
        IReadOnlyList<(Row Row, Figure Figure)> rows = _index.Rows(section);
        if (rows.Count == 0)
            return;
        bool allocations = rows.Any(row => row.Figure.AllocatedBytes is not null);
        _text
            .Heading(3, section.Title)
            .Paragraph($"One operation: {section.Per}. Ratios are to the first row.")
            .Table(
                ["what", "median", "spread", "ratio", "from, to", "verdict", .. allocations ? ["allocates"] : Array.Empty<string>()],
                rows.Select(row => Cells(section.Title, row.Row.Label, row.Figure, allocations)));
        WritePicture(section.Title);
    }

    private void WriteCurve(Curve curve)
    {
        var lines = _index.Lines(curve);
        if (lines.Count == 0)
            return;
        _text
            .Heading(3, curve.Title)
            .Paragraph($"One operation: {curve.Per}. Ratios are to the first row of the same kind.")
            .Table(
                ["what", curve.Axis, "median", "spread", "ratio", "from, to", "verdict"],
                lines.SelectMany(line => line.Points.Select(point => CurveCells(Evaluation.TitleOf(curve, line.Line), line.Line.Label, point.Number, point.Figure))));
        WritePicture(curve.Title);
    }

    private IReadOnlyList<string> CurveCells(string title, string label, long number, Figure figure)
    {
        IReadOnlyList<string> cells = Cells(title, label, figure, allocations: false);
        return [cells[0], number.ToString("N0", CultureInfo.InvariantCulture), .. cells.Skip(1)];
    }

    private IReadOnlyList<string> Cells(string title, string label, Figure figure, bool allocations)
    {
        Comparison? comparison = _index.Comparison(title, figure.Name);
        return
        [
            label,
            Show.Value(figure.Median, figure.Unit),
            Spread(figure),
            comparison is null ? "1" : Show.Ratio(comparison.Ratio),
            comparison is null ? "-" : $"{Show.Ratio(comparison.Low)} to {Show.Ratio(comparison.High)}",
            comparison?.Verdict ?? "-",
            .. allocations ? [Show.Value(figure.AllocatedBytes ?? 0, Unit.Bytes)] : Array.Empty<string>(),
        ];
    }

    private void WriteMemory()
    {
        if (_results.Memory.Count > 0)
        {
            _text
                .Heading(3, "Maps, pages and leases")
                .Table(["what", "figure"], _results.Memory.Select(pair => (IReadOnlyList<string>)[Words(pair.Key), Show.Value(pair.Value, MemoryUse.UnitOf(pair.Key))]));
        }

        Figure[] managed = [.. _results.Figures.Where(figure => figure.AllocatedBytes is not null)];
        if (managed.Length > 0)
        {
            _text
                .Heading(3, "Managed memory that an operation allocates")
                .Table(
                    ["benchmark", "allocates"],
                    managed.Where(figure => figure.AllocatedBytes > 0).Select(figure => (IReadOnlyList<string>)[figure.Name, Show.Value(figure.AllocatedBytes!.Value, Unit.Bytes)]))
                .Paragraph($"Nothing: {string.Join(", ", managed.Where(figure => figure.AllocatedBytes == 0).Select(figure => Markdown.Escape(figure.Name)))}.");
        }

        if (_results.Memory.Count == 0 && managed.Length == 0)
            _text.Paragraph("Not measured in this run.");
    }

    private void WritePicture(string title)
    {
        if (_noPictures is null)
            _text.Picture(title, $"{Plots.Folder}/{GnuplotScript.Slug(title)}.svg");
    }

    /// <summary>A name of memory_use's in words; its unit stands beside the figure.</summary>
    private static string Words(string key) => (key.EndsWith("_kib", StringComparison.Ordinal) ? key[..^4] : key).Replace('_', ' ');

    private static string Spread(Figure figure) =>
        figure.Samples > 1 && figure.Median != 0 ? Show.Percent((figure.High - figure.Low) / figure.Median) : "-";
}
