// SPDX-License-Identifier: MIT
namespace Devmap.Benchmarks.Suite;

/// <summary>A series over all rounds.</summary>
internal sealed record Figure
{
    public required string Name { get; init; }

    public required string Tool { get; init; }

    /// <summary>Of one operation.</summary>
    public required string Unit { get; init; }

    public required double Median { get; init; }

    public required double Quartile1 { get; init; }

    public required double Quartile3 { get; init; }

    /// <summary>The ends of the spread: the quartiles, or of a few rounds the least and the most.</summary>
    public required double Low { get; init; }

    public required double High { get; init; }

    /// <summary>To <see cref="Baseline"/>: of the first comparison that it is in; null where it is in none.</summary>
    public double? Ratio { get; init; }

    /// <summary>A series. A baseline's is itself.</summary>
    public string? Baseline { get; init; }

    /// <summary>How many rounds measured it.</summary>
    public required int Samples { get; init; }

    /// <summary>The most managed bytes that an operation allocated in a round, where the tool counts them.</summary>
    public long? AllocatedBytes { get; init; }
}
