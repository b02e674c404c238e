// SPDX-License-Identifier: MIT
using System.Runtime.InteropServices;
using Devmap.Interop;

namespace Devmap.Native;

/// <summary>A <see cref="CancellationToken"/> as the native side waits for it.</summary>
internal sealed unsafe class NativeCancellation : IDisposable
{
    private readonly CancellationTokenRegistration _registration;
    private devmap_cancel* _cancel;

    public NativeCancellation(CancellationToken token)
    {
        if (!token.CanBeCanceled)
            return;
        _cancel = (devmap_cancel*)NativeMemory.AllocZeroed((nuint)sizeof(devmap_cancel));
        _registration = token.UnsafeRegister(static self => NativeMethods.devmap_cancel_waits(((NativeCancellation)self!)._cancel), this);
    }

    /// <summary>What to give a native wait; null where nothing can cancel it.</summary>
    public devmap_cancel* Pointer => _cancel;

    public void Dispose()
    {
        // Waits for a cancellation that is being carried out, so that it finds its memory.
        _registration.Dispose();
        NativeMemory.Free(_cancel);
        _cancel = null;
    }
}
