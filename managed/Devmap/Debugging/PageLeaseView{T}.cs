// SPDX-License-Identifier: MIT
namespace Devmap.Debugging;

/// <summary>A lease of elements as a debugger shows it: calls no native code, whatever state it is in.</summary>
internal sealed class PageLeaseView<T>(PageLease<T> lease)
    where T : unmanaged
{
    public PageLease? Bytes => lease.BytesOrNull;

    public int Length => lease.Length;

    public bool IsWritable => lease.IsWritable;

    public bool IsDisposed => lease.IsDisposed;
}
