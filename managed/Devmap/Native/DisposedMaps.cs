// SPDX-License-Identifier: MIT
namespace Devmap.Native;

/// <summary>
/// What disposed maps leave until their objects are finalized: a handle that answers late callers, and the addresses of
/// their pages' metadata.
/// </summary>
internal static class DisposedMaps
{
    // Bytes of a handle, roughly. Of the addresses the collector need not know: they run out only where there are very
    // many, or very large ones, and then Reclaim frees them.
    private const long HandleBytes = 4096;

    /// <summary>Tells the collector of a handle that waits for its finalizer.</summary>
    public static void Add() => GC.AddMemoryPressure(HandleBytes);

    /// <summary>The handle was freed.</summary>
    public static void Remove() => GC.RemoveMemoryPressure(HandleBytes);

    /// <summary>Frees what the disposed maps that nobody knows any more have left, for one more attempt.</summary>
    public static void Reclaim()
    {
        GC.Collect();
        GC.WaitForPendingFinalizers();
    }
}
