// SPDX-License-Identifier: MIT
namespace Devmap.CommandLine.Far;

/// <summary>Where data lie while they are not in memory.</summary>
internal enum FarStoreKind
{
    /// <summary>In a file.</summary>
    File,

    /// <summary>In memory, compressed.</summary>
    Lz4,

    /// <summary>In memory, as they are.</summary>
    Plain,
}
