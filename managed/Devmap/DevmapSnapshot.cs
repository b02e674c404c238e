// SPDX-License-Identifier: MIT
namespace Devmap;

/// <summary>
/// The library's state at a moment: what <see cref="DevmapDiagnostics.Capture"/> reads. It is data only, and may be kept, sent
/// and saved; <see cref="ToJson"/> has the form in which it goes to files and other processes.
/// </summary>
public sealed partial record DevmapSnapshot
{
    /// <summary>The version of the form that this library writes, and the only one that it reads.</summary>
    public const int CurrentVersion = 1;

    /// <summary>The version of its form.</summary>
    public int Version { get; init; } = CurrentVersion;

    /// <summary>When it was taken.</summary>
    public required DateTimeOffset Time { get; init; }

    /// <summary>The process.</summary>
    public required int ProcessId { get; init; }

    /// <summary>The process's name.</summary>
    public required string ProcessName { get; init; }

    /// <summary>The version of the native library.</summary>
    public required string LibraryVersion { get; init; }

    /// <summary>The process's level.</summary>
    public required DiagnosticLevel Level { get; init; }

    /// <summary>Who wants idle callbacks.</summary>
    public required GateSnapshot Gate { get; init; }

    /// <summary>The counters.</summary>
    public required DevmapStatistics Statistics { get; init; }

    /// <summary>The maps that are not torn down, in the order in which they were created.</summary>
    public required IReadOnlyList<MapSnapshot> Maps { get; init; }

    /// <summary>How many maps there are: as many as <see cref="Maps"/> has.</summary>
    public required long MapCount { get; init; }

    /// <summary>How long drivers' callbacks took, those that were timed; see <see cref="DiagnosticLevel"/>.</summary>
    public required DurationHistogram Callbacks { get; init; }

    /// <summary>How long truncations and holes waited for pages.</summary>
    public required DurationHistogram LayoutBreaks { get; init; }

    /// <summary>What became of far memory's pages.</summary>
    public required MigrationSnapshot Migration { get; init; }

    /// <summary>References that are followed.</summary>
    public required long TrackedReferences { get; init; }

    /// <summary>Pages in use with their holders, by map and page, as far as <see cref="SnapshotOptions"/> asks and the level knows.</summary>
    public required IReadOnlyList<BusyPageSnapshot> BusyPages { get; init; }

    /// <summary>The latest faults, at most 64, oldest first: those of a level that is not <see cref="DiagnosticLevel.Off"/>.</summary>
    public required IReadOnlyList<FaultSnapshot> Faults { get; init; }
}
