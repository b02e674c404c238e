// SPDX-License-Identifier: MIT
using Devmap.Interop;

namespace Devmap.Native;

/// <summary>The file of a map. Its handle owns the map's.</summary>
internal sealed unsafe class FileBacking(devmap_dax_file* file, string path, bool isReadOnly) : MapBacking
{
    private readonly devmap_dax_file* _file = file;

    public override string Name => "file";

    public override string? Path => path;

    public override bool GuardsReading => isReadOnly;

    public override int Unmap(devmap_pagemap* map, long timeoutNanoseconds, devmap_busy_report* report) =>
        NativeMethods.devmap_dax_file_close(_file, timeoutNanoseconds, null, report);

    public override void Free(devmap_pagemap* map) => _ = NativeMethods.devmap_dax_file_free(_file);

    public override int GetPages(DevicePageMap map, long firstPage, long pageCount, devmap_page** page) =>
        throw new InvalidOperationException($"Pages of {map} may lie beyond the file's end: lease them by offset, from their {nameof(DaxFile)}.");

    public override (long Length, bool IsWritable) InCallback(DevicePageMap map, long offset) =>
        (Math.Min(map.PageSize, (long)NativeMethods.devmap_dax_file_length(_file) - offset), false);
}
