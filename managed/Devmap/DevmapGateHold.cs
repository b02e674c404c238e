// SPDX-License-Identifier: MIT
using Devmap.Interop;
using Devmap.Native;

namespace Devmap;

/// <summary>A hold on the gate, until it is disposed; see <see cref="DevmapGate.Hold"/>.</summary>
public sealed class DevmapGateHold : IDisposable
{
    private int _ended;

    internal DevmapGateHold()
    {
    }

    /// <summary>Ends the hold. Any thread; again it does nothing.</summary>
    /// <exception cref="InvalidOperationException">Somebody else gave this hold back: the native puts are unbalanced.</exception>
    public void Dispose()
    {
        if (Interlocked.Exchange(ref _ended, 1) != 0)
            return;
        int result = NativeMethods.devmap_pagemap_put_ops();
        if (result != 0)
            throw new InvalidOperationException("The gate had no holder left: somebody gave back a hold that was not theirs.");
    }
}
