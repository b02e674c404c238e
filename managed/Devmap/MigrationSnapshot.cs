// SPDX-License-Identifier: MIT
namespace Devmap;

/// <summary>What became of far memory's pages: of all far memory since the process began, that which is gone too.</summary>
public sealed record MigrationSnapshot
{
    /// <summary>Pages whose data went to the store.</summary>
    public required long ToDevice { get; init; }

    /// <summary>Pages whose data came back.</summary>
    public required long ToMemory { get; init; }

    /// <summary>Page faults served, of any kind.</summary>
    public required long Faults { get; init; }

    /// <summary>Page faults that could not be served.</summary>
    public required long FaultsFailed { get; init; }

    /// <summary>Migrations that failed.</summary>
    public required long Failed { get; init; }

    /// <summary>Pages whose data are in a store now.</summary>
    public required long OnDevice { get; init; }

    /// <summary>Pages of far memory that are in memory now.</summary>
    public required long Resident { get; init; }
}
