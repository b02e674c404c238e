// SPDX-License-Identifier: MIT
namespace Devmap.Benchmarks.Suite;

/// <summary>What a ratio is to be.</summary>
/// <param name="Name">The ratio in words.</param>
/// <param name="Numerator">A series.</param>
/// <param name="Denominator">A series; or null, where <paramref name="Whole"/> is what the numerator is divided by.</param>
/// <param name="Limit">What the ratio is to be at most, or what it is to be where it is <paramref name="Exact"/>.</param>
internal sealed record Target(string Name, string Numerator, string? Denominator, double Limit)
{
    /// <summary>The ratio is to be the limit and nothing else: of counts.</summary>
    public bool Exact { get; init; }

    /// <summary>The numerator must not allocate managed memory.</summary>
    public bool NoAllocation { get; init; }

    /// <summary>An absolute limit, in the numerator's unit, which it must stay below.</summary>
    public double? Whole { get; init; }

    /// <summary>A series that nobody gets below. Against the denominator it shows what is left to win.</summary>
    public string? Floor { get; init; }

    public string Relation => Exact ? "=" : Whole is null ? "<=" : "<";

    public bool IsMetBy(double ratio) => Exact ? ratio == Limit : Whole is null ? ratio <= Limit : ratio < Limit;
}
