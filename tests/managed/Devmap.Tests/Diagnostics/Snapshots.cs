// SPDX-License-Identifier: MIT
namespace Devmap.Tests.Diagnostics;

/// <summary>Snapshots that no process needs to be in the state of.</summary>
internal static class Snapshots
{
    private static readonly DateTimeOffset s_time = new(2026, 3, 4, 5, 6, 7, 890, TimeSpan.Zero);

    public static HeatMap HeatOf(long pages, int cells, Func<int, int> used)
    {
        long perCell = ((pages - 1) / cells) + 1;
        return new HeatMap
        {
            PagesPerCell = perCell,
            Cells = [.. Enumerable.Range(0, (int)((pages - 1) / perCell) + 1).Select(i => Math.Min(used(i), (int)Math.Min(perCell, pages - (i * perCell))))],
        };
    }

    public static MapSnapshot Map(long id, string name, long pages, HeatMap? heat = null) => new()
    {
        Id = id,
        Name = name,
        Address = 0x7f00_0000_0000 + (id << 32),
        Length = pages * 4096,
        PageSize = 4096,
        PageCount = pages,
        PagesInUse = heat?.Cells.Sum() ?? 0,
        Type = MemoryType.DevicePublic,
        State = MapState.Live,
        HasDriver = true,
        HeatMap = heat,
    };

    public static PageHolder Holder(long page, string threadName, string stack, TimeSpan age) => new()
    {
        PageIndex = page,
        TakenAt = s_time - age,
        Age = age,
        ThreadId = 4711,
        ThreadName = threadName,
        Stack = stack,
        IsLease = true,
        IsActivation = true,
        References = 1,
    };

    public static DurationHistogram Histogram(params (int Bucket, long Count)[] filled)
    {
        long[] buckets = new long[DurationHistogram.BucketCount];
        foreach ((int bucket, long count) in filled)
            buckets[bucket] = count;
        return new DurationHistogram
        {
            Count = buckets.Sum(),
            SumNanoseconds = filled.Sum(one => one.Count << one.Bucket) * 3 / 4,
            MaxNanoseconds = filled.Length == 0 ? 0 : (1L << filled.Max(one => one.Bucket)) - 1,
            Buckets = buckets,
        };
    }

    /// <summary>A process with a file, device memory, far memory, and something of everything else.</summary>
    public static DevmapSnapshot Busy() => Of(
    [
        Map(3, "/srv/data/orders.bin", 16384, HeatOf(16384, 4096, i => i % 16 == 0 ? 4 : i % 5 == 0 ? 2 : 0)) with { Type = MemoryType.FsDax, IsFile = true, IsClaimed = true, LayoutBreaks = 1 },
        Map(5, "device map 0x7f0500000000 (1000 pages of 4096 bytes)", 1000, HeatOf(1000, 1000, i => i is >= 100 and < 300 ? 1 : 0)) with { State = MapState.Dying, Level = DiagnosticLevel.Full },
        Map(9, "far memory map 0x7f0900000000 (4096 pages of 4096 bytes)", 4096, HeatOf(4096, 4096, i => i % 97 == 0 ? 1 : 0)) with { Type = MemoryType.DeviceHost, IsFarMemory = true, HasDriver = false, Resident = 1024, OnDevice = 2048 },
    ]) with
    {
        Gate = new GateSnapshot
        {
            Holders = 3,
            UserHolders = 1,
            Changes = 5,
            History = [.. Enumerable.Range(0, 5).Select(i => new GateChange(s_time - TimeSpan.FromSeconds(10 - (2 * i)), i < 3 ? i + 1 : i - 1, 4700 + i))],
        },
        Statistics = new DevmapStatistics { Activations = 123_456, IdleEdges = 120_000, IdleEdgesManaged = 119_000, DriverFaults = 2, PageMaps = new(12, 3, 5) },
        Callbacks = Histogram((5, 120), (6, 900), (7, 300), (10, 12), (17, 1)),
        LayoutBreaks = Histogram((15, 3), (20, 9), (21, 2)),
        Migration = new MigrationSnapshot { ToDevice = 9000, ToMemory = 8000, Faults = 7000, FaultsFailed = 1, Failed = 2, OnDevice = 2048, Resident = 1024 },
        TrackedReferences = 3,
        BusyPages =
        [
            new BusyPageSnapshot
            {
                MapId = 3,
                PageIndex = 64,
                Count = 3,
                Holders =
                [
                    Holder(64, "Reader 7", "   at Shop.Orders.ReadAsync(Int64 id) in /src/Orders.cs:line 41\n   at Shop.Server.ServeAsync()", TimeSpan.FromMinutes(3)),
                    Holder(64, "Backup", "   at Shop.Backup.Copy()", TimeSpan.FromMilliseconds(250)),
                ],
            },
            new BusyPageSnapshot { MapId = 5, PageIndex = 120, Count = 2, Holders = [Holder(120, "Device queue", "   at Shop.Device.Submit()", TimeSpan.FromSeconds(2))] },
            new BusyPageSnapshot { MapId = 9, PageIndex = 97, Count = 2, Holders = [] },
        ],
        Faults =
        [
            new FaultSnapshot { Time = s_time - TimeSpan.FromSeconds(4), Kind = DevmapFaultKind.Driver, Message = "The driver threw System.InvalidOperationException: the queue is full", PageIndex = 101, PageCount = 1, Stack = "   at Shop.Device.OnPageFree(DevicePage page)" },
            new FaultSnapshot { Time = s_time, Kind = DevmapFaultKind.Driver, Message = "The driver threw System.TimeoutException", PageIndex = 7, PageCount = 1 },
        ],
    };

    public static DevmapSnapshot Of(IReadOnlyList<MapSnapshot> maps) => new()
    {
        Time = s_time,
        ProcessId = 1234,
        ProcessName = "shop",
        LibraryVersion = "0.1.0",
        Level = DiagnosticLevel.Full,
        Gate = new GateSnapshot { Holders = 0, UserHolders = 0, Changes = 0, History = [] },
        Statistics = new DevmapStatistics(),
        Maps = maps,
        MapCount = maps.Count,
        Callbacks = Histogram(),
        LayoutBreaks = Histogram(),
        Migration = new MigrationSnapshot { ToDevice = 0, ToMemory = 0, Faults = 0, FaultsFailed = 0, Failed = 0, OnDevice = 0, Resident = 0 },
        TrackedReferences = 0,
        BusyPages = [],
        Faults = [],
    };
}
