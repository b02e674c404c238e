// SPDX-License-Identifier: MIT
using System.Runtime.InteropServices;
using Devmap.Interop;

namespace Devmap;

/// <summary>One reading of every counter, since the start of the process; see <see cref="DevmapDiagnostics.ReadStatistics"/>.</summary>
public sealed record DevmapStatistics
{
    /// <summary>Creates a reading in which every counter is 0, to be set.</summary>
    public DevmapStatistics()
    {
    }

    internal DevmapStatistics(in devmap_stats stats)
    {
        GateHolders = stats.gate_holders;
        Activations = (long)stats.activations;
        IdleEdges = (long)stats.idle_edges;
        IdleEdgesManaged = (long)stats.idle_edges_managed;
        IdleBatches = (long)stats.idle_batches;
        RefusedDying = (long)stats.refused_dying;
        RefusedMarked = (long)stats.refused_marked;
        TeardownTimeouts = (long)stats.teardown_timeouts;
        LayoutBreakTimeouts = (long)stats.layout_break_timeouts;
        Saturations = (long)stats.saturations;
        LayoutBreakCancels = (long)stats.layout_break_cancels;
        OverflowFaults = (long)stats.faults_overflow;
        UnderflowFaults = (long)stats.faults_underflow;
        UseAfterFreeFaults = (long)stats.faults_use_after_free;
        ActivationFaults = (long)stats.faults_activation;
        DriverFaults = (long)stats.faults_driver;
        SlowCallbackFaults = (long)stats.faults_slow_callback;
        BlockedTeardownFaults = (long)stats.faults_blocked_teardown;
        UseAfterDisposeFaults = (long)stats.faults_use_after_dispose;
        LostLeases = (long)stats.leaks_lost;
        BusyTeardowns = (long)stats.leaks_teardown;
        LostGateHolds = (long)stats.leaks_ops;
        ReferencesHeldTooLong = (long)stats.leaks_held;
        UntrackedReferences = (long)stats.references_untracked;
        PageMaps = Of(stats.pagemaps);
        OrdinaryPages = Of(stats.ordinary_pages);
        Claims = Of(stats.claims);
        LayoutBreaks = Of(stats.layout_breaks);
        DaxFiles = Of(stats.dax_files);
    }

    /// <summary>Holders of the gate now.</summary>
    public long GateHolders { get; init; }

    /// <summary>Pages that went from idle to in use.</summary>
    public long Activations { get; init; }

    /// <summary>Pages that went from in use to idle.</summary>
    public long IdleEdges { get; init; }

    /// <summary>Of these, those whose driver was called.</summary>
    public long IdleEdgesManaged { get; init; }

    /// <summary>Calls of a <see cref="BatchPageDriver.OnPagesFree"/>, or of a native driver's.</summary>
    public long IdleBatches { get; init; }

    /// <summary>Leases refused because the map is being disposed.</summary>
    public long RefusedDying { get; init; }

    /// <summary>Leases refused because the pages are being truncated or punched.</summary>
    public long RefusedMarked { get; init; }

    /// <summary>Disposals that found pages in use until their timeout; <see cref="DevicePageMap.DisposeAsync"/> asks once first, which counts.</summary>
    public long TeardownTimeouts { get; init; }

    /// <summary>
    /// Truncations and holes that found pages in use until their timeout. Of an asynchronous one whose pages are taken just as it
    /// begins, the try that it begins with counts as one that timed out.
    /// </summary>
    public long LayoutBreakTimeouts { get; init; }

    /// <summary>Truncations and holes that were cancelled.</summary>
    public long LayoutBreakCancels { get; init; }

    /// <summary>Pages whose count is saturated, for a fault: they are never idle again.</summary>
    public long Saturations { get; init; }

    /// <summary>Faults of kind <see cref="DevmapFaultKind.Overflow"/>.</summary>
    public long OverflowFaults { get; init; }

    /// <summary>Faults of kind <see cref="DevmapFaultKind.Underflow"/>.</summary>
    public long UnderflowFaults { get; init; }

    /// <summary>Faults of kind <see cref="DevmapFaultKind.UseAfterFree"/>.</summary>
    public long UseAfterFreeFaults { get; init; }

    /// <summary>Faults of kind <see cref="DevmapFaultKind.Activation"/>.</summary>
    public long ActivationFaults { get; init; }

    /// <summary>Faults of kind <see cref="DevmapFaultKind.Driver"/>.</summary>
    public long DriverFaults { get; init; }

    /// <summary>Faults of kind <see cref="DevmapFaultKind.SlowCallback"/>.</summary>
    public long SlowCallbackFaults { get; init; }

    /// <summary>Faults of kind <see cref="DevmapFaultKind.BlockedTeardown"/>.</summary>
    public long BlockedTeardownFaults { get; init; }

    /// <summary>Faults of kind <see cref="DevmapFaultKind.UseAfterDispose"/>.</summary>
    public long UseAfterDisposeFaults { get; init; }

    /// <summary>Leaks of kind <see cref="DevmapFaultKind.LostLease"/>.</summary>
    public long LostLeases { get; init; }

    /// <summary>Leaks of kind <see cref="DevmapFaultKind.BusyTeardown"/>.</summary>
    public long BusyTeardowns { get; init; }

    /// <summary>Leaks of kind <see cref="DevmapFaultKind.LostGateHold"/>.</summary>
    public long LostGateHolds { get; init; }

    /// <summary>Leaks of kind <see cref="DevmapFaultKind.HeldTooLong"/>.</summary>
    public long ReferencesHeldTooLong { get; init; }

    /// <summary>References that should have been followed, but the table of them was full.</summary>
    public long UntrackedReferences { get; init; }

    /// <summary>Faults of any kind that is no leak.</summary>
    public long Faults => OverflowFaults + UnderflowFaults + UseAfterFreeFaults + ActivationFaults + DriverFaults
        + SlowCallbackFaults + BlockedTeardownFaults + UseAfterDisposeFaults;

    /// <summary>Leaks of any kind.</summary>
    public long Leaks => LostLeases + BusyTeardowns + LostGateHolds + ReferencesHeldTooLong;

    /// <summary>Page maps that are not torn down.</summary>
    public Gauge PageMaps { get; init; }

    /// <summary>Native ordinary pages that are not freed.</summary>
    public Gauge OrdinaryPages { get; init; }

    /// <summary>Maps claimed, as by <see cref="DaxFile"/>.</summary>
    public Gauge Claims { get; init; }

    /// <summary>Truncations and holes in progress.</summary>
    public Gauge LayoutBreaks { get; init; }

    /// <summary>Files mapped.</summary>
    public Gauge DaxFiles { get; init; }

    private static Gauge Of(devmap_stats_gauge gauge) => new((long)gauge.total, (long)gauge.current, (long)gauge.peak);

    /// <summary>What goes up and down.</summary>
    /// <param name="Total">How often it went up.</param>
    /// <param name="Current">How many there are now.</param>
    /// <param name="Peak">The most there were at once.</param>
    [StructLayout(LayoutKind.Auto)]
    public readonly record struct Gauge(long Total, long Current, long Peak);
}
