// SPDX-License-Identifier: MIT
namespace Devmap.Debugging;

/// <summary>A lease as a debugger shows it: calls no native code, whatever state it is in.</summary>
internal sealed class PageLeaseView(PageLease lease)
{
    public DevicePageMap? Map => lease.MapOrNull;

    public long? FirstPage => lease.FirstPageOrNull;

    public int PageCount => lease.PageCount;

    public int Length => lease.Length;

    public bool IsWritable => lease.IsWritable;

    public bool IsDisposed => lease.IsDisposed;

    public bool IsFollowed => lease.IsFollowed;

    public int Pins => lease.Pins;
}
