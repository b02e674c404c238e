// SPDX-License-Identifier: MIT
namespace Devmap;

/// <summary>How the native library was found, or why it was not. Reading it never throws.</summary>
public sealed record DevmapLoadReport
{
    /// <summary>Whether the library is loaded and is the one this assembly was built for.</summary>
    public required bool IsLoaded { get; init; }

    /// <summary>Why it is not, as <see cref="DevmapLoadException"/> says it.</summary>
    public string? Error { get; init; }

    /// <summary>The places that were tried, in order, with what came of each.</summary>
    public required IReadOnlyList<string> Attempts { get; init; }

    /// <summary>The runtime identifier that was looked for.</summary>
    public required string RuntimeIdentifier { get; init; }

    /// <summary>The version of the binary interface that this assembly needs.</summary>
    public required int ExpectedAbiVersion { get; init; }

    /// <summary>The version of the binary interface of the library that was found.</summary>
    public long? AbiVersion { get; init; }

    /// <summary>The library's version, "major.minor.patch".</summary>
    public string? Version { get; init; }

    /// <summary>What the library was built with.</summary>
    public string? Features { get; init; }
}
