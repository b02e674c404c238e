// SPDX-License-Identifier: MIT
using System.Runtime.InteropServices;
using Devmap.CommandLine;
using Xunit;

namespace Devmap.Tests.Command;

/// <summary>What signals do, without any being sent.</summary>
[Collection(nameof(LastSteps))]
public sealed class InterruptionTests
{
    [Theory]
    [InlineData(PosixSignal.SIGINT)]
    [InlineData(PosixSignal.SIGHUP)]
    public void The_first_ends_it_and_one_a_second_later_kills_it(PosixSignal signal)
    {
        var clock = new Clock();
        using var step = new Step();
        using var interruption = new Interruption(clock);
        LastSteps.Add(step);

        Assert.False(interruption.Token.IsCancellationRequested);
        Assert.True(IsHandled(interruption, signal));
        Assert.True(interruption.Token.IsCancellationRequested);
        clock.Now = TimeSpan.FromSeconds(0.9);
        Assert.True(IsHandled(interruption, signal));
        Assert.False(step.IsDone);
        clock.Now = TimeSpan.FromSeconds(1.1);
        Assert.False(IsHandled(interruption, signal));
        Assert.True(step.IsDone);
        LastSteps.Remove(step);
    }

    private static bool IsHandled(Interruption interruption, PosixSignal signal)
    {
        var context = new PosixSignalContext(signal);
        interruption.OnSignal(context);
        return context.Cancel;
    }

    private sealed class Clock : TimeProvider
    {
        public TimeSpan Now { get; set; }

        public override long TimestampFrequency => TimeSpan.TicksPerSecond;

        public override long GetTimestamp() => Now.Ticks;
    }

    private sealed class Step : IDisposable
    {
        public bool IsDone { get; private set; }

        public void Dispose() => IsDone = true;
    }
}
