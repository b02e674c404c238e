// SPDX-License-Identifier: MIT
namespace Devmap.CommandLine.Top;

/// <summary>What <c>devmap top</c> was asked for.</summary>
internal sealed record TopSettings
{
    /// <summary>The shortest and the longest time between snapshots that a process takes.</summary>
    public static readonly TimeSpan MinInterval = TimeSpan.FromMilliseconds(100);

    /// <inheritdoc cref="MinInterval"/>
    public static readonly TimeSpan MaxInterval = TimeSpan.FromSeconds(60);

    /// <summary>The process to watch.</summary>
    public required int ProcessId { get; init; }

    /// <summary>Time between its snapshots.</summary>
    public TimeSpan Interval { get; init; } = TimeSpan.FromSeconds(1);

    /// <summary>How many snapshots to show; null for no end.</summary>
    public int? Count { get; init; }

    /// <summary>How long a process may take to answer, and beyond the interval, to send a snapshot.</summary>
    public TimeSpan Patience { get; init; } = TimeSpan.FromSeconds(10);
}
