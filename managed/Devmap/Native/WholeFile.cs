// SPDX-License-Identifier: MIT
namespace Devmap.Native;

/// <summary>Writes files that are whole or not there: into a file beside, which takes the name at the end.</summary>
internal static class WholeFile
{
    /// <exception cref="UnauthorizedAccessException">Access is denied, or the path is a directory.</exception>
    /// <exception cref="IOException">The system failed to write, or the path is a device.</exception>
    public static void Write(string path, Action<Stream> write)
    {
        ArgumentException.ThrowIfNullOrEmpty(path);
        string full = TargetOf(path);
        string beside = $"{full}.{Guid.NewGuid():N}.tmp";
        FileStream stream = Create(beside, full, path);
        try
        {
            using (stream)
                write(stream);
            Replace(beside, full, path);
        }
        catch
        {
            File.Delete(beside);
            throw;
        }
    }

    /// <summary>The file that a path names, which of a link is what it leads to: the link stays.</summary>
    private static string TargetOf(string path)
    {
        string full = Path.GetFullPath(path);
        if (Directory.Exists(full))
            throw new UnauthorizedAccessException($"'{path}' is a directory.");
        var file = new FileInfo(full);
        if (file.LinkTarget is not null)
            full = file.ResolveLinkTarget(returnFinalTarget: true)!.FullName;

        // A device's name would be taken from it for the whole system, by who may.
        bool isDevice = full.StartsWith("/dev/", StringComparison.Ordinal) && !full.StartsWith("/dev/shm/", StringComparison.Ordinal);
        if (isDevice || full.StartsWith("/proc/", StringComparison.Ordinal))
            throw new IOException($"'{path}' cannot be written: it is a device, whose place no file takes.");
        return full;
    }

    /// <summary>Errors name the file that was asked for, and not the one beside it. Who could not read what was there cannot read this.</summary>
    private static FileStream Create(string beside, string full, string path)
    {
        try
        {
            var options = new FileStreamOptions { Mode = FileMode.CreateNew, Access = FileAccess.Write };
            if (!OperatingSystem.IsWindows() && File.Exists(full))
                options.UnixCreateMode = File.GetUnixFileMode(full);
            return new FileStream(beside, options);
        }
        catch (DirectoryNotFoundException exception)
        {
            throw new DirectoryNotFoundException($"There is no directory for '{path}'.", exception);
        }
        catch (UnauthorizedAccessException exception)
        {
            throw new UnauthorizedAccessException($"Access to '{path}' is denied: no file can be made beside it.", exception);
        }
        catch (IOException exception)
        {
            throw new IOException($"'{path}' cannot be written: {exception.Message.Replace(beside, path, StringComparison.Ordinal)}", exception);
        }
    }

    private static void Replace(string beside, string full, string path)
    {
        try
        {
            File.Move(beside, full, overwrite: true);
        }
        catch (UnauthorizedAccessException exception)
        {
            throw new UnauthorizedAccessException($"Access to '{path}' is denied: it cannot be replaced.", exception);
        }
    }
}
