// SPDX-License-Identifier: MIT
namespace Devmap.Benchmarks;

/// <summary>As <see cref="CountingDriver"/>, for pages that come in batches.</summary>
internal sealed class CountingBatchDriver : BatchPageDriver
{
    /// <summary>Pages heard of, in a batch or alone.</summary>
    public long Pages { get; private set; }

    public long Batches { get; private set; }

    protected internal override void OnPageFree(DevicePage page) => Pages++;

    protected internal override void OnPagesFree(ReadOnlySpan<DevicePage> pages)
    {
        Pages += pages.Length;
        Batches++;
    }
}
