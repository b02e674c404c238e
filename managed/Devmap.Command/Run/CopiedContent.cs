// SPDX-License-Identifier: MIT
using Microsoft.Win32.SafeHandles;

namespace Devmap.CommandLine.Run;

/// <summary>The bytes of a file that is only read, and zeros after its end.</summary>
internal sealed class CopiedContent : IPageContent
{
    private readonly SafeFileHandle _original;

    public CopiedContent(string path)
    {
        _original = File.OpenHandle(path, FileMode.Open, FileAccess.Read, FileShare.ReadWrite | FileShare.Delete);
    }

    public void Fill(Span<byte> pages, long firstPage, int pageSize)
    {
        long offset = firstPage * pageSize;
        while (!pages.IsEmpty)
        {
            int read = RandomAccess.Read(_original, pages, offset);
            if (read == 0)
                break;
            pages = pages[read..];
            offset += read;
        }

        pages.Clear();
    }

    public void Dispose() => _original.Dispose();
}
