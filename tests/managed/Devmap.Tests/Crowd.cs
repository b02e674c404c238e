// SPDX-License-Identifier: MIT
namespace Devmap.Tests;

/// <summary>Managed threads that start at once.</summary>
internal static class Crowd
{
    /// <summary>Runs <paramref name="work"/> on each of some threads, and waits for all of them.</summary>
    /// <param name="threads">How many.</param>
    /// <param name="work">What each does, given its number.</param>
    public static void Run(int threads, Action<int> work) => RunRounds(threads, 1, (member, _) => work(member), () => { });

    /// <summary>Runs rounds that all threads begin together and end together.</summary>
    /// <param name="threads">How many threads.</param>
    /// <param name="rounds">How many rounds.</param>
    /// <param name="work">What each thread does, given its number and the round.</param>
    /// <param name="afterRound">What one of them does between two rounds, and after the last.</param>
    public static void RunRounds(int threads, int rounds, Action<int, int> work, Action afterRound)
    {
        using var start = new Barrier(threads);
        using var end = new Barrier(threads, _ => afterRound());
        Task[] members = [.. Enumerable.Range(0, threads).Select(member => Task.Factory.StartNew(
            () =>
            {
                try
                {
                    start.SignalAndWait();
                    for (int round = 0; round < rounds; round++)
                    {
                        work(member, round);
                        end.SignalAndWait();
                    }
                }
                catch
                {
                    // The others need not wait for this one.
                    end.RemoveParticipant();
                    throw;
                }
            },
            CancellationToken.None,
            TaskCreationOptions.LongRunning,
            TaskScheduler.Default))];
#pragma warning disable VSTHRD002 // The members have threads of their own.
        Task.WaitAll(members);
#pragma warning restore VSTHRD002
    }
}
