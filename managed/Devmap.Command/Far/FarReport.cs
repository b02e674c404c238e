// SPDX-License-Identifier: MIT
using Devmap.CommandLine.Run;

namespace Devmap.CommandLine.Far;

/// <summary>What came of a job.</summary>
internal sealed record FarReport
{
    public required FarSettings Settings { get; init; }

    /// <summary>The memory and its store.</summary>
    public required string Description { get; init; }

    /// <summary>Who goes through it.</summary>
    public required string Access { get; init; }

    /// <summary>The phases that it came to, the last one perhaps not to its end.</summary>
    public required IReadOnlyList<FarPhaseReport> Phases { get; init; }

    /// <summary>Whether somebody ended it before its time.</summary>
    public required bool IsInterrupted { get; init; }

    /// <summary>Visits that found a page wrong.</summary>
    public required long WrongPages { get; init; }

    public required long WrongBytes { get; init; }

    /// <summary>The first few of them.</summary>
    public required IReadOnlyList<FarMismatch> Mismatches { get; init; }

    /// <summary>Errors that ended threads before their time.</summary>
    public required IReadOnlyList<string> Errors { get; init; }

    /// <summary>The memory's counters in the end.</summary>
    public required FarMemoryStatistics Statistics { get; init; }

    /// <summary>The most bytes of the memory that were seen resident.</summary>
    public required long PeakResident { get; init; }

    /// <summary>The most bytes of the process that were in memory at once.</summary>
    public required long PeakRss { get; init; }

    /// <summary>The limit that the process ran under.</summary>
    public required string MemoryLimit { get; init; }

    /// <summary>Whether the system kept it.</summary>
    public required bool IsLimitEnforced { get; init; }

    /// <summary>Whether <see cref="PeakRss"/> must be below the data's size, as no limit saw to that.</summary>
    public required bool IsPeakObserved { get; init; }

    public required MemoryPlan Plan { get; init; }

    /// <summary>Why the memory could not be given back, where leases were left; else null.</summary>
    public required string? LeasesLeft { get; init; }

    public required IReadOnlyCollection<string> Faults { get; init; }

    /// <summary>The library's counters before the memory was made.</summary>
    public required DevmapStatistics Before { get; init; }

    /// <summary>The library's counters after it was given back.</summary>
    public required DevmapStatistics After { get; init; }

    /// <summary>How many bytes of data a byte of the store held in the end; null where it does not compress, or holds none.</summary>
    public double? Compression => Settings.Store == FarStoreKind.Lz4 && Statistics.StoreBytes > 0
        ? (double)(Statistics.OnDevice + Statistics.Copies) * Settings.PageSize / Statistics.StoreBytes
        : null;

    /// <summary>Whether every page was written, without which there were no more data than memory.</summary>
    public bool IsFilled => Phases.Any(phase => phase.Phase == FarPhase.Fill && phase.Visits == Settings.Pages);

    /// <summary>The most pages that one pass in order found as they had to be.</summary>
    public long PagesInOrder => Phases.Where(phase => phase.Phase is FarPhase.InOrder or FarPhase.Final).Select(phase => phase.Visits).DefaultIfEmpty().Max();

    public IReadOnlyList<RunContract> Contracts => FarContracts.Of(this);

    public bool IsSuccess => Contracts.All(contract => contract.IsKept);
}
