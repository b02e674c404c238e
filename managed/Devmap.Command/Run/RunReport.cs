// SPDX-License-Identifier: MIT
namespace Devmap.CommandLine.Run;

/// <summary>What came of a run.</summary>
internal sealed record RunReport
{
    /// <summary>The file.</summary>
    public required string Description { get; init; }

    public required int Seed { get; init; }

    public required TimeSpan Duration { get; init; }

    /// <summary>Whether somebody ended it before its time.</summary>
    public required bool IsInterrupted { get; init; }

    /// <summary>What the managed readers did, together.</summary>
    public required ReaderCounts Managed { get; init; }

    public required ReaderCounts Native { get; init; }

    public required long BytesVerified { get; init; }

    /// <summary>Errors that ended readers before their time.</summary>
    public required IReadOnlyList<string> ReaderErrors { get; init; }

    /// <summary>Pages that the driver was told of.</summary>
    public required long IdleCallbacks { get; init; }

    public required long Truncations { get; init; }

    /// <summary>How long each of them took.</summary>
    public required WaitingTimes Waits { get; init; }

    /// <summary>Truncations that ended in a timeout.</summary>
    public required long GivenUp { get; init; }

    /// <summary>Of these, those that changed the file's length all the same.</summary>
    public required long HalfDone { get; init; }

    public required long Growths { get; init; }

    /// <summary>Bytes that the file must have at the end.</summary>
    public required long ExpectedLength { get; init; }

    /// <summary>Bytes that it has as the file system tells it.</summary>
    public required long FinalLength { get; init; }

    /// <summary>Pages that ordinary input found to hold something else than was written to them.</summary>
    public required long WrongPages { get; init; }

    /// <summary>Why the file could not be closed, where leases were left; else null.</summary>
    public required string? LeasesLeft { get; init; }

    public required IReadOnlyCollection<string> Faults { get; init; }

    /// <summary>The library's counters before the file was opened.</summary>
    public required DevmapStatistics Before { get; init; }

    /// <summary>The library's counters after it was closed.</summary>
    public required DevmapStatistics After { get; init; }

    /// <summary>Idle edges that the native side counted.</summary>
    public long IdleEdges => After.IdleEdges - Before.IdleEdges;

    public IReadOnlyList<RunContract> Contracts => RunContracts.Of(this);

    public bool IsSuccess => Contracts.All(contract => contract.IsKept);
}
