// SPDX-License-Identifier: MIT
using System.Runtime.InteropServices;
using Devmap.Interop;

namespace Devmap.Native;

/// <summary>A reference on a native device.</summary>
internal sealed unsafe class HmmDeviceHandle() : SafeHandle(0, ownsHandle: true)
{
    public override bool IsInvalid => handle == 0;

    public void Set(devmap_hmm_device* device) => SetHandle((nint)device);

    protected override bool ReleaseHandle()
    {
        NativeMethods.devmap_hmm_device_put((devmap_hmm_device*)handle);
        return true;
    }
}
