// SPDX-License-Identifier: MIT
namespace Devmap;

/// <summary>A broken contract that no return value could carry; see <see cref="DevmapDiagnostics.Fault"/>.</summary>
public sealed class DevmapFaultEventArgs : EventArgs
{
    /// <summary>What kind of fault.</summary>
    public required DevmapFaultKind Kind { get; init; }

    /// <summary>What happened.</summary>
    public required string Message { get; init; }

    /// <summary>Index of the page in its map; null without a page, and for an ordinary page.</summary>
    public long? PageIndex { get; init; }

    /// <summary>The page's count when it was seen, as the kernel tells it: 1 is idle.</summary>
    public int PageCount { get; init; }

    /// <summary>What a managed driver threw.</summary>
    public Exception? Exception { get; init; }

    /// <inheritdoc/>
    public override string ToString() => PageIndex is { } index ? $"{Kind}: page {index}, count {PageCount}: {Message}" : $"{Kind}: {Message}";
}
