// SPDX-License-Identifier: MIT
namespace Devmap.Benchmarks.Suite;

/// <summary>What the report shows, group by group, and against what.</summary>
internal static class Catalogue
{
    public const string Put = "What a put costs";
    public const string Boundary = "What the boundary costs";
    public const string Instead = "What you would use instead";
    public const string Growth = "How cost grows";
    public const string Far = "Far memory";
    public const string Diagnostics = "What diagnostics cost";
    public const string Memory = "Memory";

    private const string Pair = "a get and its put";

    public static IReadOnlyList<string> Groups { get; } = [Put, Boundary, Instead, Growth, Far, Diagnostics, Memory];

    public static IReadOnlyList<Section> Sections { get; } =
    [
        new(Put, "C: the gate, by instructions", Pair,
        [
            new("instructions/no_ops", "no gate compiled in"),
            new("instructions/gate_off", "gate off"),
            new("instructions/gate_on_ordinary", "gate on, ordinary page"),
            new("instructions/busy_managed", "gate on, busy managed page"),
            new("instructions/bare_atomics", "two atomic instructions and nothing else"),
        ]),
        new(Put, "C: the gate, by time", Pair,
        [
            new("put/no_ops", "no gate compiled in"),
            new("put/gate_off", "gate off"),
            new("put/gate_on_ordinary", "gate on, ordinary page"),
            new("put/busy_managed", "gate on, busy managed page"),
            new("put/busy_managed_gate_first", "the same, gate looked at first (the kernel patch's shape)"),
            new("put/host", "gate on, page of a map without a driver"),
            new("put/bare_atomics", "two atomic instructions and nothing else"),
        ]),
        new(Put, "C: pages that no cache holds", Pair,
        [
            new("put/cold/no_ops", "no gate compiled in"),
            new("put/cold/busy_managed", "gate on, managed page"),
            new("put/cold/gate_first", "the same, gate looked at first"),
            new("put/cold/bare_atomics", "two atomic instructions and nothing else"),
        ]),
        new(Put, "C: a gate that no cache holds", Pair,
        [
            new("put/cold_gate/gate_first", "gate looked at first"),
            new("put/cold_gate/result_first", "the count looked at first, as here"),
        ]),
        new(Put, "C: two threads", $"{Pair}, on each thread",
        [
            new("put/threads_own_pages/threads:1", "one thread"),
            new("put/threads_own_pages/threads:2", "two threads, pages far apart"),
            new("put/threads_neighbour_pages/threads:2", "two threads, neighbouring pages"),
            new("put/threads_same_page/threads:2", "two threads, one page"),
        ]),
        new(Put, "C#, beside C in one process", Pair,
        [
            new("PutBenchmarks/NativeInline", "C, gate on, busy managed page"),
            new("PutBenchmarks/ManagedInline", "C#, the same page"),
            new("PutBenchmarks/NativeUngated", "C, no gate compiled in"),
            new("PutBenchmarks/BareAtomics", "C#, two atomic instructions and nothing else"),
            new("PutBenchmarks/GateOff", "C#, gate off, ordinary page"),
            new("PutBenchmarks/HostPage", "C#, page of a map without a driver"),
            new("PutBenchmarks/DllImport", "C's inlines called through DllImport"),
            new("PutBenchmarks/SafeHandle", "a SafeHandle's add and release"),
        ]),
        new(Put, "C# against DllImport, in a loop", Pair,
        [
            new("PutBenchmarks/DllImport", "C's inlines called through DllImport"),
            new("PutBenchmarks/ManagedInline", "C#"),
        ]),
        new(Put, "C# against DllImport, one at a time", Pair,
        [
            new("PutBenchmarks/DllImportCall", "C's inlines called through DllImport"),
            new("PutBenchmarks/ManagedInlineCall", "C#"),
        ]),
        new(Put, "C#, gate off", Pair,
        [
            new("PutGateOffBenchmarks/NativeInline", "C"),
            new("PutGateOffBenchmarks/ManagedInline", "C#"),
        ]),
        new(Put, "C#: two threads", $"{Pair}, on each thread",
        [
            new("ThreadBenchmarks/OwnPages(Threads:1)", "one thread"),
            new("ThreadBenchmarks/OwnPages(Threads:2)", "two threads, pages far apart"),
            new("ThreadBenchmarks/NeighbourPages(Threads:2)", "two threads, neighbouring pages"),
            new("ThreadBenchmarks/SamePage(Threads:2)", "two threads, one page"),
        ]),
        .. CatalogueOfTheBoundary.Sections,
        .. CatalogueOfAlternatives.Sections,
        new(Growth, "Breaking layouts over 2^18 pages", "a page",
        [
            new("growth/scan/pages:262144", "the floor: reading a word of each page's metadata"),
            new("growth/scan_all/pages:262144", "reading all of each page's metadata"),
            new("growth/break_idle/pages:262144", "all pages idle"),
            new("growth/break_busy/pages:262144", "the last page busy"),
            new("growth/break_untouched/pages:262144", "no page ever touched"),
        ]),
        new(Far, "From a fault to the thread that goes on", "a page of 4 KiB touched that is away",
        [
            new("far/fault_bare", "a bare userfaultfd loop that only copies the page, waiting in read"),
            new("far/fault_bare_poll", "the same, polling first, as the manual page's example"),
            new("far/fault", "a range over plain memory, the device keeping its copy (FarMemory)"),
            new("far/fault_moved", "the same, the device's copy given up"),
            new("far/fault_lz4", "a range over LZ4, 2:1"),
        ]),
        new(Far, "Leases of far memory, C", "a page taken and put",
        [
            new("far/lease_away", "a page that is away, in plain memory"),
            new("far/lease_resident", "a page that is there"),
        ]),
        .. CatalogueOfDiagnostics.Sections,
    ];

