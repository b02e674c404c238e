// SPDX-License-Identifier: MIT
namespace Devmap;

/// <summary>The gate at a moment: who wants idle callbacks.</summary>
public sealed record GateSnapshot
{
    /// <summary>Holders of the gate; it is on while there are any.</summary>
    public required int Holders { get; init; }

    /// <summary>How many of these are users', by <see cref="DevmapGate.Hold"/> or native code; the others are maps and claims.</summary>
    public required int UserHolders { get; init; }

    /// <summary>Changes since the process began.</summary>
    public required long Changes { get; init; }

    /// <summary>The latest changes, at most 64, oldest first.</summary>
    public required IReadOnlyList<GateChange> History { get; init; }
}
