// SPDX-License-Identifier: MIT
using System.Globalization;

namespace Devmap.Benchmarks.Suite;

/// <summary>
/// All samples, round by round. What is compared was measured in the same round, so the noise of that minute is on both
/// sides of a ratio.
/// </summary>
internal sealed class Measurements
{
    private readonly List<Dictionary<string, Sample>> _rounds = [];

    /// <summary>Takes one round's samples. Figures that no repetition changes, such as counts, are a round of their own.</summary>
    public void AddRound(IEnumerable<Sample> samples)
    {
        Dictionary<string, Sample> round = [];
        foreach (Sample sample in samples)
        {
            if (!double.IsFinite(sample.Value))
                throw new SuiteException($"'{sample.Series}' has no figure: its tool says {sample.Value.ToString(CultureInfo.InvariantCulture)}.");
            if (!round.TryAdd(sample.Series, sample))
                throw new SuiteException($"Two benchmarks are called '{sample.Series}'.");
        }

        _rounds.Add(round);
    }

    /// <summary>Every series, by name.</summary>
    public IReadOnlyList<Figure> Figures() =>
        [.. _rounds.SelectMany(round => round.Keys).Distinct(StringComparer.Ordinal).Order(StringComparer.Ordinal).Select(Figure)];

    public Figure Figure(string series)
    {
        Sample[] samples = [.. _rounds.Where(round => round.ContainsKey(series)).Select(round => round[series])];
        if (samples.Length == 0)
            throw Missing(series);
        Summary summary = Summary.Of(samples.Select(sample => sample.Value));
        return new()
        {
            Name = series,
            Tool = samples[0].Tool,
            Unit = samples[0].Unit,
            Median = summary.Median,
            Quartile1 = summary.Quartile1,
            Quartile3 = summary.Quartile3,
            Low = summary.Low,
            High = summary.High,
            Samples = summary.Samples,
            AllocatedBytes = samples.Max(sample => sample.AllocatedBytes),
        };
    }

    /// <summary>The ratio in each round, and the median of these.</summary>
    public Summary Ratio(string numerator, string denominator)
    {
        List<double> ratios = [];
        foreach (Dictionary<string, Sample> round in _rounds)
        {
            bool has = round.TryGetValue(numerator, out Sample? above);
            if (has != round.TryGetValue(denominator, out Sample? below))
                throw Missing(has ? denominator : numerator);
            if (above is null || below is null)
                continue;
            if (below.Value == 0)
                throw new SuiteException($"'{denominator}' is 0, and nothing can be held against it.");
            ratios.Add(above.Value / below.Value);
        }

        return ratios.Count > 0 ? Summary.Of(ratios) : throw Missing(numerator);
    }

    private static SuiteException Missing(string series) => new($"No benchmark measured '{series}'.");
}
