// SPDX-License-Identifier: MIT
using Devmap.Native;

namespace Devmap;

public static unsafe partial class DevmapDiagnostics
{
    /// <summary>
    /// Reads the library's state: one native reading, in which each map's numbers are of one moment of that map. It touches no
    /// page unless the options ask for that, so its time is about a microsecond a map, however many pages are in use. Where
    /// references are followed it goes through all of them, however few are read, unless
    /// <see cref="SnapshotOptions.HolderLimit"/> is 0.
    /// </summary>
    /// <param name="options">What to read beside the counters and the maps; by default up to 256 references that are followed.</param>
    /// <exception cref="ArgumentOutOfRangeException">A limit is negative, or beyond its most.</exception>
    /// <exception cref="DevmapLoadException">The native library could not be loaded.</exception>
    public static DevmapSnapshot Capture(SnapshotOptions? options = null)
    {
        options ??= new SnapshotOptions();
        const string name = nameof(options);
        if (options.HeatMapCells is < 0 or > SnapshotOptions.MaxHeatMapCells)
            throw new ArgumentOutOfRangeException(name, options.HeatMapCells, $"{nameof(options.HeatMapCells)} is not from 0 to {SnapshotOptions.MaxHeatMapCells}.");
        if (options.HolderLimit is < 0)
            throw new ArgumentOutOfRangeException(name, options.HolderLimit, $"{nameof(options.HolderLimit)} is negative.");
        if (options.BusyPageLimit is < 0)
            throw new ArgumentOutOfRangeException(name, options.BusyPageLimit, $"{nameof(options.BusyPageLimit)} is negative.");
        DevmapLibrary.EnsureLoaded();
        return SnapshotReader.Read(options);
    }

    /// <summary>
    /// Takes a snapshot with heat maps and pages in use, and writes it as one HTML page that needs no network: see
    /// <see cref="WriteHtml(string, IReadOnlyList{DevmapSnapshot})"/>.
    /// </summary>
    /// <param name="path">The file.</param>
    /// <param name="options">What to read; by default <see cref="SnapshotOptions.ForReport"/>.</param>
    /// <exception cref="ArgumentException">The path is empty.</exception>
    /// <exception cref="ArgumentOutOfRangeException">As <see cref="Capture"/>.</exception>
    /// <exception cref="DirectoryNotFoundException">There is no such directory.</exception>
    /// <exception cref="UnauthorizedAccessException">Access is denied, or the path is a directory.</exception>
    /// <exception cref="IOException">The system failed to write, or the path is a device.</exception>
    /// <exception cref="DevmapLoadException">The native library could not be loaded.</exception>
    public static void WriteHtml(string path, SnapshotOptions? options = null)
    {
        ArgumentException.ThrowIfNullOrEmpty(path);
        WriteHtml(path, [Capture(options ?? SnapshotOptions.ForReport)]);
    }

    /// <summary>Writes a snapshot as one HTML page; see <see cref="WriteHtml(string, IReadOnlyList{DevmapSnapshot})"/>.</summary>
    /// <param name="path">The file.</param>
    /// <param name="snapshot">The snapshot.</param>
    /// <exception cref="ArgumentException">The path is empty.</exception>
    /// <exception cref="DirectoryNotFoundException">There is no such directory.</exception>
    /// <exception cref="UnauthorizedAccessException">Access is denied, or the path is a directory.</exception>
    /// <exception cref="IOException">The system failed to write, or the path is a device.</exception>
    public static void WriteHtml(string path, DevmapSnapshot snapshot)
    {
        ArgumentNullException.ThrowIfNull(snapshot);
        WriteHtml(path, [snapshot]);
    }

    /// <summary>
    /// Writes snapshots of one process as one HTML page, which needs no network, and opens at the last of them in which pages
    /// are in use. The file is whole or not there: what was there is replaced at the end, by what no others may read. A link is
    /// followed.
    /// </summary>
    /// <param name="path">The file.</param>
    /// <param name="snapshots">The snapshots, oldest first; at least one.</param>
    /// <exception cref="ArgumentException">The path is empty, or there is no snapshot.</exception>
    /// <exception cref="DirectoryNotFoundException">There is no such directory.</exception>
    /// <exception cref="UnauthorizedAccessException">Access is denied, or the path is a directory.</exception>
    /// <exception cref="IOException">The system failed to write, or the path is a device.</exception>
    public static void WriteHtml(string path, IReadOnlyList<DevmapSnapshot> snapshots)
    {
        ArgumentException.ThrowIfNullOrEmpty(path);
        ArgumentNullException.ThrowIfNull(snapshots);
        if (snapshots.Count == 0 || snapshots.Contains(null!))
            throw new ArgumentException("A page needs a snapshot, and each to be one.", nameof(snapshots));
        WholeFile.Write(path, stream => ReportPage.Write(stream, snapshots));
    }
}
