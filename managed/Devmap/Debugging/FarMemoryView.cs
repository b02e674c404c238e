// SPDX-License-Identifier: MIT
namespace Devmap.Debugging;

/// <summary>Far memory as a debugger shows it: calls no native code, whatever state it is in.</summary>
internal sealed class FarMemoryView(FarMemory memory)
{
    public DevicePageMap Map => memory.Map;

    public long Length => memory.Length;

    public int PageSize => memory.PageSize;

    public long ResidentLimit => memory.ResidentLimit;

    public HmmFaultService Faults => memory.Faults;

    public bool IsDisposed => memory.Map.IsDisposed;
}
