// SPDX-License-Identifier: MIT
using Devmap.CommandLine.Run;
using Xunit;

namespace Devmap.Tests.Command;

/// <summary>Percentiles of waiting times.</summary>
public sealed class WaitingTimesTests
{
    [Theory]
    [InlineData(200, 50, 100)]
    [InlineData(200, 99, 198)]
    [InlineData(200, 100, 200)]
    [InlineData(1, 50, 1)]
    [InlineData(1, 99, 1)]
    [InlineData(3, 50, 2)]
    [InlineData(99, 99, 99)]
    public void Are_those_that_so_many_percent_do_not_exceed(int count, int percent, int milliseconds)
    {
        var times = new WaitingTimes(Enumerable.Range(1, count).Reverse().Select(time => TimeSpan.FromMilliseconds(time)));

        Assert.Equal(TimeSpan.FromMilliseconds(milliseconds), times.Percentile(percent));
    }

    [Fact]
    public void Of_nothing_are_none() => Assert.Null(new WaitingTimes([]).Percentile(50));
}
