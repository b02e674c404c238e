// SPDX-License-Identifier: MIT
namespace Devmap;

/// <summary>How <see cref="FarStore.File"/> keeps its file.</summary>
public sealed class FarStoreFileOptions
{
    /// <summary>
    /// Whether to go through the system's page cache. False unless set: then the file is read and written past it (O_DIRECT)
    /// where its file system can, so that what is evicted does not take memory again.
    /// </summary>
    public bool Cached { get; init; }

    /// <summary>
    /// Whether to remove the file's name as soon as it is open, so that nothing of it is left when the far memory is
    /// disposed, or the process ends, however it ends. True unless set.
    /// </summary>
    public bool DeleteOnClose { get; init; } = true;
}
