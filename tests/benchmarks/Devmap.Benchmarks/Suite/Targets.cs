// SPDX-License-Identifier: MIT
namespace Devmap.Benchmarks.Suite;

/// <summary>What this library is to cost: one line a row.</summary>
internal static class Targets
{
    private const double Millisecond = 1e6;

    public static IReadOnlyList<Target> All { get; } =
    [
        new("put, gate off / put without any gate, native, instructions", "instructions/gate_off", "instructions/no_ops", 1) { Exact = true },
        new("put, gate on, busy managed page / put without any gate, native, time", "put/busy_managed", "put/no_ops", 1.02),
        new("C# get + put / native inline get + put", "PutBenchmarks/ManagedInline", "PutBenchmarks/NativeInline", 1.05),
        new("C# get + put / SafeHandle add + release", "PutBenchmarks/ManagedInline", "PutBenchmarks/SafeHandle", 0.85),
        new("C# get + put / the same through DllImport, one pair a call", "PutBenchmarks/ManagedInlineCall", "PutBenchmarks/DllImportCall", 0.65),
        new("acquire + last put + managed callback, from C# / ArrayPool rent + return of 4 KiB", "EdgeBenchmarks/ManagedFromManaged", "EdgeBenchmarks/ArrayPoolRentReturn4K", 1) { Floor = "EdgeBenchmarks/AtomicPair" },
        new("the same, eight at a time", "EdgeBenchmarks/ManagedFromManagedEightOut", "EdgeBenchmarks/ArrayPoolRentReturn4KEightOut", 1) { Floor = "EdgeBenchmarks/AtomicPair" },
        new("acquire + last put + callback, from native code, managed driver / native driver", "EdgeBenchmarks/ManagedFromNative", "EdgeBenchmarks/NativeFromNative", 4),
        new("PageLease of one page (ReuseLeases) / MemoryPool.Shared rent + dispose", "LeaseBenchmarks/LeaseReused", "LeaseBenchmarks/MemoryPool", 0.8) { NoAllocation = true, Floor = "EdgeBenchmarks/AtomicPair" },
        new("idle callbacks to a managed driver, per page, in batches of 256 / one at a time", "CallbackBenchmarks/Batched", "CallbackBenchmarks/OneAtATime", 0.2),
        new("native get + put / boost::intrusive_ptr copy + drop", "instead/devmap", "instead/intrusive_ptr", 1.05),
        new("native get + put / std::shared_ptr copy + drop", "instead/devmap", "instead/shared_ptr", 0.6),
        new("native get + put / GBytes ref + unref", "instead/devmap", "instead/gbytes", 0.6),
        new("break layouts over 2^18 idle pages, per page / a memory scan of the same metadata", "growth/break_idle/pages:262144", "growth/scan/pages:262144", 3),
        new("pagemap look-up with 10,000 maps / with 1 map", "growth/lookup/maps:10000", "growth/lookup/maps:1", 4),
        new("1 TiB map, create + destroy, untouched / 1 ms", "terabyte/create_destroy", null, 1) { Whole = Millisecond },
        new("1 TiB map, untouched, memory / 1,024 KiB", "memory/terabyte_map_kib", null, 1) { Whole = 1024 },
        new("from a fault to the thread that goes on, a range over plain memory / a bare userfaultfd loop", "far/fault", "far/fault_bare", 1.2),
        new("diagnostics Off / a pair without any gate, native, instructions", "instructions/pair_off", "instructions/no_ops", 1) { Exact = true },
        new("diagnostics at Counters / a pair without any gate, native, time", "level/pair/counters", "level/pair/ungated", 1.03),
        new("diagnostics at Sampled / a pair without any gate, native, time", "level/pair/sampled", "level/pair/ungated", 1.1),
        new("two threads on neighbouring pages / one thread, per operation", "put/threads_neighbour_pages/threads:2", "put/threads_neighbour_pages/threads:1", 1.1),
    ];
}
