// SPDX-License-Identifier: MIT
using System.Globalization;
using System.Text;

namespace Devmap;

/// <summary>What was taken inside a <see cref="DevmapLeakScope"/> and not given back by its end.</summary>
public sealed record DevmapLeak
{
    /// <summary>What it is, such as "lease of pages 3 to 4 of ...".</summary>
    public required string What { get; init; }

    /// <summary>When it was taken.</summary>
    public required DateTimeOffset TakenAt { get; init; }

    /// <summary>The thread that took it, by .NET's number (<see cref="Environment.CurrentManagedThreadId"/>).</summary>
    public required int ManagedThreadId { get; init; }

    /// <summary>Where it was taken, a frame a line, innermost first; null where there was no memory to note it.</summary>
    public string? Stack { get; init; }

    /// <inheritdoc/>
    public override string ToString()
    {
        var text = new StringBuilder();
        text.Append(CultureInfo.InvariantCulture, $"{What}, taken on managed thread {ManagedThreadId} at {TakenAt:HH:mm:ss.fff}");
        if (Stack is not null)
            text.AppendLine().Append(Stack);
        return text.ToString();
    }
}
