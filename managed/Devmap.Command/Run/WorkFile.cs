// SPDX-License-Identifier: MIT
using Microsoft.Win32.SafeHandles;

namespace Devmap.CommandLine.Run;

/// <summary>
/// The file that a run truncates, claimed: a generated one, a copy of a given one that holds data, or a given one that
/// holds none. The first two are deleted as soon as they are open, so that they are gone however the program ends.
/// </summary>
internal sealed class WorkFile : IAsyncDisposable
{
    private readonly SafeFileHandle _ordinary;
    private readonly Action? _undo;

    private WorkFile(DaxFile file, SafeFileHandle ordinary, IPageContent content, long size, string description, Action? undo = null)
    {
        _undo = undo;
        File = file;
        _ordinary = ordinary;
        Content = content;
        Size = size;
        Description = $"{description}, {new ByteSize(size)} in pages of {new ByteSize(file.Map.PageSize)}{(file.IsDax ? ", on persistent memory" : null)}";
    }

    public DaxFile File { get; }

    public IPageContent Content { get; }

    /// <summary>Bytes to work on, whole pages.</summary>
    public long Size { get; }

    public string Description { get; }

    /// <summary>Whether a given file may stay as the run left it. Until then it is put back to what it was: empty, or missing.</summary>
    public bool IsDone { get; set; }

    /// <summary>Bytes in the file as the file system tells it.</summary>
    public long OrdinaryLength => RandomAccess.GetLength(_ordinary);

    public static WorkFile Open(RunSettings settings, PageDriver driver)
    {
        if (settings.File is not { } path)
        {
            var content = new GeneratedContent(settings.Seed);
            return OpenScratch(Path.GetTempPath(), settings.Size, content, settings, driver, $"a generated file in {Path.GetTempPath()} (deleted at the end)");
        }

        // Through links to what they name: a link's own length is no file's.
        var given = new FileInfo(path);
        if (given.LinkTarget is not null)
            given = (FileInfo)given.ResolveLinkTarget(returnFinalTarget: true)!;
        return given is { Exists: true, Length: > 0 } ? OpenCopy(given, settings, driver) : OpenGiven(given, settings, driver);
    }

    /// <summary>Reads a page by ordinary input, past the map.</summary>
    public void ReadOrdinary(Span<byte> page, long offset)
    {
        while (!page.IsEmpty)
        {
            int read = RandomAccess.Read(_ordinary, page, offset);
            if (read == 0)
                break;
            page = page[read..];
            offset += read;
        }

        page.Clear();
    }

    public async ValueTask DisposeAsync()
    {
        _ordinary.Dispose();
        Content.Dispose();
        await File.DisposeAsync().ConfigureAwait(false);
        if (!IsDone)
            _undo?.Invoke();
    }

    private static WorkFile OpenCopy(FileInfo given, RunSettings settings, PageDriver driver)
    {
        long size = Math.Min(given.Length, settings.Size);
        string part = size < given.Length ? $"the first {new ByteSize(size)} of " : string.Empty;
        var content = new CopiedContent(given.FullName);
        try
        {
            return OpenScratch(given.DirectoryName!, size, content, settings, driver, $"a copy of {part}'{given}' (which stays as it is)");
        }
        catch (UnauthorizedAccessException exception)
        {
            throw new UnauthorizedAccessException($"'{given}' holds data, so the run needs a copy beside it: {exception.Message}", exception);
        }
    }

    private static WorkFile OpenScratch(
        string directory, long bytes, IPageContent content, RunSettings settings, PageDriver driver, string description)
    {
        string path = Path.Combine(directory, $".devmap-run-{Guid.NewGuid():N}");
        SafeFileHandle? ordinary = null;
        try
        {
            // What it is a copy of may be for its owner's eyes only.
            using (new FileStream(path, new FileStreamOptions { Mode = FileMode.CreateNew, Access = FileAccess.Write, UnixCreateMode = UnixFileMode.UserRead | UnixFileMode.UserWrite }))
            {
            }

            try
            {
                ordinary = OpenOrdinary(path);
                DaxFile file = OpenDax(path, bytes, settings, driver, out long size);
                return new WorkFile(file, ordinary, content, size, description);
            }
            finally
            {
                System.IO.File.Delete(path);
            }
        }
        catch
        {
            ordinary?.Dispose();
            content.Dispose();
            throw;
        }
    }

    private static WorkFile OpenGiven(FileInfo given, RunSettings settings, PageDriver driver)
    {
        bool isNew = !given.Exists;
        DaxFile file = OpenDax(given.FullName, settings.Size, settings, driver, out long size);
        try
        {
            // Claimed by now: a program that uses this library fills it no more.
            if (file.Length != 0)
                throw new IOException($"'{given}' was empty, and somebody fills it now.");
            return new WorkFile(
                file,
                OpenOrdinary(given.FullName),
                new GeneratedContent(settings.Seed),
                size,
                $"'{given}', which is filled and stays",
                () => Empty(given, isNew));
        }
        catch
        {
            file.Dispose();
            throw;
        }
    }

    private static void Empty(FileInfo given, bool isNew)
    {
        if (isNew)
            given.Delete();
        else
            System.IO.File.WriteAllBytes(given.FullName, []);
    }

    private static DaxFile OpenDax(string path, long bytes, RunSettings settings, PageDriver driver, out long size)
    {
        long pages = ((bytes - 1) / settings.PageSize) + 1;
        size = pages * settings.PageSize;
        ThrowIfTooLarge(path, size);
        return DaxFile.Open(path, new DaxFileOptions
        {
            Access = FileAccess.ReadWrite,
            Mode = FileMode.OpenOrCreate,
            Capacity = size,
            PageSize = settings.PageSize,
            Driver = driver,
        });
    }

    /// <summary>Filling a disk to find out that it is too small would not be kind to its other users.</summary>
    private static void ThrowIfTooLarge(string path, long size)
    {
        string directory = Path.GetDirectoryName(Path.GetFullPath(path))!;
        if (!Directory.Exists(directory))
            return;
        long free = new DriveInfo(directory).AvailableFreeSpace;
        if (size > free)
            throw new IOException($"'{directory}' has {new ByteSize(free)} free; the run needs {new ByteSize(size)} there (see --size).");
    }

    private static SafeFileHandle OpenOrdinary(string path) =>
        System.IO.File.OpenHandle(path, FileMode.Open, FileAccess.Read, FileShare.ReadWrite | FileShare.Delete);
}
