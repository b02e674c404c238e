// SPDX-License-Identifier: MIT
using System.Globalization;
using System.Runtime.InteropServices;

namespace Devmap.CommandLine.Far;

/// <summary>A page that did not hold what was written to it.</summary>
/// <param name="Page">Its index.</param>
/// <param name="Version">The version that it should hold; 0 is zeros.</param>
/// <param name="Bytes">Bytes that were wrong; 0 where they were right when they were looked at once more.</param>
/// <param name="Offset">Offset of the first of them in the page.</param>
/// <param name="Expected">What should have been there.</param>
/// <param name="Found">What was.</param>
[StructLayout(LayoutKind.Auto)]
internal readonly record struct FarMismatch(long Page, int Version, int Bytes, int Offset, byte Expected, byte Found)
{
    /// <summary>Compares a page, byte by byte, with what it should hold.</summary>
    /// <param name="page">The page's bytes, which nobody changes.</param>
    /// <param name="expected">What it should hold.</param>
    /// <param name="index">The page's index.</param>
    /// <param name="version">The version that it should hold.</param>
    public static FarMismatch Of(ReadOnlySpan<byte> page, ReadOnlySpan<byte> expected, long index, int version)
    {
        int first = page.CommonPrefixLength(expected);
        if (first == page.Length)
            return new FarMismatch(index, version, 0, 0, 0, 0);
        int bytes = 0;
        for (int i = first; i < page.Length; i++)
            bytes += page[i] == expected[i] ? 0 : 1;
        return new FarMismatch(index, version, bytes, first, expected[first], page[first]);
    }

    public override string ToString() => string.Create(
        CultureInfo.InvariantCulture,
        $"page {Page}, version {Version}: {(Bytes == 0 ? "wrong at first, right when it was looked at once more" : $"{Bytes} wrong bytes, the first at offset {Offset}, 0x{Found:x2} for 0x{Expected:x2}")}");
}
