// SPDX-License-Identifier: MIT
namespace Devmap.Tests.Command;

/// <summary>Snapshots whose every number a test knows.</summary>
internal static class Snapshots
{
    public static readonly DateTimeOffset Start = new(2026, 11, 22, 10, 0, 0, TimeSpan.Zero);

    /// <summary>Two maps, of which the second has more pages in use; one of these is held by two.</summary>
    public static DevmapSnapshot Create() => Empty() with
    {
        Level = DiagnosticLevel.Full,
        Gate = new GateSnapshot { Holders = 3, UserHolders = 1, Changes = 5, History = [new GateChange(Start - TimeSpan.FromSeconds(2.5), 3, 4711)] },
        Statistics = new DevmapStatistics { Activations = 1000, IdleEdges = 900, IdleEdgesManaged = 800, RefusedMarked = 7, DriverFaults = 2, LayoutBreaks = new DevmapStatistics.Gauge(9, 1, 2), LayoutBreakTimeouts = 3 },
        Maps = [Map(1, "first", used: 3, pages: 100), Map(2, "second", used: 40, pages: 50) with { LayoutBreaks = 1, IsClaimed = true, HasDriver = true }],
        MapCount = 2,
        Callbacks = Times((10, 99), (20, 1)),
        LayoutBreaks = Times((30, 6)),
        TrackedReferences = 2,
        BusyPages =
        [
            new BusyPageSnapshot { MapId = 1, PageIndex = 5, Count = 2, Holders = [] },
            new BusyPageSnapshot { MapId = 2, PageIndex = 12, Count = 3, Holders = [Holder(TimeSpan.FromMinutes(2), "writer"), Holder(TimeSpan.FromSeconds(1), "reader")] },
        ],
        Faults = [new FaultSnapshot { Time = Start - TimeSpan.FromSeconds(4), Kind = DevmapFaultKind.Driver, Message = "The driver threw.", PageIndex = 17, PageCount = 1, Stack = "   at Thrower.Throw()\n   at Caller.Call()" }],
    };

    /// <summary>A process that has done nothing.</summary>
    public static DevmapSnapshot Empty() => new()
    {
        Time = Start,
        ProcessId = 4242,
        ProcessName = "sample",
        LibraryVersion = "1.2.3",
        Level = DiagnosticLevel.Counters,
        Gate = new GateSnapshot { Holders = 0, UserHolders = 0, Changes = 0, History = [] },
        Statistics = new DevmapStatistics(),
        Maps = [],
        MapCount = 0,
        Callbacks = Times(),
        LayoutBreaks = Times(),
        Migration = new MigrationSnapshot { ToDevice = 0, ToMemory = 0, Faults = 0, FaultsFailed = 0, Failed = 0, OnDevice = 0, Resident = 0 },
        TrackedReferences = 0,
        BusyPages = [],
        Faults = [],
    };

    public static MapSnapshot Map(long id, string name, long used, long pages) => new()
    {
        Id = id,
        Name = name,
        Address = 0x10000 * id,
        Length = pages * 4096,
        PageSize = 4096,
        PageCount = pages,
        PagesInUse = used,
        Type = MemoryType.DevicePublic,
        State = MapState.Live,
    };

    public static PageHolder Holder(TimeSpan age, string thread) => new()
    {
        PageIndex = 12,
        TakenAt = Start - age,
        Age = age,
        ThreadId = 99,
        ThreadName = thread,
        Stack = $"   at {thread}.Take()\n   at {thread}.Run()",
        IsLease = true,
        References = 1,
    };

    /// <summary>Some in each bucket; the longest took all of its bucket.</summary>
    private static DurationHistogram Times(params (int Bucket, long Count)[] times)
    {
        long[] buckets = new long[DurationHistogram.BucketCount];
        foreach ((int bucket, long count) in times)
            buckets[bucket] = count;
        long max = times.Length == 0 ? 0 : (1L << times[^1].Bucket) - 1;
        return new DurationHistogram { Count = times.Sum(time => time.Count), SumNanoseconds = times.Sum(time => time.Count << (time.Bucket - 1)), MaxNanoseconds = max, Buckets = buckets };
    }
}
