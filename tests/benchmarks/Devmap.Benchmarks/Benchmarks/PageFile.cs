// SPDX-License-Identifier: MIT
using System.IO.MemoryMappedFiles;

namespace Devmap.Benchmarks;

/// <summary>A file of eight pages, mapped by .NET, a view for each, or by Devmap.</summary>
internal sealed class PageFile : IDisposable
{
    public const int Pages = 8;
    public const int PageSize = 4096;

    private readonly string _path = Path.Combine(Path.GetTempPath(), Path.GetRandomFileName());
    private readonly MemoryMappedFile _file;

    public PageFile()
    {
        File.WriteAllBytes(_path, new byte[Pages * PageSize]);
        _file = MemoryMappedFile.CreateFromFile(_path, FileMode.Open);
        Views = [.. Enumerable.Range(0, Pages).Select(i => _file.CreateViewAccessor(i * PageSize, PageSize))];
        Dax = DaxFile.Open(_path);
    }

    public MemoryMappedViewAccessor[] Views { get; }

    public DaxFile Dax { get; }

    public void Dispose()
    {
        Dax.Dispose();
        foreach (MemoryMappedViewAccessor view in Views)
            view.Dispose();
        _file.Dispose();
        File.Delete(_path);
    }
}
