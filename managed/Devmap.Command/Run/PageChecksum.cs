// SPDX-License-Identifier: MIT
using System.Numerics;
using System.Runtime.InteropServices;

namespace Devmap.CommandLine.Run;

/// <summary>
/// The checksum of a page: four interleaved chains over its words, seeded with its index, so that a page in the wrong
/// place is a wrong page. The native reader has the same function.
/// </summary>
internal static class PageChecksum
{
    private const ulong Prime = 0x9E3779B185EBCA87;

    /// <summary>Never 0, which stands for a page that is not written.</summary>
    /// <param name="page">A multiple of 32 bytes.</param>
    /// <param name="index">The page's index in its file.</param>
    public static ulong Compute(ReadOnlySpan<byte> page, long index)
    {
        ReadOnlySpan<ulong> words = MemoryMarshal.Cast<byte, ulong>(page);
        ulong seed = (ulong)index;
        ulong a = seed + Prime;
        ulong b = unchecked(seed + (2 * Prime));
        ulong c = unchecked(seed + (3 * Prime));
        ulong d = unchecked(seed + (4 * Prime));
        for (; words.Length >= 4; words = words[4..])
        {
            a = Step(a, words[0]);
            b = Step(b, words[1]);
            c = Step(c, words[2]);
            d = Step(d, words[3]);
        }

        ulong sum = Step(Step(Step(Step(seed, a), b), c), d);
        return sum == 0 ? 1 : sum;
    }

    private static ulong Step(ulong sum, ulong word) => BitOperations.RotateLeft((sum ^ word) * Prime, 31);
}
