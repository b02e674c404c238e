// SPDX-License-Identifier: MIT
namespace Devmap.Benchmarks.Suite;

/// <summary>One series against another.</summary>
internal sealed record Comparison
{
    public const string NoDifference = "no difference seen";

    public required string Group { get; init; }

    public required string Title { get; init; }

    public required string Numerator { get; init; }

    public required string Denominator { get; init; }

    /// <summary>The median of the rounds' ratios.</summary>
    public required double Ratio { get; init; }

    public required double Quartile1 { get; init; }

    public required double Quartile3 { get; init; }

    /// <summary>The ends of the spread: the quartiles, or of a few rounds the least and the most.</summary>
    public required double Low { get; init; }

    public required double High { get; init; }

    public required double Spread { get; init; }

    public string Unit { get; init; } = Suite.Unit.Ratio;

    public required string Verdict { get; init; }

    public static Comparison Of(Measurements measurements, string group, string title, string numerator, string denominator)
    {
        Summary ratio = measurements.Ratio(numerator, denominator);
        return new()
        {
            Group = group,
            Title = title,
            Numerator = numerator,
            Denominator = denominator,
            Ratio = ratio.Median,
            Quartile1 = ratio.Quartile1,
            Quartile3 = ratio.Quartile3,
            Low = ratio.Low,
            High = ratio.High,
            Spread = ratio.Spread,
            Verdict = VerdictOf(ratio),
        };
    }

    /// <summary>Counts that are the same are equal; times never are, and too wide a spread hides which is more.</summary>
    public static string VerdictOf(Summary ratio)
    {
        double difference = ratio.Median - 1;
        if (difference == 0 && ratio.Spread == 0)
            return "equal";
        if (ratio.Spread > Math.Abs(difference))
            return NoDifference;
        return difference > 0 ? "more" : "less";
    }
}
