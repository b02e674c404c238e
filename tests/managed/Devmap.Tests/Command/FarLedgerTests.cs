// SPDX-License-Identifier: MIT
using Devmap.CommandLine.Far;
using Xunit;

namespace Devmap.Tests.Command;

/// <summary>Who is at which page of far memory, and who is to go where.</summary>
public sealed class FarLedgerTests
{
    [Fact]
    public void A_page_is_one_threads_at_a_time()
    {
        using var ledger = new FarLedger(2);

        Assert.True(ledger.TryTake(0, out int version));
        Assert.Equal(0, version);
        Assert.False(ledger.TryTake(0, out _));
        Assert.True(ledger.TryTake(1, out _));
        ledger.Give(0, 7);
        Assert.True(ledger.TryTake(0, out version));
        Assert.Equal(7, version);
    }

    [Theory]
    [InlineData(0, 1)]
    [InlineData(1, 2)]
    [InlineData(int.MaxValue, 1)]
    public void No_version_that_was_written_is_that_of_zeros(int version, int next) => Assert.Equal(next, FarLedger.Next(version));

    [Theory]
    [InlineData(1, 1)]
    [InlineData(4, 3)]
    [InlineData(4, 1000)]
    [InlineData(7, 1000)]
    public void Threads_go_through_every_page_once(int threads, int pages)
    {
        var settings = new FarSettings { Threads = threads, Size = pages * 4096L };
        IReadOnlyList<FarTask> tasks = FarTask.Divide(FarPhase.InOrder, settings);

        Assert.Equal(threads, tasks.Count);
        Assert.Equal(pages, tasks.Sum(task => task.Total));
        Assert.Equal(0, tasks[0].FirstPage);
        Assert.Equal(pages, tasks[^1].EndPage);
        Assert.All(tasks.Zip(tasks.Skip(1)), pair => Assert.Equal(pair.First.EndPage, pair.Second.FirstPage));
    }

    [Theory]
    [InlineData(null, 1000)]
    [InlineData(2.5, 2500)]
    [InlineData(0.0001, 1)]
    public void The_random_walk_has_the_visits_asked_for(double? walks, long visits)
    {
        var settings = new FarSettings { Size = 1000 * 4096L, Walks = walks };

        Assert.Equal(visits, FarTask.Divide(FarPhase.Random, settings).Sum(task => task.Total));
    }

    [Fact]
    public void A_random_walk_of_some_seconds_has_any_number_of_visits()
    {
        var settings = new FarSettings { Size = 1000 * 4096L, Duration = TimeSpan.FromSeconds(1) };

        Assert.All(FarTask.Divide(FarPhase.Random, settings), task => Assert.Null(task.Total));
    }
}
