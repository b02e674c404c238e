// SPDX-License-Identifier: MIT
using System.Collections.Immutable;
using BenchmarkDotNet.Configs;
using BenchmarkDotNet.Order;
using BenchmarkDotNet.Running;

namespace Devmap.Benchmarks.Suite;

/// <summary>Another order in every round, so that who came before is part of the spread and not of the figure.</summary>
internal sealed class ShuffledOrder(int seed) : DefaultOrderer
{
    public override IEnumerable<BenchmarkCase> GetExecutionOrder(
        ImmutableArray<BenchmarkCase> benchmarksCase, IEnumerable<BenchmarkLogicalGroupRule>? order = null)
    {
        BenchmarkCase[] shuffled = [.. benchmarksCase];
        new Random(seed).Shuffle(shuffled);
        return shuffled;
    }
}
