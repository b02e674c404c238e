// SPDX-License-Identifier: MIT
namespace Devmap.Benchmarks;

/// <summary>Counts its calls and does nothing else. For one thread at a time.</summary>
internal sealed class CountingDriver : PageDriver
{
    public long Calls { get; private set; }

    protected internal override void OnPageFree(DevicePage page) => Calls++;
}
