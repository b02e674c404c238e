// SPDX-License-Identifier: MIT
namespace Devmap;

/// <summary>A page that was in use when somebody wanted it idle. Two are equal that say the same of a page, whoever holds it.</summary>
/// <param name="Index">The page's index in its map.</param>
/// <param name="Count">Its count as the kernel tells it: 2 is one user, 1 a callback that still runs.</param>
public sealed record BusyPage(long Index, int Count)
{
    /// <summary>
    /// Who holds it, the oldest first; those that are followed, by <see cref="DevmapDiagnostics.Level"/> or
    /// <see cref="DevicePageMap.DiagnosticLevel"/>. Read a moment after <see cref="Count"/>.
    /// </summary>
    public IReadOnlyList<PageHolder> Holders { get; init; } = [];

    /// <summary>What happened to it last, the oldest first, at most 16; empty where it is not followed.</summary>
    public IReadOnlyList<PageEvent> History { get; init; } = [];

    /// <summary>Whether both are of the same page and count.</summary>
    /// <param name="other">Another.</param>
    public bool Equals(BusyPage? other) => other is not null && Index == other.Index && Count == other.Count;

    /// <inheritdoc/>
    public override int GetHashCode() => HashCode.Combine(Index, Count);
}
