// SPDX-License-Identifier: MIT
namespace Devmap.Benchmarks.Suite;

/// <summary>What came of a target. Its figures are null where the run left the measurement out.</summary>
internal sealed record TargetResult
{
    public required string Name { get; init; }

    public required string Numerator { get; init; }

    /// <summary>A series, or the absolute limit.</summary>
    public required string Denominator { get; init; }

    public double? Ratio { get; init; }

    public required double Target { get; init; }

    /// <summary>How the ratio is to stand to the target.</summary>
    public required string Relation { get; init; }

    public bool? Met { get; init; }

    public double? Spread { get; init; }

    /// <summary>Of the ratio, the target and the spread.</summary>
    public string Unit { get; init; } = Suite.Unit.Ratio;

    public required string Note { get; init; }

    public static TargetResult Of(Target target, Measurements measurements, SuiteOptions options)
    {
        Figure Figure() => measurements.Figure(target.Numerator);
        bool skipped = options.Skips(target.Numerator) || (target.Denominator is { } series && options.Skips(series));
        TargetResult result = new()
        {
            Name = target.Name,
            Numerator = target.Numerator,
            Denominator = target.Denominator ?? (skipped ? "an absolute limit" : Show.Value(target.Whole!.Value, Figure().Unit)),
            Target = target.Limit,
            Relation = target.Relation,
            Note = skipped ? "not measured in this run" : string.Empty,
        };
        return skipped ? result : result.With(target, measurements, Figure());
    }

    private TargetResult With(Target target, Measurements measurements, Figure figure)
    {
        Summary ratio = target.Denominator is { } denominator
            ? measurements.Ratio(target.Numerator, denominator)
            : OfWhole(figure, target.Whole!.Value);
        List<string> notes = [];
        bool allocates = target.NoAllocation && figure.AllocatedBytes is not 0;
        if (target.NoAllocation)
            notes.Add(allocates ? $"allocates {Show.Value(figure.AllocatedBytes ?? double.NaN, Suite.Unit.Bytes)}, and is to allocate nothing" : "allocates nothing");
        if (target.Whole is not null)
            notes.Add($"it is {Show.Value(figure.Median, figure.Unit)}");
        if (target.Floor is { } floor)
            notes.Add($"the floor, two atomic instructions alone: {Show.Ratio(measurements.Ratio(floor, target.Denominator!).Median)}");
        if (target.IsMetBy(ratio.Low) != target.IsMetBy(ratio.High))
            notes.Add("the spread reaches across the target");
        return this with
        {
            Ratio = ratio.Median,
            Spread = ratio.Spread,
            Met = target.IsMetBy(ratio.Median) && !allocates,
            Note = string.Join("; ", notes),
        };
    }

    /// <summary>The ends of the figure's spread stand for its least and its most, which it does not keep.</summary>
    private static Summary OfWhole(Figure figure, double whole) => new(
        figure.Median / whole,
        figure.Quartile1 / whole,
        figure.Quartile3 / whole,
        figure.Low / whole,
        figure.High / whole,
        figure.Samples);
}
