// SPDX-License-Identifier: MIT
using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;
using Devmap.Interop;

namespace Devmap.Tests;

/// <summary>
/// A store in plain memory that fails when it is told to. It is managed code, which a store must not be, so it is for far
/// memory whose faults nobody serves: there it is only called on threads that lease or migrate.
/// </summary>
internal sealed unsafe class FailingStore : FarStore
{
    private static readonly devmap_store_ops* s_ops = MakeOps();
    private static readonly Dictionary<ulong, byte[]> s_slots = [];
    private static int s_failReads;
    private static int s_failWrites;

    public FailingStore()
    {
        s_failReads = 0;
        s_failWrites = 0;
        IsClosed = false;
    }

    public static bool IsClosed { get; private set; }

    /// <summary>The errno value with which each second slot fails to be read; 0 for none.</summary>
    public static int FailReads { get => s_failReads; set => s_failReads = value; }

    /// <summary>The errno value with which each second slot fails to be written; 0 for none.</summary>
    public static int FailWrites { get => s_failWrites; set => s_failWrites = value; }

    private protected override int TryOpen(ulong slots, ulong pageSize, devmap_store** store)
    {
        var made = (devmap_store*)NativeMemory.AllocZeroed((nuint)sizeof(devmap_store));
        made->ops = s_ops;
        made->page_size = pageSize;
        made->nr_slots = slots;
        *store = made;
        return 0;
    }

    private static devmap_store_ops* MakeOps()
    {
        var ops = (devmap_store_ops*)NativeMemory.AllocZeroed((nuint)sizeof(devmap_store_ops));
        ops->write = &Write;
        ops->read = &Read;
        ops->discard = &Discard;
        ops->bytes_used = &BytesUsed;
        ops->close = &Close;
        return ops;
    }

    [UnmanagedCallersOnly(CallConvs = [typeof(CallConvCdecl)])]
    private static void Write(devmap_store* store, devmap_store_io* ios, uint count)
    {
        for (uint i = 0; i < count; i++)
        {
            ios[i].result = (ios[i].slot & 1) != 0 ? -s_failWrites : 0;
            if (ios[i].result == 0)
                s_slots[ios[i].slot] = new Span<byte>(ios[i].memory, (int)store->page_size).ToArray();
        }
    }

    [UnmanagedCallersOnly(CallConvs = [typeof(CallConvCdecl)])]
    private static void Read(devmap_store* store, devmap_store_io* ios, uint count)
    {
        for (uint i = 0; i < count; i++)
        {
            ios[i].result = (ios[i].slot & 1) != 0 ? -s_failReads : 0;
            if (ios[i].result == 0)
                s_slots[ios[i].slot].CopyTo(new Span<byte>(ios[i].memory, (int)store->page_size));
        }
    }

    [UnmanagedCallersOnly(CallConvs = [typeof(CallConvCdecl)])]
    private static void Discard(devmap_store* store, ulong slot) => s_slots.Remove(slot);

    [UnmanagedCallersOnly(CallConvs = [typeof(CallConvCdecl)])]
    private static ulong BytesUsed(devmap_store* store) => (ulong)s_slots.Count * store->page_size;

    [UnmanagedCallersOnly(CallConvs = [typeof(CallConvCdecl)])]
    private static void Close(devmap_store* store)
    {
        s_slots.Clear();
        IsClosed = true;
        NativeMemory.Free(store);
    }
}
