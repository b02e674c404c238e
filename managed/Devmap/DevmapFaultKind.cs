// SPDX-License-Identifier: MIT
using Devmap.Interop;

namespace Devmap;

/// <summary>Kinds of <see cref="DevmapFaultEventArgs"/>.</summary>
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
}
