// SPDX-License-Identifier: MIT
namespace Devmap.CommandLine.Run;

/// <summary>Where a run stands.</summary>
internal sealed record RunSnapshot
{
    /// <summary>Since the file was filled; zero before.</summary>
    public required TimeSpan Elapsed { get; init; }

    /// <summary>Bytes in the file now.</summary>
    public required long Length { get; init; }

    public required ReaderCounts Managed { get; init; }

    public required ReaderCounts Native { get; init; }

    public required long BytesVerified { get; init; }

    public required long IdleCallbacks { get; init; }

    public required long Truncations { get; init; }

    public required long Growths { get; init; }
}
