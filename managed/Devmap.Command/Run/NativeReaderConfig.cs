// SPDX-License-Identifier: MIT
using System.Runtime.InteropServices;

namespace Devmap.CommandLine.Run;

/// <summary><c>struct devmap_reader_config</c>.</summary>
[StructLayout(LayoutKind.Sequential)]
internal struct NativeReaderConfig
{
    public nint File;
    public nint Checksums;
    public ulong PageSize;
    public ulong MaxPages;
    public ulong Seed;
}
