// SPDX-License-Identifier: MIT
namespace Devmap;

/// <summary>
/// The owner of a map's memory: hears of each page that becomes idle, exactly once each time its count goes from 2 to 1.
/// </summary>
/// <remarks>
/// <para>
/// The methods run on the thread that dropped the last reference, which may be a thread of native code that the runtime
/// did not know before; for different pages at the same time; and for one page at the same time, if it is taken again
/// while its callback still runs. They may take the page again (<see cref="DevicePage.Lease"/>, which succeeds there in any
/// case), dispose other leases, hold the gate and lease from any map.
/// Everything done to the page before its references were dropped is visible.
/// </para>
/// <para>
/// An exception that leaves a method ends there: it is counted, raised as <see cref="DevmapDiagnostics.Fault"/>, and the
/// page stays idle and usable. A driver has no <c>Dispose</c> of its own to call: what it holds is given back in
/// <see cref="OnDetached"/>, after which the map never calls it again.
/// </para>
/// </remarks>
public abstract class PageDriver
{
    /// <summary>Hears that <paramref name="page"/> became idle.</summary>
    /// <param name="page">The page; its memory and metadata are there during the call.</param>
    protected internal abstract void OnPageFree(DevicePage page);

    /// <summary>Hears, once, that <paramref name="map"/> is torn down: no callback of it runs, and none will.</summary>
    /// <param name="map">The map, disposed.</param>
    protected internal virtual void OnDetached(DevicePageMap map)
    {
    }
}
