// SPDX-License-Identifier: MIT
using System.Runtime.InteropServices;

namespace Devmap;

/// <summary>A page that was in use when somebody wanted it idle.</summary>
/// <param name="Index">The page's index in its map.</param>
/// <param name="Count">Its count as the kernel tells it: 2 is one user, 1 a callback that still runs.</param>
[StructLayout(LayoutKind.Auto)]
public readonly record struct BusyPage(long Index, int Count);
