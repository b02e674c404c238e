// SPDX-License-Identifier: MIT
using System.Runtime.InteropServices;

namespace Devmap.CommandLine.Run;

/// <summary>
/// libdevmap_reader.so, the native half of the job. It needs libdevmap, and has no path of its own to it: the library loads
/// that one first, and this finds it by its name.
/// </summary>
internal static unsafe partial class NativeReaderLibrary
{
    private const string Name = "devmap_reader";

    static NativeReaderLibrary()
    {
        NativeLibrary.SetDllImportResolver(typeof(NativeReaderLibrary).Assembly, static (name, _, _) =>
            string.Equals(name, Name, StringComparison.Ordinal) ? Load() : 0);
    }

    [LibraryImport(Name)]
    public static partial int devmap_reader_start(NativeReaderConfig* config, nint* reader);

    [LibraryImport(Name)]
    public static partial void devmap_reader_read(nint reader, ReaderCounts* counts);

    [LibraryImport(Name)]
    public static partial void devmap_reader_stop(nint reader, ReaderCounts* counts);

    [LibraryImport(Name)]
    public static partial ulong devmap_reader_checksum(byte* page, ulong pageSize, ulong index);

    private static nint Load()
    {
        DevmapLoadReport report = DevmapDiagnostics.LoadReport;
        if (!report.IsLoaded)
            throw new DevmapLoadException(report.Error!);
        string path = Path.Combine(AppContext.BaseDirectory, "runtimes", report.RuntimeIdentifier, "native", "libdevmap_reader.so");
        try
        {
            return NativeLibrary.Load(path);
        }
        catch (DllNotFoundException exception)
        {
            throw new DevmapLoadException($"The native half of the command could not be loaded: {exception.Message}", exception);
        }
    }
}
