// SPDX-License-Identifier: MIT
using Devmap.Benchmarks.Suite;

namespace Devmap.Tests.Benchmarks;

/// <summary>Measurements that nobody made.</summary>
internal static class Samples
{
    public static readonly SuiteOptions Options = new()
    {
        Quick = true,
        Rounds = null,
        Output = "out",
        Native = "native",
        SkipNative = false,
        SkipManaged = false,
    };

    public static Sample Of(string series, double value, long? allocatedBytes = null) =>
        new(series, "a tool", Unit.Nanoseconds, value, allocatedBytes);

    /// <summary>Rounds of two series.</summary>
    public static Measurements Rounds(params (double A, double B)[] rounds)
    {
        Measurements measurements = new();
        foreach ((double a, double b) in rounds)
            measurements.AddRound([Of("a", a), Of("b", b)]);
        return measurements;
    }

    /// <summary>Three rounds of all that the catalogue and the targets ask for: each series takes longer than the one before it.</summary>
    public static Measurements Everything(SuiteOptions options, string? except = null)
    {
        Measurements measurements = new();
        for (int round = 0; round < 3; round++)
        {
            measurements.AddRound(ExpectedSeries.Of(options)
                .SelectMany(series => series.Contains('*') ? [series.Replace("*", "1", StringComparison.Ordinal), series.Replace("*", "64", StringComparison.Ordinal)] : (string[])[series])
                .Distinct(StringComparer.Ordinal)
                .Where(series => series != except)
                .Select((series, index) => Sample(series, 10 + index + (0.01 * round))));
        }

        return measurements;
    }

    public static RunResults Results(Measurements measurements, SuiteOptions options) => new()
    {
        SchemaVersion = RunResults.CurrentSchema,
        Date = new DateTimeOffset(2026, 1, 2, 3, 4, 5, TimeSpan.Zero),
        Quick = options.Quick,
        Rounds = 3,
        Commit = "abc1234",
        Machine = new()
        {
            Cpu = "A processor",
            Cores = 2,
            Caches = ["L1d 48 KiB", "L2 2048 KiB"],
            MemoryBytes = 24L << 30,
            Kernel = "6.1",
            Distribution = "Debian",
            Compiler = "cc 12",
            BuildType = "Release",
            Dotnet = ".NET 10",
            Virtualised = true,
            Governor = "unknown",
        },
        Quiet = Quiet,
        Figures = Evaluation.Figures(measurements, Evaluation.Comparisons(measurements, options)),
        Comparisons = Evaluation.Comparisons(measurements, options),
        Targets = Evaluation.Targets(measurements, options),
        Memory = Evaluation.Memory(measurements, options),
    };

    public static Quietness Quiet => new() { Cores = 2, BusyShare = 0.01, Steal = 0, NoisyProcesses = [], SpinSpread = 0.001 };

    private static Sample Sample(string series, double value) => series switch
    {
        _ when series.StartsWith("memory/", StringComparison.Ordinal) => new(series, Tool.MemoryUse, Unit.Kibibytes, value),
        _ when Series.IsManaged(series) => new(series, Tool.BenchmarkDotNet, Unit.Nanoseconds, value, series == ExpectedSeries.Lease ? 56 : 0),
        _ => new(series, Tool.GoogleBenchmark, Unit.Nanoseconds, value),
    };
}
