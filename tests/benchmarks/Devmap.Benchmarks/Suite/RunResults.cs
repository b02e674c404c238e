// SPDX-License-Identifier: MIT
namespace Devmap.Benchmarks.Suite;

/// <summary>A run, as results.json has it.</summary>
internal sealed record RunResults
{
    public const int CurrentSchema = 1;

    public required int SchemaVersion { get; init; }

    public required DateTimeOffset Date { get; init; }

    public required bool Quick { get; init; }

    public required int Rounds { get; init; }

    public required string Commit { get; init; }

    public required MachineInfo Machine { get; init; }

    public required Quietness Quiet { get; init; }

    public required IReadOnlyList<Figure> Figures { get; init; }

    public required IReadOnlyList<Comparison> Comparisons { get; init; }

    public required IReadOnlyList<TargetResult> Targets { get; init; }

    /// <summary>What maps, pages and leases take, each by its name, with its unit at the name's end where it is not bytes.</summary>
    public required IReadOnlyDictionary<string, double> Memory { get; init; }
}
