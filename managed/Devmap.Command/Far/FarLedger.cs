// SPDX-License-Identifier: MIT
using System.Runtime.InteropServices;

namespace Devmap.CommandLine.Far;

/// <summary>
/// Which version of its content each page holds, and who is at it: a page is one thread's at a time. In ordinary memory, so
/// that it is right whatever becomes of the far memory, and four bytes a page.
/// </summary>
internal sealed unsafe class FarLedger(long pages) : IDisposable
{
    /// <summary>Of a page's word: a thread is at the page.</summary>
    private const int Taken = int.MinValue;

    private int* _words = (int*)NativeMemory.AllocZeroed((nuint)pages, sizeof(int));

    public long Pages => pages;

    /// <summary>The version that comes after another one; never 0.</summary>
    public static int Next(int version) => version == int.MaxValue ? 1 : version + 1;

    /// <summary>Makes a page the caller's, or answers false where it is somebody's: nobody waits.</summary>
    public bool TryTake(long page, out int version)
    {
        version = Volatile.Read(ref _words[page]);
        return (version & Taken) == 0 && Interlocked.CompareExchange(ref _words[page], version | Taken, version) == version;
    }

    /// <summary>Gives a page back, with the version that it holds now.</summary>
    public void Give(long page, int version) => Volatile.Write(ref _words[page], version);

    public void Dispose()
    {
        NativeMemory.Free(_words);
        _words = null;
    }
}
