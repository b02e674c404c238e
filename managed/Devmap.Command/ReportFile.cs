// SPDX-License-Identifier: MIT
namespace Devmap.CommandLine;

/// <summary>The file that a report goes to.</summary>
internal static class ReportFile
{
    /// <summary>Finds out before a long job that its report could not be written after it. What is there stays.</summary>
    /// <param name="path">The file.</param>
    /// <exception cref="DirectoryNotFoundException">There is no such directory.</exception>
    /// <exception cref="UnauthorizedAccessException">Access is denied, or the path is a directory.</exception>
    /// <exception cref="IOException">The system failed to write.</exception>
    public static void ThrowIfUnwritable(string path)
    {
        string full = Path.GetFullPath(path);
        if (Directory.Exists(full))
            throw new UnauthorizedAccessException($"The report's path '{path}' is a directory.");
        string directory = Path.GetDirectoryName(full)!;
        if (!Directory.Exists(directory))
            throw new DirectoryNotFoundException($"There is no directory '{directory}' for the report.");
        try
        {
            // The report is made beside its place, and then takes it.
            using var probe = new FileStream($"{full}.{Guid.NewGuid():N}.tmp", new FileStreamOptions { Mode = FileMode.CreateNew, Access = FileAccess.Write, Options = FileOptions.DeleteOnClose });
        }
        catch (UnauthorizedAccessException exception)
        {
            throw new UnauthorizedAccessException($"The report cannot be written to '{directory}': access is denied.", exception);
        }
        catch (IOException exception)
        {
            throw new IOException($"The report cannot be written to '{directory}': {exception.Message}", exception);
        }
    }
}
