// SPDX-License-Identifier: MIT
using Devmap.Interop;

namespace Devmap;

/// <summary>Kinds of <see cref="DevmapFaultEventArgs"/>: broken contracts, and from <see cref="LostLease"/> on, leaks.</summary>
public enum DevmapFaultKind
{
    /// <summary>More than 2^31 - 1 references: the page is saturated, and leaks.</summary>
    Overflow = devmap_fault_kind.DEVMAP_FAULT_OVERFLOW,

    /// <summary>A reference was dropped that nobody held: the page is saturated, and leaks.</summary>
    Underflow = devmap_fault_kind.DEVMAP_FAULT_UNDERFLOW,

    /// <summary>A reference was taken on an ordinary page after its last put.</summary>
    UseAfterFree = devmap_fault_kind.DEVMAP_FAULT_USE_AFTER_FREE,

    /// <summary>Native code took an idle page that its map no longer hands out.</summary>
    Activation = devmap_fault_kind.DEVMAP_FAULT_ACTIVATION,

    /// <summary>A driver's callback threw.</summary>
    Driver = devmap_fault_kind.DEVMAP_FAULT_DRIVER,

    /// <summary>A driver's callback took longer than <see cref="DevmapDiagnostics.CallbackTimeLimit"/>.</summary>
    SlowCallback = devmap_fault_kind.DEVMAP_FAULT_SLOW_CALLBACK,

    /// <summary>A map's disposal gave up with no page in use: a callback did not return, or native code holds the map.</summary>
    BlockedTeardown = devmap_fault_kind.DEVMAP_FAULT_BLOCKED_TEARDOWN,

    /// <summary>
    /// A disposed lease or map was used, which threw <see cref="ObjectDisposedException"/>; or, where pages are followed, the memory of
    /// a page that nobody held was asked for (<see cref="DevicePage.DangerousGetSpan"/>), outside its callback.
    /// </summary>
    UseAfterDispose = devmap_fault_kind.DEVMAP_FAULT_USE_AFTER_DISPOSE,

    /// <summary>A lease that is followed was garbage-collected without being disposed. Its pages stay in use.</summary>
    LostLease = devmap_fault_kind.DEVMAP_FAULT_LEAK_LOST,

    /// <summary>A map's disposal gave up with pages in use.</summary>
    BusyTeardown = devmap_fault_kind.DEVMAP_FAULT_LEAK_TEARDOWN,

    /// <summary>
    /// A <see cref="DevmapGateHold"/> was garbage-collected without being disposed, or some were left when the process ended.
    /// </summary>
    LostGateHold = devmap_fault_kind.DEVMAP_FAULT_LEAK_OPS,

    /// <summary>References were held for longer than <see cref="DevmapDiagnostics.HeldTooLongAfter"/>.</summary>
    HeldTooLong = devmap_fault_kind.DEVMAP_FAULT_LEAK_HELD,
}
