// SPDX-License-Identifier: MIT
namespace Devmap.CommandLine.Far;

/// <summary>What came of a phase.</summary>
internal sealed record FarPhaseReport
{
    public required FarPhase Phase { get; init; }

    public required TimeSpan Duration { get; init; }

    /// <summary>Pages visited, each time.</summary>
    public required long Visits { get; init; }

    /// <summary>Of these, those written anew.</summary>
    public required long Writes { get; init; }

    /// <summary>Of the visits, those of pages that had been written before, whose data were compared.</summary>
    public required long Compared { get; init; }

    /// <summary>Leases asked for again, as others left no room.</summary>
    public required long Refused { get; init; }

    /// <summary>Visits that found a page wrong.</summary>
    public required long WrongPages { get; init; }

    /// <summary>How long it took to get at pages that were in memory.</summary>
    public required LatencyHistogram Resident { get; init; }

    /// <summary>And at those that were not.</summary>
    public required LatencyHistogram Absent { get; init; }

    /// <summary>The memory's counters when it began.</summary>
    public required FarMemoryStatistics Before { get; init; }

    /// <summary>And when it ended.</summary>
    public required FarMemoryStatistics After { get; init; }

    /// <summary>What a counter of the memory went up by.</summary>
    public long Count(Func<FarMemoryStatistics, long> counter) => counter(After) - counter(Before);
}
