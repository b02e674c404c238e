// SPDX-License-Identifier: MIT
namespace Devmap.Debugging;

/// <summary>A map as a debugger shows it: calls no native code, whatever state it is in.</summary>
internal sealed class DevicePageMapView(DevicePageMap map)
{
    public MemoryType Type => map.Type;

    public long PageCount => map.PageCount;

    public int PageSize => map.PageSize;

    public nint Address => map.Address;

    public PageDriver? Driver => map.Driver;

    public bool IsDisposed => map.IsDisposed;
}
