// SPDX-License-Identifier: MIT
namespace Devmap;

/// <summary>A page in use, and who holds it as far as that was followed.</summary>
public sealed record BusyPageSnapshot
{
    /// <summary>The map's <see cref="MapSnapshot.Id"/>; 0 for one that came after the maps were read.</summary>
    public required long MapId { get; init; }

    /// <summary>The page's index in the map.</summary>
    public required long PageIndex { get; init; }

    /// <summary>Its count as the kernel tells it, 2 being one user; of a page that could not be asked, one more than the references below. Negative where it is saturated.</summary>
    public required int Count { get; init; }

    /// <summary>The references that are followed, oldest first; more may hold the page.</summary>
    public required IReadOnlyList<PageHolder> Holders { get; init; }

    /// <summary>The page's latest events, at most 16, oldest first; none for a page that was not followed.</summary>
    public IReadOnlyList<PageEvent> History { get; init; } = [];
}
