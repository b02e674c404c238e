// SPDX-License-Identifier: MIT
namespace Devmap.Debugging;

/// <summary>A page as a debugger shows it: calls no native code, whatever state it is in.</summary>
internal sealed class DevicePageView(DevicePage page)
{
    public DevicePageMap? Map => page.MapOrNull;

    public long Index => page.Index;

    /// <summary>Null where there is none to read.</summary>
    public int? Count => page.CountOrNull;
}
