// SPDX-License-Identifier: MIT
using System.Runtime.CompilerServices;

namespace Devmap.Native;

/// <summary>
/// Objects of disposed leases that wait to be leases again, by thread: what one thread disposed, it uses.
/// </summary>
internal sealed class LeasePool
{
    /// <summary>The most objects that a thread keeps.</summary>
    public const int Capacity = 64;

    [ThreadStatic]
    private static LeasePool? t_pool;

    // The first _count are kept. Those after them are out, or dropped; they stand there because the next one that comes
    // back is nearly always the one that went last, and then there is nothing to write.
    private readonly PageLease?[] _leases = new PageLease?[Capacity];
    private int _count;

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static PageLease? Take()
    {
        LeasePool? pool = t_pool;
        if (pool is null || pool._count == 0)
            return null;
        return pool._leases[--pool._count];
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static void Keep(PageLease lease)
    {
        LeasePool pool = t_pool ??= new LeasePool();
        PageLease?[] leases = pool._leases;
        int count = pool._count;
        if ((uint)count >= (uint)leases.Length)
            return;
        if (leases[count] != lease)
            leases[count] = lease;
        pool._count = count + 1;
    }
}
