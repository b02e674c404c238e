// SPDX-License-Identifier: MIT
namespace Devmap.CommandLine.Run;

/// <summary>How much is leased at once.</summary>
internal static class ReadSizes
{
    private const int MaxBytes = 256 << 10;

    /// <summary>The most pages in a lease: as many as are good for holding up a truncation now and then, and at least one.</summary>
    public static int MaxPages(int pageSize) => Math.Max(1, MaxBytes / pageSize);
}
