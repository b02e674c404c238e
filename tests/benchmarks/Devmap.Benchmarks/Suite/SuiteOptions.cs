// SPDX-License-Identifier: MIT
namespace Devmap.Benchmarks.Suite;

/// <summary>What the command line asks for.</summary>
internal sealed record SuiteOptions
{
    public required bool Quick { get; init; }

    /// <summary>How many rounds, whatever they take; null for what fits.</summary>
    public required int? Rounds { get; init; }

    /// <summary>The folder of the results.</summary>
    public required string Output { get; init; }

    /// <summary>The folder of the native build.</summary>
    public required string Native { get; init; }

    public required bool SkipNative { get; init; }

    public required bool SkipManaged { get; init; }

    public Pace Pace => Quick ? Pace.Quick : Pace.Full;

    /// <summary>Whether a series was left out on purpose.</summary>
    public bool Skips(string series) => Series.IsManaged(series) ? SkipManaged : SkipNative;
}
