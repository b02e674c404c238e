// SPDX-License-Identifier: MIT
namespace Devmap.CommandLine.Far;

/// <summary>Where a job stands.</summary>
internal sealed record FarSnapshot
{
    public required TimeSpan Elapsed { get; init; }

    public required FarPhase Phase { get; init; }

    /// <summary>Pages visited in this phase.</summary>
    public required long Visits { get; init; }

    /// <summary>Those that end it; null where time does.</summary>
    public required long? Total { get; init; }

    public required long WrongPages { get; init; }

    public required FarMemoryStatistics Statistics { get; init; }
}
