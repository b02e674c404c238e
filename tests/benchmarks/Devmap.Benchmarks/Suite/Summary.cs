// SPDX-License-Identifier: MIT
using System.Runtime.InteropServices;

namespace Devmap.Benchmarks.Suite;

/// <summary>The middle of some values, and how far they spread.</summary>
[StructLayout(LayoutKind.Auto)]
internal readonly record struct Summary(
    double Median, double Quartile1, double Quartile3, double Least, double Most, int Samples)
{
    /// <summary>Of fewer values the quartiles are too close to each other to tell chance from a difference.</summary>
    public const int EnoughForQuartiles = 7;

    /// <summary>Where the spread begins: at the first quartile, or at the least of a few values.</summary>
    public double Low => Samples < EnoughForQuartiles ? Least : Quartile1;

    /// <summary>Where it ends.</summary>
    public double High => Samples < EnoughForQuartiles ? Most : Quartile3;

    public double Spread => High - Low;

    public static Summary Of(IEnumerable<double> values)
    {
        double[] sorted = [.. values.Order()];
        if (sorted.Length == 0)
            throw new ArgumentException("There is no value.", nameof(values));
        return new(
            Quantile(sorted, 0.5),
            Quantile(sorted, 0.25),
            Quantile(sorted, 0.75),
            sorted[0],
            sorted[^1],
            sorted.Length);
    }

    /// <summary>Between two values it is on the line from one to the other.</summary>
    private static double Quantile(double[] sorted, double share)
    {
        double place = (sorted.Length - 1) * share;
        int below = (int)place;
        int above = Math.Min(below + 1, sorted.Length - 1);
        return sorted[below] + ((sorted[above] - sorted[below]) * (place - below));
    }
}
