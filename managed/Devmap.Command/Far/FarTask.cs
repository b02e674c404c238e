// SPDX-License-Identifier: MIT
namespace Devmap.CommandLine.Far;

/// <summary>One thread's part of a phase.</summary>
/// <param name="Phase">The phase.</param>
/// <param name="FirstPage">Of pages that are visited in order, the first.</param>
/// <param name="EndPage">The one after the last.</param>
/// <param name="Visits">Of pages that are visited at random, how many.</param>
internal sealed record FarTask(FarPhase Phase, long FirstPage, long EndPage, long Visits)
{
    /// <summary>Visits of the task, or null where only time ends it.</summary>
    public long? Total => Phase != FarPhase.Random ? EndPage - FirstPage : Visits == long.MaxValue ? null : Visits;

    /// <summary>Divides a phase among threads.</summary>
    /// <param name="phase">The phase.</param>
    /// <param name="settings">The job.</param>
    public static IReadOnlyList<FarTask> Divide(FarPhase phase, FarSettings settings)
    {
        long visits = settings.Duration is null ? (long)Math.Ceiling(settings.Pages * (settings.Walks ?? 1)) : long.MaxValue;
        return [.. Enumerable.Range(0, settings.Threads).Select(thread => new FarTask(
            phase,
            Part(settings.Pages, thread),
            Part(settings.Pages, thread + 1),
            visits == long.MaxValue ? visits : Part(visits, thread + 1) - Part(visits, thread)))];

        long Part(long whole, int thread) => (long)((Int128)whole * thread / settings.Threads);
    }
}
