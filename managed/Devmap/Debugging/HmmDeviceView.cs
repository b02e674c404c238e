// SPDX-License-Identifier: MIT
namespace Devmap.Debugging;

/// <summary>A device as a debugger shows it: calls no native code, whatever state it is in.</summary>
internal sealed class HmmDeviceView(HmmDevice device)
{
    public string Name => device.Name;

    public HmmFaultService Faults => device.Faults;

    public string? FaultsAdvice => device.FaultsAdvice;

    public bool IsDisposed => device.IsDisposed;
}
