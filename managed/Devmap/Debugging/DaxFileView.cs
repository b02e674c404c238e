// SPDX-License-Identifier: MIT
namespace Devmap.Debugging;

/// <summary>A file as a debugger shows it: calls no native code, whatever state it is in.</summary>
internal sealed class DaxFileView(DaxFile file)
{
    public string Path => file.Path;

    public DevicePageMap Map => file.Map;

    public long Capacity => file.Capacity;

    public bool IsDisposed => file.Map.IsDisposed;
}
