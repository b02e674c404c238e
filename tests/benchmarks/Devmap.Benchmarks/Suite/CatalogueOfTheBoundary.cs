// SPDX-License-Identifier: MIT
namespace Devmap.Benchmarks.Suite;

/// <summary>The report's group on crossing between C# and C.</summary>
internal static class CatalogueOfTheBoundary
{
    private const string Edge = "a page taken, put as the last one, its driver called";

    public static IReadOnlyList<Section> Sections { get; } =
    [
        new(Catalogue.Boundary, "A pair, by every way", "a get and its put",
        [
            new("BoundaryBenchmarks/CInline", "C's inlines, from C"),
            new("BoundaryBenchmarks/ManagedInline", "C#'s inlines, from C#"),
            new("BoundaryBenchmarks/PairDllImport", "DllImport, two calls"),
            new("BoundaryBenchmarks/PairFunctionPointer", "function pointers, two calls"),
        ]),
        new(Catalogue.Boundary, "From C# into C", "a call that does nothing",
        [
            new("BoundaryBenchmarks/ManagedCall", "into C#: no boundary"),
            new("BoundaryBenchmarks/DllImportNothing", "DllImport"),
            new("BoundaryBenchmarks/DllImportSuppressed", "DllImport, SuppressGCTransition"),
            new("BoundaryBenchmarks/FunctionPointer", "function pointer"),
            new("BoundaryBenchmarks/FunctionPointerSuppressed", "function pointer, SuppressGCTransition"),
        ]),
        new(Catalogue.Boundary, "From C into C#", "a callback that does next to nothing",
        [
            new("BoundaryBenchmarks/CallbackNative", "into C: no boundary"),
            new("BoundaryBenchmarks/CallbackUnmanagedCallersOnly", "UnmanagedCallersOnly"),
            new("BoundaryBenchmarks/CallbackDelegateThunk", "delegate"),
            new("BoundaryBenchmarks/DispatchDirect", "from C#, the driver found and called: no boundary"),
        ]),
        new(Catalogue.Boundary, "An idle edge across the boundary", Edge,
        [
            new("EdgeBenchmarks/NativeFromNative", "from C by devmap_pagemap_get_pages, driver in C"),
            new("EdgeBenchmarks/NativeFromManaged", "from C# by devmap_pagemap_get_page_fast, driver in C"),
            new("EdgeBenchmarks/ManagedFromNative", "from C by devmap_pagemap_get_pages, driver in C#"),
            new("EdgeBenchmarks/ManagedFromManaged", "from C# by devmap_pagemap_get_page_fast, driver in C#"),
            new("EdgeBenchmarks/Lease", "a PageLease, driver in C#"),
        ]),
        new(Catalogue.Boundary, "An idle edge in C", Edge,
        [
            new("edge/native_driver", "driver in C"),
            new("edge/host", "a map without a driver, nobody to call"),
            new("edge/fs_dax", "a claimed map, as a file's is"),
            new("edge/try_get", "through the page and not its map"),
        ]),
        new(Catalogue.Boundary, "An idle edge in C, by instructions", Edge,
        [
            new("instructions/edge_no_ops", "a map without a driver, no gate compiled in"),
            new("instructions/edge_gate_off", "a map without a driver, gate off"),
            new("instructions/edge_native_driver", "driver in C"),
            new("instructions/edge_fs_dax", "a claimed map, as a file's is"),
        ]),
        new(Catalogue.Boundary, "Telling a native driver of 256 pages", "a page taken, put and told of",
        [
            new("batch/one_at_a_time/pages:256", "one at a time"),
            new("batch/native_driver/pages:256", "all at once"),
        ]),
        new(Catalogue.Boundary, "Telling a managed driver of 256 pages", "a page told of, no more",
        [
            new("CallbackBenchmarks/OneAtATime", "one at a time"),
            new("CallbackBenchmarks/Batched", "all at once"),
        ]),
    ];
}
