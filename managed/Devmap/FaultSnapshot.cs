// SPDX-License-Identifier: MIT
namespace Devmap;

/// <summary>A fault that was met; see <see cref="DevmapDiagnostics.Fault"/>.</summary>
public sealed record FaultSnapshot
{
    /// <summary>When the library heard of it.</summary>
    public required DateTimeOffset Time { get; init; }

    /// <summary>What kind of fault.</summary>
    public required DevmapFaultKind Kind { get; init; }

    /// <summary>What happened.</summary>
    public required string Message { get; init; }

    /// <summary>Index of the page in its map; null without a page, and for an ordinary page.</summary>
    public long? PageIndex { get; init; }

    /// <summary>The page's count when it was seen, as the kernel tells it.</summary>
    public int PageCount { get; init; }

    /// <summary>What the page's map is called, where it is a managed one.</summary>
    public string? MapName { get; init; }

    /// <summary>How long a callback took, or references have been held; null of other kinds.</summary>
    public TimeSpan? Duration { get; init; }

    /// <summary>Where the exception behind it was thrown, if there is one.</summary>
    public string? Stack { get; init; }
}
