// SPDX-License-Identifier: MIT
using Devmap.Interop;

namespace Devmap;

/// <summary>What happened to a page; see <see cref="BusyPage.History"/>.</summary>
public enum PageEvent
{
    /// <summary>Nothing.</summary>
    None = devmap_page_event.DEVMAP_PAGE_EVENT_NONE,

    /// <summary>It went from idle to in use.</summary>
    Activated = devmap_page_event.DEVMAP_PAGE_EVENT_ACTIVATED,

    /// <summary>Further references were taken.</summary>
    Shared = devmap_page_event.DEVMAP_PAGE_EVENT_SHARED,

    /// <summary>References were dropped, and not the last one.</summary>
    Dropped = devmap_page_event.DEVMAP_PAGE_EVENT_DROPPED,

    /// <summary>The last reference was dropped.</summary>
    Idle = devmap_page_event.DEVMAP_PAGE_EVENT_IDLE,

    /// <summary>The driver's callback returned.</summary>
    Freed = devmap_page_event.DEVMAP_PAGE_EVENT_FREED,

    /// <summary>A truncation or a hole began to cover it.</summary>
    Marked = devmap_page_event.DEVMAP_PAGE_EVENT_MARKED,

    /// <summary>The truncation or the hole ended.</summary>
    Unmarked = devmap_page_event.DEVMAP_PAGE_EVENT_UNMARKED,

    /// <summary>Its data went to the device.</summary>
    MigratedAway = devmap_page_event.DEVMAP_PAGE_EVENT_MIGRATED_AWAY,

    /// <summary>Its data came back.</summary>
    MigratedBack = devmap_page_event.DEVMAP_PAGE_EVENT_MIGRATED_BACK,

    /// <summary>References became a lease's.</summary>
    Owned = devmap_page_event.DEVMAP_PAGE_EVENT_OWNED,

    /// <summary>A reference was refused.</summary>
    Refused = devmap_page_event.DEVMAP_PAGE_EVENT_REFUSED,

    /// <summary>Its count was saturated.</summary>
    Saturated = devmap_page_event.DEVMAP_PAGE_EVENT_SATURATED,
}
