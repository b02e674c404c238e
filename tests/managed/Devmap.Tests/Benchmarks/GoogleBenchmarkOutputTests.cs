// SPDX-License-Identifier: MIT
using Devmap.Benchmarks.Suite;
using Xunit;

namespace Devmap.Tests.Benchmarks;

/// <summary>What Google Benchmark writes.</summary>
public sealed class GoogleBenchmarkOutputTests
{
    private const string Output = """
        {
          "context": { "date": "2026-01-01T00:00:00+00:00", "num_cpus": 2, "load_avg": [0.1, 0.2, 0.3] },
          "benchmarks": [
            { "name": "put/no_ops", "run_name": "put/no_ops", "run_type": "iteration", "repetitions": 3, "repetition_index": 0, "threads": 1,
              "iterations": 310, "real_time": 4.1e+04, "cpu_time": 4.1e+04, "time_unit": "ns", "items_per_second": 1.0e+08 },
            { "name": "put/two/real_time/threads:2", "run_name": "put/two/real_time/threads:2", "run_type": "iteration", "repetitions": 3, "repetition_index": 0, "threads": 2,
              "iterations": 310, "real_time": 2.0e+04, "cpu_time": 4.1e+04, "time_unit": "ns", "items_per_second": 2.0e+08 },
            { "name": "put/no_ops", "run_name": "put/no_ops", "run_type": "iteration", "repetitions": 3, "repetition_index": 1, "threads": 1,
              "iterations": 310, "real_time": 4.1e+04, "cpu_time": 4.1e+04, "time_unit": "ns", "items_per_second": 5.0e+07 },
            { "name": "put/no_ops", "run_name": "put/no_ops", "run_type": "iteration", "repetitions": 3, "repetition_index": 2, "threads": 1,
              "iterations": 310, "real_time": 4.1e+04, "cpu_time": 4.1e+04, "time_unit": "ns", "items_per_second": 2.5e+07 },
            { "name": "put/no_ops_mean", "run_name": "put/no_ops", "run_type": "aggregate", "aggregate_name": "mean", "aggregate_unit": "time", "repetitions": 3, "threads": 1,
              "iterations": 3, "real_time": 4.1e+04, "cpu_time": 4.1e+04, "time_unit": "ns", "items_per_second": 1.0 },
            { "name": "create/pages:256", "run_name": "create/pages:256", "run_type": "iteration", "repetitions": 1, "repetition_index": 0, "threads": 1,
              "iterations": 10, "real_time": 8.25, "cpu_time": 8.0, "time_unit": "us" }
          ]
        }
        """;

    [Fact]
    public void Is_read_as_nanoseconds_an_operation()
    {
        IReadOnlyList<Sample> samples = GoogleBenchmarkOutput.Parse(Output);

        Assert.Equal(["put/no_ops", "put/two/threads:2", "create/pages:256"], samples.Select(sample => sample.Series));
        // The median repetition; of two threads' items, each takes its share; without items, the time itself.
        Assert.Equal([20, 10, 8250], samples.Select(sample => Math.Round(sample.Value, 6)));
        Assert.All(samples, sample => Assert.Equal((Tool.GoogleBenchmark, Unit.Nanoseconds), (sample.Tool, sample.Unit)));
    }

    [Fact]
    public void Names_the_benchmark_that_failed()
    {
        const string Failed = """
            { "benchmarks": [ { "name": "edge/host", "run_name": "edge/host", "run_type": "iteration", "threads": 1, "error_occurred": true,
              "error_message": "no memory", "iterations": 0, "real_time": 0.0, "cpu_time": 0.0, "time_unit": "ns" } ] }
            """;

        string message = Assert.Throws<SuiteException>(() => GoogleBenchmarkOutput.Parse(Failed)).Message;

        Assert.Contains("'edge/host'", message, StringComparison.Ordinal);
        Assert.Contains("no memory", message, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("")]
    [InlineData("{")]
    [InlineData("{}")]
    [InlineData("[]")]
    [InlineData("null")]
    public void Is_refused_when_it_is_something_else(string json) => Assert.Throws<SuiteException>(() => GoogleBenchmarkOutput.Parse(json));

    [Fact]
    public void Lists_the_benchmarks_by_the_same_names() =>
        Assert.Equal(
            ["put/no_ops", "put/two/threads:2", "growth/x/pages:4"],
            GoogleBenchmarkOutput.ParseList("put/no_ops\nput/two/real_time/threads:2\ngrowth/x/pages:4/iterations:1/repeats:3\n"));
}
