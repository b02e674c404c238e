// SPDX-License-Identifier: MIT
namespace Devmap;

/// <summary>Hears of what happened to far memory, after the fact: one call at a time, in order, on a thread of the far memory's.</summary>
/// <remarks>
/// <para>
/// An observer cannot serve a fault, and nothing managed can: the thread that met it stands still until it is served,
/// perhaps in the middle of managed code, where the garbage collector cannot stop it properly. A collection waits for such a
/// thread, and every managed thread waits for a collection, so that the fault would wait for itself. Faults are served by
/// native threads that wait for nobody, and by then there is nothing left to decide.
/// </para>
/// <para>
/// The methods may use the far memory by leases, and by leases only: a dispose gives the memory back while they run, and calls
/// them for the events that are left when it is gone. It waits for a lease that they have; a new one is then
/// <see cref="ObjectDisposedException"/>, where <see cref="FarMemory.DangerousGetPointer"/>'s memory would be SIGSEGV.
/// </para>
/// <para>
/// They may not dispose the far memory, which waits for them to return, however long that takes:
/// <see cref="FarMemoryOptions.DisposeTimeout"/> is for leases. After its dispose none is called. What they throw ends there: it
/// is counted and raised as <see cref="DevmapDiagnostics.Fault"/>. While they run, events wait, up to
/// <see cref="FarMemoryOptions.EventCapacity"/> of them.
/// </para>
/// </remarks>
public abstract class FarMemoryObserver
{
    /// <summary>Hears that a page fault of the CPU was served, or could not be.</summary>
    /// <param name="fault">What happened.</param>
    protected internal virtual void OnFault(in FarFault fault)
    {
    }

    /// <summary>Hears that adjacent pages migrated, by whatever wanted it; or that a page did not, for an error.</summary>
    /// <param name="migration">What happened.</param>
    protected internal virtual void OnMigrated(in FarMigrationEvent migration)
    {
    }

    /// <summary>Hears that events were lost, because they came faster than this observer took them.</summary>
    /// <param name="events">How many since it heard of it last.</param>
    protected internal virtual void OnLost(long events)
    {
    }
}
