// SPDX-License-Identifier: MIT
namespace Devmap.Tests;

/// <summary>A driver whose callback says that it was entered, and returns when it is told to.</summary>
internal sealed class StayingDriver : PageDriver, IDisposable
{
    private readonly SemaphoreSlim _entered = new(0);
    private readonly SemaphoreSlim _leave = new(0);

    // Plain on purpose: the library orders the callback's end before what waits for it.
    private readonly List<string> _heard = [];

    /// <summary>What the driver heard, in order.</summary>
    public IReadOnlyList<string> Heard => _heard;

    public void AwaitCallback() => _entered.Wait();

    public void LetCallbackLeave() => _leave.Release();

    public void Dispose()
    {
        _entered.Dispose();
        _leave.Dispose();
    }

    protected internal override void OnPageFree(DevicePage page)
    {
        _entered.Release();
        _leave.Wait();
        _heard.Add($"page {page.Index}");
    }

    protected internal override void OnDetached(DevicePageMap map) => _heard.Add("detached");
}
