// SPDX-License-Identifier: MIT
namespace Devmap.Benchmarks.Suite;

/// <summary>How long a run takes over its figures: all settings of that kind.</summary>
internal sealed record Pace
{
    public static Pace Full { get; } = new()
    {
        Rounds = 9,
        Budget = TimeSpan.FromMinutes(26),
        NativeRepetitions = 5,
        NativeSeconds = 0.05,
        Iteration = TimeSpan.FromMilliseconds(50),
        WarmupIterations = 4,
        Iterations = 15,
    };

    public static Pace Quick { get; } = new()
    {
        Rounds = 3,
        Budget = TimeSpan.FromSeconds(150),
        NativeRepetitions = 3,
        NativeSeconds = 0.01,
        Iteration = TimeSpan.FromMilliseconds(20),
        WarmupIterations = 2,
        Iterations = 5,
    };

    /// <summary>Fewer tell nothing of the spread.</summary>
    public const int LeastRounds = 2;

    public required int Rounds { get; init; }

    /// <summary>No further round begins that would end later than this, once there are <see cref="LeastRounds"/>.</summary>
    public required TimeSpan Budget { get; init; }

    /// <summary>How often Google Benchmark measures each benchmark in a round, all of them in random order.</summary>
    public required int NativeRepetitions { get; init; }

    /// <summary>Google Benchmark's least time a repetition.</summary>
    public required double NativeSeconds { get; init; }

    /// <summary>How long BenchmarkDotNet's iterations are to take.</summary>
    public required TimeSpan Iteration { get; init; }

    /// <summary>For the caches; <see cref="TierWarmup"/> has seen to the code.</summary>
    public required int WarmupIterations { get; init; }

    public required int Iterations { get; init; }
}
