// SPDX-License-Identifier: MIT
using BenchmarkDotNet.Configs;
using BenchmarkDotNet.Jobs;
using BenchmarkDotNet.Running;
using BenchmarkDotNet.Toolchains.InProcess.Emit;
using Devmap.Benchmarks;

// In this process, so that every benchmark sees the same libdevmap, and the native loops beside it.
Job job = Job.Default.WithToolchain(InProcessEmitToolchain.Instance).WithWarmupCount(10).WithIterationCount(40);
string artifacts = args.Length > 0 ? args[0] : "artifacts/bench/BenchmarkDotNet";
BenchmarkRunner.Run<PairBenchmarks>(DefaultConfig.Instance.AddJob(job).WithArtifactsPath(artifacts), []);
