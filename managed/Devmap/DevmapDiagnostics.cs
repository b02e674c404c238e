// SPDX-License-Identifier: MIT
using Devmap.Interop;
using Devmap.Native;
using Devmap.Telemetry;

namespace Devmap;

/// <summary>What the library counts, the faults it meets, and how it was loaded. All members may be called from any thread.</summary>
public static unsafe partial class DevmapDiagnostics
{
    private static int s_printedKinds;
    private static int s_printedListener;

    /// <summary>
    /// Raised for each fault, managed or native, on the thread that met it, possibly inside a lease's dispose. Listeners
    /// return soon and don't wait for pages. Without one, the first of each kind is printed to stderr. What they throw
    /// is counted in <see cref="ListenerExceptions"/>, and the first of it printed.
    /// </summary>
    public static event EventHandler<DevmapFaultEventArgs>? Fault;

    /// <summary>How many exceptions left a listener of <see cref="Fault"/>, or the logger of <see cref="UseLogger"/>.</summary>
    public static long ListenerExceptions => FaultReporter.ListenerExceptions;

    /// <summary>How the native library was found, or why it was not. Does not throw.</summary>
    public static DevmapLoadReport LoadReport => DevmapLibrary.Report;

    /// <summary>Reads every counter: exact when the threads that change them are quiet, else not of one instant.</summary>
    /// <exception cref="DevmapLoadException">The native library could not be loaded.</exception>
    public static DevmapStatistics ReadStatistics()
    {
        DevmapLibrary.EnsureLoaded();
        devmap_stats stats;
        int result = NativeMethods.devmap_stats_read(&stats, (uint)sizeof(devmap_stats));
        return result == 0 ? new DevmapStatistics(stats) : throw NativeError.Create(result, "Reading the statistics");
    }

    /// <summary>Without a listener, the first fault of each kind is printed.</summary>
    private static void PrintFirst(DevmapFaultEventArgs fault)
    {
        int kind = 1 << (int)fault.Kind;
        if ((Interlocked.Or(ref s_printedKinds, kind) & kind) == 0)
            Console.Error.WriteLine($"devmap: {fault} (the first of its kind; others are only counted)");
    }

    internal static void RaiseFault(DevmapFaultEventArgs fault, ref long listenerExceptions)
    {
        RecentFaults.Add(fault);
        DiagnosticEvents.Fault(fault);
        if (Fault is not { } listeners)
        {
            PrintFirst(fault);
            return;
        }

        foreach (EventHandler<DevmapFaultEventArgs> listener in listeners.GetInvocationList().Cast<EventHandler<DevmapFaultEventArgs>>())
        {
            try
            {
                listener(null, fault);
            }
#pragma warning disable CA1031 // One listener's exception is no other listener's, and no native frame's.
            catch (Exception exception)
#pragma warning restore CA1031
            {
                Interlocked.Increment(ref listenerExceptions);
                DiagnosticEvents.ListenerFailed(nameof(Fault), exception);
                PrintFirst(exception);
            }
        }
    }

    private static void PrintFirst(Exception exception)
    {
        if (Interlocked.Exchange(ref s_printedListener, 1) != 0)
            return;
        try
        {
            Console.Error.WriteLine($"devmap: a listener of {nameof(Fault)} threw {exception} (the first; others are only counted)");
        }
#pragma warning disable CA1031 // An exception's text is its author's code, and the other listeners are to hear.
        catch (Exception)
#pragma warning restore CA1031
        {
            // Counted all the same.
        }
    }
}
