// SPDX-License-Identifier: MIT
using Devmap.Interop;
using Devmap.Native;
using Devmap.Telemetry;

namespace Devmap;

/// <summary>
/// The gate <c>devmap_managed_key</c>: on while anybody wants idle callbacks, and while it is off checking for them costs
/// nothing. Maps with a driver hold it by themselves. All members may be called from any thread, callbacks included.
/// </summary>
public static class DevmapGate
{
    /// <summary>Whether anybody holds the gate. False where the native library was built without it.</summary>
    /// <exception cref="DevmapLoadException">The native library could not be loaded.</exception>
    public static bool IsEnabled => HolderCount > 0;

    /// <summary>How many hold the gate.</summary>
    /// <exception cref="DevmapLoadException">The native library could not be loaded.</exception>
    public static int HolderCount
    {
        get
        {
            DevmapLibrary.EnsureLoaded();
            return DevmapLibrary.GateHolders;
        }
    }

    /// <summary>Holds the gate on until the result is disposed; more than one dispose counts once.</summary>
    /// <exception cref="PlatformNotSupportedException">The native library was built without the gate.</exception>
    /// <exception cref="InvalidOperationException">The gate has 2^31 - 1 holders.</exception>
    /// <exception cref="DevmapLoadException">The native library could not be loaded.</exception>
    public static DevmapGateHold Hold()
    {
        DevmapLibrary.EnsureFeature(devmap_feature.DEVMAP_FEATURE_DEV_PAGEMAP_OPS, "The gate");

        // Made first: what fails for want of memory fails with no hold taken.
        var hold = new DevmapGateHold();
        int result = hold.Begin();
        if (result != 0)
            throw NativeError.Create(result, "Holding the gate");
        DiagnosticEvents.GateHeld();
        return hold;
    }
}
