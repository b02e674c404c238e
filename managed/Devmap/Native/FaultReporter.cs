// SPDX-License-Identifier: MIT
using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;
using System.Text;
using Devmap.Interop;

namespace Devmap.Native;

/// <summary>
/// Faults go through the native side in both directions, so that each is counted once, whichever language met it.
/// </summary>
internal static unsafe class FaultReporter
{
    /// <summary>Characters of an exception's message that a fault's message repeats; the exception itself is there too.</summary>
    private const int MaxMessage = 1000;

    private const int NanosecondsPerTick = 100;

    /// <summary>The exception behind the fault that this thread is reporting.</summary>
    [ThreadStatic]
    private static Exception? t_exception;

    private static long s_listenerExceptions;

    public static long ListenerExceptions => Interlocked.Read(ref s_listenerExceptions);

    public static void CountListenerException() => Interlocked.Increment(ref s_listenerExceptions);

    /// <summary>Makes native faults arrive in <see cref="DevmapDiagnostics.Fault"/>.</summary>
    public static void Listen() => NativeMethods.devmap_set_fault_handler(&OnFault, null);

    /// <summary>Reports what a driver threw. Throws nothing: what cannot be described for want of memory is still counted.</summary>
    public static void ReportDriver(devmap_page* page, Exception exception) => Report(page, exception, "driver");

    /// <summary>As <see cref="ReportDriver"/>, of a far memory's observer.</summary>
    public static void ReportObserver(Exception exception) => Report(null, exception, "observer");

    /// <summary>Reports what the managed side met. Throws nothing, as above.</summary>
    public static void Report(DevmapFaultKind kind, devmap_page* page, string message)
    {
        fixed (byte* utf8 = ToUtf8(message))
            _ = NativeMethods.devmap_report_fault((int)kind, page, (sbyte*)utf8);
    }

    private static byte[]? ToUtf8(string message)
    {
        try
        {
            return Encoding.UTF8.GetBytes(message + '\0');
        }
        catch (OutOfMemoryException)
        {
            return null;
        }
    }

    private static void Report(devmap_page* page, Exception exception, string who)
    {
        t_exception = exception;
        try
        {
            fixed (byte* message = Describe(exception, who))
                _ = NativeMethods.devmap_report_fault((int)devmap_fault_kind.DEVMAP_FAULT_DRIVER, page, (sbyte*)message);
        }
        finally
        {
            t_exception = null;
        }
    }

    /// <summary>A message in UTF-8, zero-terminated; null where there is none. An exception's message is its author's code.</summary>
    private static byte[]? Describe(Exception exception, string who)
    {
        try
        {
            string message = exception.Message;
            if (message.Length > MaxMessage)
                message = string.Concat(message.AsSpan(0, MaxMessage), "...");
            return Encoding.UTF8.GetBytes($"The {who} threw {exception.GetType()}: {message}\0");
        }
#pragma warning disable CA1031 // No managed exception crosses a native frame.
        catch (Exception)
#pragma warning restore CA1031
        {
            return null;
        }
    }

    [UnmanagedCallersOnly(CallConvs = [typeof(CallConvCdecl)])]
    private static void OnFault(devmap_fault* fault, void* data)
    {
        // Taken, so that a fault that a listener meets is not put down to this exception.
        Exception? exception = t_exception;
        t_exception = null;
        try
        {
            DevicePageMap? map = ManagedMaps.Find(fault->pgmap);
            var managed = new DevmapFaultEventArgs
            {
                Kind = (DevmapFaultKind)fault->kind,
                Message = Marshal.PtrToStringUTF8((nint)fault->message) ?? string.Empty,
                PageIndex = fault->pgmap == null ? null : (long)fault->index,
                PageCount = fault->count,
                Exception = exception,
                Map = map,
                Duration = fault->duration_ns == 0 ? null : TimeSpan.FromTicks((long)(fault->duration_ns / NanosecondsPerTick)),
                Holder = fault->reference == 0 ? null : PageHolders.Find(map, fault->index, fault->reference),
            };
            DevmapDiagnostics.RaiseFault(managed, ref s_listenerExceptions);
        }
#pragma warning disable CA1031 // No managed exception crosses a native frame.
        catch (Exception)
#pragma warning restore CA1031
        {
            Interlocked.Increment(ref s_listenerExceptions);
        }
    }
}
