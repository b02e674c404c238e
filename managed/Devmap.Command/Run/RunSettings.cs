// SPDX-License-Identifier: MIT
namespace Devmap.CommandLine.Run;

/// <summary>What <c>devmap run</c> was asked for.</summary>
internal sealed record RunSettings
{
    /// <summary>The file to run on; null for one that is generated.</summary>
    public string? File { get; init; }

    public int Readers { get; init; } = 4;

    /// <summary>How long to read and truncate, counted from when the file is filled.</summary>
    public TimeSpan Duration { get; init; } = TimeSpan.FromSeconds(10);

    /// <summary>Bytes to work on: of a generated file all, of a given one the most.</summary>
    public long Size { get; init; } = 64 << 20;

    public int PageSize { get; init; } = 4096;

    /// <summary>The file to write a report of snapshots to, or null for none.</summary>
    public string? Report { get; init; }

    /// <summary>What the generated contents and every random choice come from.</summary>
    public int Seed { get; init; } = Random.Shared.Next(1, int.MaxValue);
}
