// SPDX-License-Identifier: MIT
using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;
using Devmap.Interop;

namespace Devmap.Native;

/// <summary>Whether references are followed anywhere: the native <c>devmap_track_key</c>, read without a call.</summary>
internal static unsafe class TrackKey
{
    private const uint TrackedUsers = 1u << 27;

    private static readonly int* s_enabled = Find();

    public static bool IsEnabled
    {
        [MethodImpl(MethodImplOptions.AggressiveInlining)]
        get => Volatile.Read(ref *s_enabled) > 0;
    }

    /// <summary>Whether references on a page, which the caller holds one on, are followed.</summary>
    public static bool IsFollowed(devmap_page* page) =>
        unchecked((uint)Volatile.Read(ref *(int*)page) - (uint)NativeMethods.DEVMAP_REFCOUNT_TRACKED + TrackedUsers) < 2 * TrackedUsers;

    /// <summary>Whether those on any of some adjacent pages are.</summary>
    public static bool IsFollowed(devmap_page* pages, int pageCount)
    {
        for (int i = 0; i < pageCount; i++)
        {
            if (IsFollowed(&pages[i]))
                return true;
        }

        return false;
    }

    /// <summary>Its address, or that of a key that is always off.</summary>
    private static int* Find()
    {
        nint address = DevmapLibrary.AddressOf("devmap_track_key");
        return address != 0 ? (int*)address : (int*)NativeMemory.AllocZeroed(sizeof(int));
    }
}
