// SPDX-License-Identifier: MIT
using System.Diagnostics.CodeAnalysis;
using Devmap.Interop;

namespace Devmap;

/// <summary>Where a page of far memory is, and how.</summary>
[Flags]
[SuppressMessage("Design", "CA1028:Enum Storage should be Int32", Justification = "There is one for each page of what may be a terabyte.")]
public enum FarPageState : byte
{
    /// <summary>Never used: reads as zeros.</summary>
    None = 0,

    /// <summary>In memory.</summary>
    Resident = (byte)devmap_hmm_page_state.DEVMAP_HMM_PAGE_RESIDENT,

    /// <summary>Resident, and the store has it not or not like this: evicting it copies.</summary>
    Dirty = (byte)devmap_hmm_page_state.DEVMAP_HMM_PAGE_DIRTY,

    /// <summary>In the store: only there, or a copy where it is <see cref="Resident"/> too.</summary>
    Device = (byte)devmap_hmm_page_state.DEVMAP_HMM_PAGE_DEVICE,

    /// <summary>What holds it is memory that the CPU can address; not so for the stores there are.</summary>
    Public = (byte)devmap_hmm_page_state.DEVMAP_HMM_PAGE_PUBLIC,

    /// <summary>Leased, or else in use: it is not evicted.</summary>
    Pinned = (byte)devmap_hmm_page_state.DEVMAP_HMM_PAGE_PINNED,

    /// <summary>The store failed when the CPU touched the page: see <see cref="FarMemoryError"/>.</summary>
    Poisoned = (byte)devmap_hmm_page_state.DEVMAP_HMM_PAGE_POISONED,
}
