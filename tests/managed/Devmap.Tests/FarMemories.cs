// SPDX-License-Identifier: MIT
using System.Runtime.CompilerServices;
using Xunit;

namespace Devmap.Tests;

/// <summary>Far memory with contents that a test can tell by their place.</summary>
internal static class FarMemories
{
    public const int Page = 4096;

    /// <summary>Every store, by a name that a theory can have.</summary>
    public static string[] StoreNames { get; } = ["plain", "lz4", "file", "cached file"];

    public static FarStore Store(string name, TemporaryDirectory directory) => name switch
    {
        "plain" => FarStore.Plain,
        "lz4" => FarStore.Lz4,
        "file" => FarStore.File(directory["store"]),
        "cached file" => FarStore.File(directory["store"], new() { Cached = true, DeleteOnClose = false }),
        _ => throw new ArgumentOutOfRangeException(nameof(name), name, "no store"),
    };

    /// <summary>Far memory over plain memory, on a device that serves what faults it may.</summary>
    public static FarMemory Create(int pages, int residentPages = 0, FarMemoryObserver? observer = null, TimeSpan? timeout = null) =>
        FarMemory.Create((long)pages * Page, new()
        {
            Store = FarStore.Plain,
            ResidentLimit = (long)residentPages * Page,
            Observer = observer,
            DisposeTimeout = timeout ?? TimeSpan.FromSeconds(30),
        });

    /// <summary>Far memory whose faults nobody serves.</summary>
    public static FarMemory CreateWithoutFaults(int pages, int residentPages = 0, FarStore? store = null)
    {
        using HmmDevice device = new(new() { Faults = HmmFaultService.None });
        return FarMemory.Create(device, (long)pages * Page, new() { Store = store ?? FarStore.Plain, ResidentLimit = (long)residentPages * Page });
    }

    /// <summary>Fills all of it, a page a lease, with the known bytes of <see cref="TemporaryDirectory"/>.</summary>
    public static void Fill(FarMemory memory)
    {
        for (long offset = 0; offset < memory.Length; offset += memory.PageSize)
        {
            using PageLease lease = memory.Lease(offset, memory.PageSize);
            TemporaryDirectory.KnownBytes(offset, memory.PageSize).CopyTo(lease.Span);
        }
    }

    public static void Verify(FarMemory memory)
    {
        for (long offset = 0; offset < memory.Length; offset += memory.PageSize)
        {
            using PageLease lease = memory.LeaseForReading(offset, memory.PageSize);
            Assert.Equal(TemporaryDirectory.KnownBytes(offset, memory.PageSize), lease.ReadOnlySpan);
        }
    }

    public static Task<FarMigration> EvictAll(FarMemory memory) => memory.EvictAsync(0, memory.Length);

    public static FarPageState[] States(FarMemory memory)
    {
        var states = new FarPageState[memory.Map.PageCount];
        memory.GetPageStates(0, states);
        return states;
    }

    /// <summary>Reads a byte by plain pointer, without a lease.</summary>
    [MethodImpl(MethodImplOptions.NoInlining)]
    public static unsafe byte Peek(FarMemory memory, long offset) => Volatile.Read(ref memory.DangerousGetPointer()[offset]);

    /// <summary>Writes a byte by plain pointer, without a lease.</summary>
    [MethodImpl(MethodImplOptions.NoInlining)]
    public static unsafe void Poke(FarMemory memory, long offset, byte value) => Volatile.Write(ref memory.DangerousGetPointer()[offset], value);

    public static unsafe nint AddressOf(FarMemory memory) => (nint)memory.DangerousGetPointer();

    /// <summary>Whether this machine lets the process serve faults; without, their tests have nothing to look at.</summary>
    public static bool ServesFaults { get; } = Serves();

    private static bool Serves()
    {
        using var device = new HmmDevice();
        return device.Faults != HmmFaultService.None;
    }
}
