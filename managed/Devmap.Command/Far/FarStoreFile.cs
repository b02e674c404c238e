// SPDX-License-Identifier: MIT
namespace Devmap.CommandLine.Far;

/// <summary>The file of a store. Its name is removed as soon as the store has it open, so that it is gone however the program ends.</summary>
/// <param name="Path">Where.</param>
/// <param name="IsInMemory">Whether its file system is memory.</param>
/// <param name="Description">What it is, for people.</param>
internal sealed record FarStoreFile(string Path, bool IsInMemory, string Description)
{
    /// <summary>Where temporary files go that are too large for a directory in memory.</summary>
    private const string LargeFiles = "/var/tmp";

    /// <summary>Finds a place for the file that a job asks for. It makes nothing.</summary>
    /// <exception cref="IOException">There is a file that holds data, or no space.</exception>
    public static FarStoreFile Find(FarSettings settings)
    {
        if (settings.Path is not { } path)
        {
            string directory = System.IO.Path.GetTempPath();
            if (IsMemory(directory) && Directory.Exists(LargeFiles))
                directory = LargeFiles;
            ThrowIfTooSmall(directory, settings.Length);
            return Create(System.IO.Path.Combine(directory, $".devmap-far-{Guid.NewGuid():N}"), $"a new file in {directory}");
        }

        // Through links to what they name: a link is not what the data would be in.
        var given = new FileInfo(path);
        if (given.LinkTarget is not null)
            given = (FileInfo)given.ResolveLinkTarget(returnFinalTarget: true)!;
        long length = given.Exists ? given.Length : 0;
        if (length > 0 && !settings.Overwrites)
            throw new IOException($"'{path}' holds data, which would be lost with the file (see --overwrite).");
        ThrowIfTooSmall(given.DirectoryName!, settings.Length - length);
        return Create(given.FullName, $"'{given.FullName}'");
    }

    private static FarStoreFile Create(string path, string description)
    {
        bool isInMemory = IsMemory(System.IO.Path.GetDirectoryName(path)!);
        return new FarStoreFile(path, isInMemory, $"{description} (gone at the end{(isInMemory ? "; its file system is memory" : null)})");
    }

    private static bool IsMemory(string directory) =>
        Directory.Exists(directory) && new DriveInfo(directory).DriveFormat is "tmpfs" or "ramfs";

    private static void ThrowIfTooSmall(string directory, long size)
    {
        if (!Directory.Exists(directory))
            return;
        long free = new DriveInfo(directory).AvailableFreeSpace;
        if (size > free)
            throw new IOException($"'{directory}' has {new ByteSize(free)} free; the store needs {new ByteSize(size)} there (see --size and --path).");
    }
}
