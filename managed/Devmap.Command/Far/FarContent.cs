// SPDX-License-Identifier: MIT
using System.Runtime.InteropServices;

namespace Devmap.CommandLine.Far;

/// <summary>
/// What pages hold: every byte follows from the seed, the page's index and its version, of which 0 is a page of zeros. The
/// first half starts with index and version, for whoever finds them in the wrong place, and goes on with words that don't
/// repeat; the second half is one word, so that a compressor halves the page.
/// </summary>
internal sealed class FarContent(int seed)
{
    private const ulong Step = 0x9E3779B97F4A7C15;

    private readonly ulong _seed = Mix((ulong)seed);

    public void Fill(Span<byte> page, long index, int version)
    {
        if (version == 0)
        {
            page.Clear();
            return;
        }

        Span<ulong> words = MemoryMarshal.Cast<byte, ulong>(page);
        int half = words.Length / 2;
        ulong state = Start(index, version);
        words[half..].Fill(Mix(state));
        words[0] = (ulong)index;
        words[1] = (ulong)version;
        foreach (ref ulong word in words[2..half])
        {
            state += Step;
            word = Mix(state);
        }
    }

    /// <summary>Whether every byte is as <see cref="Fill"/> would write it.</summary>
    public bool Matches(ReadOnlySpan<byte> page, long index, int version)
    {
        if (version == 0)
            return !page.ContainsAnyExcept((byte)0);
        ReadOnlySpan<ulong> words = MemoryMarshal.Cast<byte, ulong>(page);
        int half = words.Length / 2;
        ulong state = Start(index, version);
        if (words[half..].ContainsAnyExcept(Mix(state)))
            return false;
        ulong difference = (words[0] ^ (ulong)index) | (words[1] ^ (ulong)version);
        foreach (ulong word in words[2..half])
        {
            state += Step;
            difference |= word ^ Mix(state);
        }

        return difference == 0;
    }

    private static ulong Mix(ulong value)
    {
        value = (value ^ (value >> 30)) * 0xBF58476D1CE4E5B9;
        value = (value ^ (value >> 27)) * 0x94D049BB133111EB;
        return value ^ (value >> 31);
    }

    private ulong Start(long index, int version) => Mix(Mix(_seed + (ulong)index) + (ulong)version);
}
