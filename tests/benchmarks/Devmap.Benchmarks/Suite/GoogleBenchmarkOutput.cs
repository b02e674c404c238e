// SPDX-License-Identifier: MIT
using System.Text.Json;
using System.Text.RegularExpressions;

namespace Devmap.Benchmarks.Suite;

/// <summary>Reads what Google Benchmark writes with <c>--benchmark_out</c>.</summary>
internal static partial class GoogleBenchmarkOutput
{
    /// <summary>Nanoseconds an operation of every benchmark: the median of its repetitions.</summary>
    public static IReadOnlyList<Sample> Parse(string json)
    {
        Report report;
        try
        {
            report = JsonSerializer.Deserialize(json, NativeJson.Default.GoogleBenchmarkReport)
                ?? throw new JsonException("there is no report.");
        }
        catch (JsonException exception)
        {
            throw new SuiteException($"Google Benchmark's output cannot be read: {exception.Message}", exception);
        }

        if (report.Benchmarks.FirstOrDefault(run => run.ErrorOccurred) is { } failed)
            throw new SuiteException($"The benchmark '{failed.RunName}' failed: {failed.ErrorMessage}");
        // Without what Google Benchmark makes of the repetitions itself.
        return
        [
            .. report.Benchmarks
                .Where(run => run.RunType == "iteration")
                .GroupBy(run => Series(run.RunName), StringComparer.Ordinal)
                .Select(runs => new Sample(runs.Key, Tool.GoogleBenchmark, Unit.Nanoseconds, Summary.Of(runs.Select(Nanoseconds)).Median)),
        ];
    }

    /// <summary>Reads what <c>--benchmark_list_tests</c> prints.</summary>
    public static IReadOnlyList<string> ParseList(string text) =>
        [.. text.Split('\n', StringSplitOptions.RemoveEmptyEntries | StringSplitOptions.TrimEntries).Select(Series)];

    private static string Series(string name) => SettingsInName().Replace(name, string.Empty);

    /// <summary>The items of all threads are counted together, and an operation takes one of them.</summary>
    private static double Nanoseconds(Run run) =>
        run.ItemsPerSecond is { } items ? 1e9 / items * run.Threads : run.RealTime * Factor(run.TimeUnit);

    private static double Factor(string unit) => unit switch
    {
        "ns" => 1,
        "us" => 1e3,
        "ms" => 1e6,
        "s" => 1e9,
        _ => throw new SuiteException($"Google Benchmark measured in '{unit}', which is no unit."),
    };

    /// <summary>What Google Benchmark appends to a name of how it measures.</summary>
    [GeneratedRegex("/(real_time|process_time|manual_time|(iterations|repeats|min_time|min_warmup_time):[^/]*)", RegexOptions.ExplicitCapture | RegexOptions.CultureInvariant, matchTimeoutMilliseconds: 1000)]
    private static partial Regex SettingsInName();

    /// <summary>The file.</summary>
    internal sealed record Report
    {
        public required IReadOnlyList<Run> Benchmarks { get; init; }
    }

    /// <summary>One repetition of a benchmark, or what was made of several.</summary>
    internal sealed record Run
    {
        public required string RunName { get; init; }

        public string RunType { get; init; } = string.Empty;

        public int Threads { get; init; } = 1;

        public double RealTime { get; init; }

        public string TimeUnit { get; init; } = "ns";

        public double? ItemsPerSecond { get; init; }

        public bool ErrorOccurred { get; init; }

        public string? ErrorMessage { get; init; }
    }
}
