// SPDX-License-Identifier: MIT
using Devmap.Interop;

namespace Devmap;

/// <summary>
/// A driver that hears of pages that became idle together, as when a lease of many pages is disposed, in one call.
/// Pages that become idle alone still come through <see cref="PageDriver.OnPageFree"/>.
/// </summary>
public abstract class BatchPageDriver : PageDriver
{
    /// <summary>The most pages in one call.</summary>
    public const int MaxBatch = NativeMethods.DEVMAP_IDLE_BATCH;

    /// <summary>Hears that each of <paramref name="pages"/> became idle, once.</summary>
    /// <param name="pages">At most <see cref="MaxBatch"/> pages of one map; valid during the call.</param>
    protected internal abstract void OnPagesFree(ReadOnlySpan<DevicePage> pages);
}
