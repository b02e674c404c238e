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

    /// <summary>The map, where it is a managed one that is not torn down.</summary>
    public DevicePageMap? Map { get; init; }

    /// <summary>
    /// Of <see cref="DevmapFaultKind.SlowCallback"/> how long it took, of <see cref="DevmapFaultKind.HeldTooLong"/> how long the
    /// references have been held; else null.
    /// </summary>
    public TimeSpan? Duration { get; init; }

    /// <summary>Of <see cref="DevmapFaultKind.HeldTooLong"/> who holds them, if they are not given back by now; else null.</summary>
    public PageHolder? Holder { get; init; }

    /// <summary>Whether it is a leak, and no broken contract.</summary>
    public bool IsLeak => Kind >= DevmapFaultKind.LostLease;

    /// <inheritdoc/>
    public override string ToString() => PageIndex is { } index ? $"{Kind}: page {index}, count {PageCount}: {Message}" : $"{Kind}: {Message}";
}
