// SPDX-License-Identifier: MIT
namespace Devmap.Tests;

/// <summary>Counts what it hears.</summary>
internal sealed class CountingDriver(int pages = 64) : PageDriver
{
    private readonly int[] _perPage = new int[pages];
    private int _total;
    private int _detached;

    public int Total => Volatile.Read(ref _total);

    public int Detached => Volatile.Read(ref _detached);

    public int this[long page] => Volatile.Read(ref _perPage[page]);

    protected internal override void OnPageFree(DevicePage page)
    {
        Interlocked.Increment(ref _perPage[page.Index]);
        Interlocked.Increment(ref _total);
    }

    protected internal override void OnDetached(DevicePageMap map) => Interlocked.Increment(ref _detached);
}
