// SPDX-License-Identifier: MIT
namespace Devmap.Tests;

/// <summary>Does what the test says.</summary>
internal sealed class CallingDriver(Action<DevicePage> onPageFree, Action<DevicePageMap>? onDetached = null) : PageDriver
{
    protected internal override void OnPageFree(DevicePage page) => onPageFree(page);

    protected internal override void OnDetached(DevicePageMap map) => onDetached?.Invoke(map);
}
