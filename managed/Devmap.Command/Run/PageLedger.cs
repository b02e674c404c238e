// SPDX-License-Identifier: MIT
using System.Runtime.InteropServices;

namespace Devmap.CommandLine.Run;

/// <summary>
/// What each page of the file must hold: its checksum, or 0 while it is not written. The native reader reads it too.
/// </summary>
/// <remarks>
/// The truncator publishes a checksum after it wrote the page, and withdraws it after a truncation took the page away and
/// before the file grows over it again. So whoever leases a page and then finds a checksum here must find the page to
/// match, for as long as the lease is held: no truncation of that page ends before it.
/// </remarks>
internal sealed unsafe class PageLedger(long pages) : IDisposable
{
    private ulong* _checksums = (ulong*)NativeMemory.AllocZeroed((nuint)pages, sizeof(ulong));

    public nint Address => (nint)_checksums;

    public long Pages => pages;

    public ulong this[long page]
    {
        get => Volatile.Read(ref _checksums[page]);
        set => Volatile.Write(ref _checksums[page], value);
    }

    public void Dispose()
    {
        NativeMemory.Free(_checksums);
        _checksums = null;
    }
}
