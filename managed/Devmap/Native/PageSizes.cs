// SPDX-License-Identifier: MIT
using System.Numerics;

namespace Devmap.Native;

/// <summary>The page sizes that the native side takes.</summary>
internal static class PageSizes
{
    private const int Min = 4096;
    private const int Max = 1 << 30;

    public static void Validate(int pageSize, string name)
    {
        if (pageSize is < Min or > Max || !BitOperations.IsPow2(pageSize))
            throw new ArgumentOutOfRangeException(name, pageSize, $"A page size is a power of two from {Min} to {Max} bytes.");
    }
}
