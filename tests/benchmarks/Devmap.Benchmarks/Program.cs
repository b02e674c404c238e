// SPDX-License-Identifier: MIT
using BenchmarkDotNet.Configs;
using BenchmarkDotNet.Running;
using Devmap.Benchmarks;

BenchmarkRunner.Run<PairBenchmarks>(DefaultConfig.Instance.WithArtifactsPath(args.Length > 0 ? args[0] : "artifacts/bench/BenchmarkDotNet"), []);
