// SPDX-License-Identifier: MIT
namespace Devmap.Debugging;

/// <summary>A hold of the gate as a debugger shows it: calls no native code, whatever state it is in.</summary>
internal sealed class DevmapGateHoldView(DevmapGateHold hold)
{
    public bool IsHeld => hold.IsHeld;

    /// <summary>Where it was taken, if that was noted.</summary>
    public string? Stack => hold.Stack;
}
