// SPDX-License-Identifier: MIT
using System.Globalization;
using System.Text;
using System.Text.Json.Serialization;

namespace Devmap;

/// <summary>Who holds references on a page, as far as they are followed; see <see cref="DevmapDiagnostics.Level"/>.</summary>
public sealed record PageHolder
{
    /// <summary>Index of the page in its map.</summary>
    public long PageIndex { get; init; }

    /// <summary>The map, where it is a managed one that is not torn down; else null. Not serialised.</summary>
    [JsonIgnore]
    public DevicePageMap? Map { get; init; }

    /// <summary>When the references were taken.</summary>
    public DateTimeOffset TakenAt { get; init; }

    /// <summary>How long they had been held when this was read.</summary>
    public TimeSpan Age { get; init; }

    /// <summary>The thread that took them, by the system's number.</summary>
    public int ThreadId { get; init; }

    /// <summary>That thread's name as the system has it, which is cut to 15 bytes.</summary>
    public string ThreadName { get; init; } = string.Empty;

    /// <summary>
    /// Operation name and id of <see cref="System.Diagnostics.Activity.Current"/> when a lease was taken; null without one, and for
    /// what is no lease.
    /// </summary>
    public string? Activity { get; init; }

    /// <summary>
    /// Where they were taken, a frame a line, innermost first: of a lease the managed stack, else the native one. Null where that
    /// is not known.
    /// </summary>
    public string? Stack { get; init; }

    /// <summary>
    /// Whether it is a lease that is followed; else native code took them, or a lease did after the level was lowered, on a page that
    /// stays followed until it is idle.
    /// </summary>
    public bool IsLease { get; init; }

    /// <summary>Whether it is these that made the page go from idle to in use.</summary>
    public bool IsActivation { get; init; }

    /// <summary>How many references.</summary>
    public int References { get; init; }

    /// <inheritdoc/>
    public override string ToString() => Describe(maxFrames: int.MaxValue, indent: string.Empty);

    /// <summary>One line, and the stack's first ones.</summary>
    internal string Describe(int maxFrames, string indent)
    {
        var text = new StringBuilder();
        text.Append(CultureInfo.InvariantCulture, $"{indent}page {PageIndex}: {(IsLease ? "a lease" : "native code")} on thread {ThreadId}");
        if (ThreadName.Length > 0)
            text.Append(CultureInfo.InvariantCulture, $" ({ThreadName})");
        text.Append(CultureInfo.InvariantCulture, $" for {Age.TotalSeconds:0.000} s");
        if (References > 1)
            text.Append(CultureInfo.InvariantCulture, $", {References} references");
        if (Activity is not null)
            text.Append(CultureInfo.InvariantCulture, $", in {Activity}");
        if (Stack is null)
            return text.ToString();
        int frames = 0;
        foreach (ReadOnlySpan<char> line in Stack.AsSpan().EnumerateLines())
        {
            if (frames++ == maxFrames)
                break;
            text.AppendLine().Append(indent).Append("   ").Append(line.Trim());
        }

        return text.ToString();
    }
}
