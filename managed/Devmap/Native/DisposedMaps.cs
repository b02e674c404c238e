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

    // How long Reclaim waits for finalizers, which may be other people's and wait for what its caller holds.
    private static readonly TimeSpan s_patience = TimeSpan.FromSeconds(1);

    private const int SmallStack = 64 * 1024;

    private static long s_waiting;

    /// <summary>Tells the collector of a handle that waits for its finalizer.</summary>
    public static void Add()
    {
        Interlocked.Increment(ref s_waiting);
        GC.AddMemoryPressure(HandleBytes);
    }

    /// <summary>The handle was freed.</summary>
    public static void Remove()
    {
        Interlocked.Decrement(ref s_waiting);
        GC.RemoveMemoryPressure(HandleBytes);
    }

    /// <summary>
    /// Frees what disposed maps that nobody knows any more have left, as far as their finalizers run within a second.
    /// </summary>
    public static void Reclaim()
    {
        // None waits: a moment ago one may have.
        if (Interlocked.Read(ref s_waiting) == 0)
            return;
        GC.Collect();
        var finalizers = new Thread(GC.WaitForPendingFinalizers, SmallStack) { IsBackground = true, Name = "devmap reclaim" };
        try
        {
            finalizers.Start();
            finalizers.Join(s_patience);
        }
        catch (OutOfMemoryException)
        {
            // No address space for the thread either: the finalizers run all the same, unwatched.
            Thread.Sleep(s_patience);
        }
    }
}
