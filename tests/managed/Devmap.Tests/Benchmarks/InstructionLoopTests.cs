// SPDX-License-Identifier: MIT
using Devmap.Benchmarks.Suite;
using Xunit;

namespace Devmap.Tests.Benchmarks;

/// <summary>Instructions, as callgrind counts them.</summary>
public sealed class InstructionLoopTests
{
    private const string Errors = """
        ==26071== Callgrind, a call-graph generating cache profiler
        ==26071== Command: instruction_loops gate_off
        ==26071==
        ==26071== Events    : Ir
        ==26071== Collected : 23000018
        ==26071==
        ==26071== I   refs:      23,000,018
        """;

    [Fact]
    public void Are_read_for_each_loop()
    {
        IReadOnlyList<InstructionLoop> loops = InstructionLoop.ParseList("no_ops loop_pairs_ungated 1000000\ngate_off loop_pairs 1000000\n");

        Assert.Equal([new("no_ops", "loop_pairs_ungated", 1_000_000), new("gate_off", "loop_pairs", 1_000_000)], loops);
        Assert.Equal(new Sample("instructions/gate_off", Tool.Callgrind, Unit.Instructions, 23.000018), loops[1].ToSample(InstructionLoop.ParseCount(Errors)));
    }

    [Theory]
    [InlineData("gate_off loop_pairs")]
    [InlineData("gate_off loop_pairs none")]
    [InlineData("gate_off loop_pairs 0")]
    [InlineData("usage: instruction_loops list|WHAT")]
    public void Are_not_guessed(string line) => Assert.Throws<SuiteException>(() => InstructionLoop.ParseList(line));

    [Theory]
    [InlineData("")]
    [InlineData("valgrind: no such program")]
    [InlineData("==1== Collected : 0")]
    [InlineData("==1== Collected :")]
    public void Are_an_error_where_there_are_none(string errors) => Assert.Throws<SuiteException>(() => InstructionLoop.ParseCount(errors));

    [Fact]
    public void Memory_comes_with_its_unit()
    {
        Assert.Equal(
            [new("memory/bytes_per_map", Tool.MemoryUse, Unit.Bytes, 1445.9), new("memory/terabyte_map_kib", Tool.MemoryUse, Unit.Kibibytes, 1.2)],
            MemoryUse.Parse("""{"bytes_per_map": 1445.9, "terabyte_map_kib": 1.2}"""));
        Assert.Throws<SuiteException>(() => MemoryUse.Parse("none"));
        Assert.Throws<SuiteException>(() => MemoryUse.Parse("null"));
    }
}
