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
    /// <summary>The exception behind the fault that this thread is reporting.</summary>
    [ThreadStatic]
    private static Exception? t_exception;

    private static long s_listenerExceptions;

    public static long ListenerExceptions => Interlocked.Read(ref s_listenerExceptions);

    /// <summary>Makes native faults arrive in <see cref="DevmapDiagnostics.Fault"/>.</summary>
    public static void Listen() => NativeMethods.devmap_set_fault_handler(&OnFault, null);

    public static void ReportDriver(devmap_page* page, Exception exception)
    {
        t_exception = exception;
        try
        {
            fixed (byte* message = Encoding.UTF8.GetBytes($"The driver threw {exception.GetType()}: {exception.Message}\0"))
                NativeMethods.devmap_report_driver_fault(page, (sbyte*)message);
        }
        finally
        {
            t_exception = null;
        }
    }

    [UnmanagedCallersOnly(CallConvs = [typeof(CallConvCdecl)])]
    private static void OnFault(devmap_fault* fault, void* data)
    {
        try
        {
            var managed = new DevmapFaultEventArgs
            {
                Kind = (DevmapFaultKind)fault->kind,
                Message = Marshal.PtrToStringUTF8((nint)fault->message) ?? string.Empty,
                PageIndex = fault->pgmap == null ? null : (long)fault->index,
                PageCount = fault->count,
                Exception = t_exception,
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
