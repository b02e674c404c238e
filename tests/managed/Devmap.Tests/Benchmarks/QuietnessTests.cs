// SPDX-License-Identifier: MIT
using Devmap.Benchmarks.Suite;
using Xunit;

namespace Devmap.Tests.Benchmarks;

/// <summary>The look at the machine.</summary>
public sealed class QuietnessTests
{
    [Theory]
    [InlineData(2, 0.05, 0.01, 0.05, true)]
    [InlineData(2, 0.06, 0, 0, false)]
    [InlineData(64, 0.001, 0, 0, true)]
    [InlineData(64, 0.002, 0, 0, false)]
    [InlineData(2, 0, 0.02, 0, false)]
    [InlineData(2, 0, 0, 0.06, false)]
    public void Is_quiet_below_its_limits(int cores, double busy, double steal, double spin, bool quiet)
    {
        Quietness look = new() { Cores = cores, BusyShare = busy, Steal = steal, NoisyProcesses = [], SpinSpread = spin };

        Assert.Equal(quiet, look.Quiet);
        Assert.Equal(quiet, look.Complaint().Length == 0);
    }

    [Fact]
    public void Keeps_the_worse_of_two_looks()
    {
        Quietness one = new() { Cores = 2, BusyShare = 0.5, Steal = 0, NoisyProcesses = ["a"], SpinSpread = 0.001 };
        Quietness other = new() { Cores = 2, BusyShare = 0.1, Steal = 0.2, NoisyProcesses = ["a", "b"], SpinSpread = 0.3 };

        Quietness both = one.And(other);

        Assert.Equal((0.5, 0.2, 0.3), (both.BusyShare, both.Steal, both.SpinSpread));
        Assert.Equal(["a", "b"], both.NoisyProcesses);
    }

    [Fact]
    public void Reads_the_times_of_all_cores()
    {
        var before = ProcessorTimes.Parse("cpu  100 0 50 800 40 5 5 0 0 0\ncpu0 1 2 3\n");
        var after = ProcessorTimes.Parse("cpu  140 0 60 860 40 5 5 10 0 0\n");

        ProcessorTimes between = after - before;

        Assert.Equal(new ProcessorTimes(120, 60, 10), between);
        Assert.Equal(10 / 120.0, between.StealShare);
        // Of the 50 ticks that somebody worked, 20 were our own.
        Assert.Equal(30 / 120.0, between.BusyShare(own: 20));
        Assert.Throws<SuiteException>(() => ProcessorTimes.Parse("cpu 1 2"));
    }

    [Fact]
    public void Reads_a_process_whatever_its_name() =>
        Assert.Equal(
            new ProcessTimes(42, "a) (b c", 30, 37),
            ProcessTimes.Parse("42 (a) (b c) S 1 42 42 0 -1 4194304 109 0 0 0 10 20 3 4 20 0 1 0 1141745 2998272 397"));

    [Fact]
    public void Shows_no_name_that_would_act_on_a_terminal() =>
        Assert.Equal("a?[2Jb??c\u00e9", ProcessTimes.Parse("42 (a\u001b[2Jb\n\u202ec\u00e9) S 1 42 42 0 -1 4194304 109 0 0 0 10 20 3 4 20 0").Name);

    [Fact]
    public void Counts_through_a_run()
    {
        Quietness counted = new RunWatch().And(Samples.Quiet);

        Assert.InRange(counted.BusyShare, Samples.Quiet.BusyShare, 1);
        Assert.InRange(counted.Steal, Samples.Quiet.Steal, 1);
    }

    [Fact]
    public async Task Looks_at_this_machine()
    {
        Quietness look = await QuietCheck.LookAsync(CancellationToken.None);

        Assert.InRange(look.BusyShare, 0, 1);
        Assert.InRange(look.Steal, 0, 1);
        Assert.True(look.SpinSpread >= 0);
    }

    [Fact]
    public async Task Knows_this_machine()
    {
        using var build = new TemporaryDirectory();
        await File.WriteAllTextAsync(build["CMakeCache.txt"], "//comment\nCMAKE_BUILD_TYPE:STRING=Release\nCMAKE_C_COMPILER:FILEPATH=/no/such/compiler\n");

        MachineInfo machine = await MachineReader.ReadAsync(build.Root, CancellationToken.None);

        Assert.Equal(Environment.ProcessorCount, machine.Cores);
        Assert.True(machine.MemoryBytes > 0);
        Assert.NotEmpty(machine.Cpu);
        Assert.Equal(("Release", "unknown"), (machine.BuildType, machine.Compiler));
    }
}
