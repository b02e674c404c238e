// SPDX-License-Identifier: MIT
using System.Runtime.InteropServices;

namespace Devmap.CommandLine.Run;

/// <summary>
/// Pages that never repeat: each starts with its index and the number of the filling, for whoever looks at the file, and
/// goes on with words made of both.
/// </summary>
internal sealed class GeneratedContent(int seed) : IPageContent
{
    private ulong _fillings;

    public void Fill(Span<byte> pages, long firstPage, int pageSize)
    {
        _fillings++;
        for (long page = firstPage; !pages.IsEmpty; page++, pages = pages[pageSize..])
            FillPage(MemoryMarshal.Cast<byte, ulong>(pages[..pageSize]), (ulong)page);
    }

    public void Dispose()
    {
    }

    private static ulong Mix(ulong value)
    {
        value = (value ^ (value >> 30)) * 0xBF58476D1CE4E5B9;
        value = (value ^ (value >> 27)) * 0x94D049BB133111EB;
        return value ^ (value >> 31);
    }

    private void FillPage(Span<ulong> words, ulong page)
    {
        words[0] = page;
        words[1] = _fillings;
        ulong state = Mix(Mix(Mix((ulong)seed) + page) + _fillings);
        foreach (ref ulong word in words[2..])
        {
            state += 0x9E3779B97F4A7C15;
            word = Mix(state);
        }
    }
}
