// SPDX-License-Identifier: MIT
namespace Devmap.Benchmarks.Suite;

/// <summary>The report's group on what it costs to know.</summary>
internal static class CatalogueOfDiagnostics
{
    public static IReadOnlyList<Section> Sections { get; } =
    [
        new(Catalogue.Diagnostics, "C: levels, by instructions", "a get and its put",
        [
            new("instructions/no_ops", "no gate compiled in"),
            new("instructions/pair_off", "busy managed page, level Off"),
            new("instructions/busy_managed", "the same, level Counters"),
        ]),
        new(Catalogue.Diagnostics, "C: levels at the edge, by instructions", "a page taken, put and its driver called",
        [
            new("instructions/edge_off", "level Off"),
            new("instructions/edge_native_driver", "level Counters"),
            new("instructions/edge_sampled", "level Sampled"),
        ]),
        new(Catalogue.Diagnostics, "C: levels, by time", "a get and its put, on 1,024 pages in turn",
        [
            new("level/pair/ungated", "no gate compiled in"),
            new("level/pair/off", "level Off"),
            new("level/pair/counters", "level Counters"),
            new("level/pair/sampled", "level Sampled"),
            new("level/pair/full", "level Full"),
        ]),
        new(Catalogue.Diagnostics, "C: levels at the edge, by time", "a page taken, put and its driver called",
        [
            new("level/edge/off", "level Off"),
            new("level/edge/counters", "level Counters"),
            new("level/edge/sampled", "level Sampled"),
            new("level/edge/full", "level Full"),
        ]),
        new(Catalogue.Diagnostics, "C#: levels", "a get and its put, on 1,024 pages in turn",
        [
            new("LevelBenchmarks/Pair(Level:Off)", "level Off"),
            new("LevelBenchmarks/Pair(Level:Counters)", "level Counters"),
            new("LevelBenchmarks/Pair(Level:Sampled)", "level Sampled"),
            new("LevelBenchmarks/Pair(Level:Full)", "level Full"),
        ]),
        new(Catalogue.Diagnostics, "C#: levels and leases", "a page leased and disposed, its driver called",
        [
            new("LevelBenchmarks/Lease(Level:Off)", "level Off"),
            new("LevelBenchmarks/Lease(Level:Counters)", "level Counters"),
            new("LevelBenchmarks/Lease(Level:Sampled)", "level Sampled"),
            new("LevelBenchmarks/Lease(Level:Full)", "level Full"),
        ]),
        new(Catalogue.Diagnostics, "Snapshots", "a snapshot of 1,000 maps with 1,000,000 pages in use",
        [
            new("level/snapshot", "C"),
            new("SnapshotBenchmarks/Capture", "C#"),
            new("SnapshotBenchmarks/Json", "C#, as JSON"),
        ]),
    ];
}
