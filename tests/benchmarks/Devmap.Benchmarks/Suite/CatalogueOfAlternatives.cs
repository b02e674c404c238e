// SPDX-License-Identifier: MIT
namespace Devmap.Benchmarks.Suite;

/// <summary>The report's group on what does a like job.</summary>
internal static class CatalogueOfAlternatives
{
    public static IReadOnlyList<Section> Sections { get; } =
    [
        new(Catalogue.Instead, ".NET: memory for a while", "taken and given back, 4 KiB",
        [
            new("LeaseBenchmarks/LeaseReused", "PageLease, the object reused (ReuseLeases)"),
            new("LeaseBenchmarks/Lease", "PageLease"),
            new("LeaseBenchmarks/LeaseSpanByte", "PageLease, and a byte through its span"),
            new("LeaseBenchmarks/LeaseOfSixteen", "PageLease of sixteen pages"),
            new("LeaseBenchmarks/LeaseShare", "a share of a PageLease"),
            new("LeaseBenchmarks/LeaseHost", "PageLease of a map without a driver"),
            new("LeaseBenchmarks/DaxLease", "PageLease of a mapped file"),
            new("LeaseBenchmarks/MemoryPool", "MemoryPool.Shared"),
            new("LeaseBenchmarks/MemoryPoolSpanByte", "MemoryPool.Shared, and a byte through its span"),
            new("LeaseBenchmarks/ArrayPool", "ArrayPool.Shared"),
            new("LeaseBenchmarks/RecyclableMemoryStream", "RecyclableMemoryStream"),
            new("LeaseBenchmarks/NativeMemoryOwner", "NativeMemory behind a MemoryManager"),
            new("LeaseBenchmarks/ViewAccessorPointer", "MemoryMappedViewAccessor's pointer"),
            new("LeaseBenchmarks/SafeHandle", "a SafeHandle's add and release"),
            new("EdgeBenchmarks/AtomicPair", "the floor: two atomic instructions"),
        ]),
        new(Catalogue.Instead, ".NET: an owner who hears of it", "taken, given back, the owner told",
        [
            new("EdgeBenchmarks/ArrayPoolRentReturn4K", "ArrayPool rent and return of 4 KiB, nobody told"),
            new("EdgeBenchmarks/ManagedFromManaged", "a page and its managed driver"),
            new("EdgeBenchmarks/Lease", "a PageLease and its managed driver"),
            new("EdgeBenchmarks/AtomicPair", "the floor: two atomic instructions"),
        ]),
        new(Catalogue.Instead, ".NET: eight out at a time", "taken and given back",
        [
            new("EdgeBenchmarks/ArrayPoolRentReturn4KEightOut", "ArrayPool rent and return of 4 KiB, nobody told"),
            new("EdgeBenchmarks/ManagedFromManagedEightOut", "a page and its managed driver"),
            new("EdgeBenchmarks/LeaseEightOut", "a PageLease and its managed driver"),
        ]),
        new(Catalogue.Instead, "C and C++: a reference taken and dropped", "a copy and its drop",
        [
            new("instead/devmap", "devmap_get_page, devmap_put_page"),
            new("instead/bare_atomics", "the floor: two atomic instructions"),
            new("instead/intrusive_ptr", "boost::intrusive_ptr"),
            new("instead/shared_ptr", "std::shared_ptr"),
            new("instead/gbytes", "GLib's GBytes"),
            new("instead/dpdk_mbuf", "DPDK's rte_mbuf_ext_refcnt_update (external buffers)"),
            new("instead/urcu_ref", "liburcu's urcu_ref"),
        ]),
    ];
}
