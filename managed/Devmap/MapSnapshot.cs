// SPDX-License-Identifier: MIT
using System.Text.Json.Serialization;

namespace Devmap;

/// <summary>A map at a moment: its numbers are of one moment of that map, but for the <see cref="HeatMap"/>.</summary>
public sealed record MapSnapshot
{
    /// <summary>A number that no other map of the process has or had.</summary>
    public required long Id { get; init; }

    /// <summary>What it is called: a file's path, or its kind and address.</summary>
    public required string Name { get; init; }

    /// <summary>Start of the memory.</summary>
    public required long Address { get; init; }

    /// <summary>Bytes of memory.</summary>
    public required long Length { get; init; }

    /// <summary>Bytes a page.</summary>
    public required long PageSize { get; init; }

    /// <summary>Number of pages.</summary>
    public required long PageCount { get; init; }

    /// <summary>Pages in use: activated, and their callback not returned. At most <see cref="PageCount"/>.</summary>
    public required long PagesInUse { get; init; }

    /// <summary>What the memory is.</summary>
    public required MemoryType Type { get; init; }

    /// <summary>Whether it takes users.</summary>
    public required MapState State { get; init; }

    /// <summary>The map's own level; null for the process's.</summary>
    public DiagnosticLevel? Level { get; init; }

    /// <summary>Truncations and holes in progress.</summary>
    public int LayoutBreaks { get; init; }

    /// <summary>Whether it is claimed, as by <see cref="DaxFile"/>.</summary>
    public bool IsClaimed { get; init; }

    /// <summary>Whether it is a file's.</summary>
    public bool IsFile { get; init; }

    /// <summary>Whether it is far memory: then <see cref="Resident"/> and <see cref="OnDevice"/> say where its pages are.</summary>
    public bool IsFarMemory { get; init; }

    /// <summary>Of far memory, pages that are in memory; else 0.</summary>
    public long Resident { get; init; }

    /// <summary>Of far memory, pages whose data are in the store; else 0.</summary>
    public long OnDevice { get; init; }

    /// <summary>Whether a driver hears of its idle pages.</summary>
    public bool HasDriver { get; init; }

    /// <summary>
    /// Which pages are in use; null where <see cref="SnapshotOptions.HeatMapCells"/> did not ask for it, the map went meanwhile, or
    /// native code made it, which may free it meanwhile.
    /// </summary>
    [JsonIgnore(Condition = JsonIgnoreCondition.WhenWritingNull)]
    public HeatMap? HeatMap { get; init; }
}
