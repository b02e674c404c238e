// SPDX-License-Identifier: MIT
namespace Devmap.Benchmarks.Suite;

/// <summary>What measures, as the results name it.</summary>
internal static class Tool
{
    public const string GoogleBenchmark = "Google Benchmark";
    public const string BenchmarkDotNet = "BenchmarkDotNet";
    public const string Callgrind = "callgrind";
    public const string MemoryUse = "memory_use";
}