    public static IReadOnlyList<Curve> Curves { get; } =
    [
        new(Boundary, "Batches of idle pages", "a page taken, put and told of", "pages in a batch",
        [
            new("batch/native_driver/pages:*", "from C, driver in C told of batches"),
            new("BatchBenchmarks/NativeBatched(Pages:*)", "from C, driver in C# told of batches"),
            new("BatchBenchmarks/NativeOneAtATime(Pages:*)", "from C, driver in C# told of each page"),
            new("BatchBenchmarks/EdgesBatched(Pages:*)", "leases of many pages, driver in C# told of batches"),
            new("BatchBenchmarks/EdgesOneAtATime(Pages:*)", "leases of one page, driver in C# told of each page"),
        ]),
        new(Growth, "Finding a page's map", "a look-up by address", "live maps",
        [
            new("growth/lookup/maps:*", "C"),
            new("growth/lookup_cached/maps:*", "C, handed the map of the last look-up"),
            new("GrowthBenchmarks/LookupAddress(Maps:*)", "from C#, the page taken and dropped too"),
        ]),
        new(Growth, "Live maps, C#: leases", "a lease and its dispose", "live maps",
        [
            new("GrowthBenchmarks/LookupLease(Maps:*)", "a map after the other"),
        ]),
        new(Growth, "Live maps, C#: one more", "a map created and disposed", "live maps",
        [
            new("GrowthBenchmarks/CreateDispose(Maps:*)", "a map of 1 GiB, untouched"),
        ]),
        new(Growth, "Live drivers", "a page taken, put and told of", "live maps",
        [
            new("growth/drivers/maps:*", "C, each map with a driver of its own"),
        ]),
        new(Growth, "Creating a map", "a map created and destroyed", "pages",
        [
            new("growth/create/pages:*", "C, untouched"),
        ]),
        new(Growth, "A page's whole life", "a page of a map that is created, used once and destroyed", "pages",
        [
            new("growth/touch_teardown/pages:*", "C, every page taken and put once"),
        ]),
        new(Growth, "Breaking layouts", "a page that is idle", "pages",
        [
            new("growth/break_idle/pages:*", "C"),
        ]),
    ];
}
