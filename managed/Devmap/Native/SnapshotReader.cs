// SPDX-License-Identifier: MIT
using System.Diagnostics;
using System.Globalization;
using System.Numerics;
using Devmap.Interop;

namespace Devmap.Native;

/// <summary>Takes snapshots.</summary>
internal static unsafe class SnapshotReader
{
    private const int NanosecondsPerTick = 100;

    private static string? s_processName;
    private static string? s_libraryVersion;

    // How many maps there were, so that the next reading has room for them at once.
    private static int s_mapsBefore;

    public static DevmapSnapshot Read(SnapshotOptions options)
    {
        devmap_snapshot native;
        devmap_map_info[] maps = ReadNative(&native);

        // Before the heat maps, which take least: so both are of about the same moment.
        IReadOnlyList<BusyPageSnapshot> busyPages = BusyPageReader.Read(maps, options);
        return new DevmapSnapshot
        {
            Time = At(native.realtime_ns),
            ProcessId = Environment.ProcessId,
            ProcessName = s_processName ??= NameOfProcess(),
            LibraryVersion = s_libraryVersion ??= DevmapLibrary.Report.Version ?? string.Empty,
            Level = (DiagnosticLevel)native.level,
            Gate = GateOf(native),
            Statistics = new DevmapStatistics(native.stats),
            Maps = MapsOf(maps, options),
            MapCount = maps.Length,
            Callbacks = HistogramOf(native.callbacks),
            LayoutBreaks = HistogramOf(native.layout_breaks),
            Migration = MigrationOf(native.migration),
            TrackedReferences = (long)native.references,
            BusyPages = busyPages,
            Faults = RecentFaults.Read(),
        };
    }

    /// <summary>One native reading, with every map that there is.</summary>
    public static devmap_map_info[] ReadNative(devmap_snapshot* snapshot)
    {
        int room = Volatile.Read(ref s_mapsBefore);
        while (true)
        {
            var maps = new devmap_map_info[room];
            fixed (devmap_map_info* pointer = maps)
            {
                int result = NativeMethods.devmap_snapshot_read(snapshot, (uint)sizeof(devmap_snapshot), pointer, (ulong)room);
                if (result != 0)
                    throw NativeError.Create(result, "Taking a snapshot");
            }

            int found = checked((int)snapshot->nr_maps);
            if (found <= room)
            {
                Array.Resize(ref maps, found);
                return maps;
            }

            room = checked(found + (found / 4) + 8);
            Volatile.Write(ref s_mapsBefore, room);
        }
    }

    private static GateSnapshot GateOf(in devmap_snapshot native)
    {
        int kept = (int)Math.Min(native.gate_changes, NativeMethods.DEVMAP_GATE_HISTORY);
        var history = new GateChange[kept];
        for (int i = 0; i < kept; i++)
        {
            devmap_gate_change change = native.gate_history[i];
            history[i] = new GateChange(At(native.realtime_ns - (native.time_ns - change.time_ns)), change.holders, (int)change.thread);
        }

        return new GateSnapshot
        {
            Holders = native.gate_holders,
            UserHolders = native.gate_user_holders,
            Changes = (long)native.gate_changes,
            History = history,
        };
    }

    private static MapSnapshot[] MapsOf(devmap_map_info[] maps, SnapshotOptions options)
    {
        var snapshots = new MapSnapshot[maps.Length];
        for (int i = 0; i < maps.Length; i++)
            snapshots[i] = MapOf(maps[i], options);
        return snapshots;
    }

    private static MapSnapshot MapOf(in devmap_map_info map, SnapshotOptions options) => new()
    {
        Id = (long)map.id,
        Name = NameOf(map),
        Address = (long)map.start,
        Length = (long)map.length,
        PageSize = (long)map.page_size,
        PageCount = (long)map.nr_pages,
        PagesInUse = (long)map.pages_in_use,
        Type = (MemoryType)map.type,
        State = (MapState)map.state,
        Level = map.level < 0 ? null : (DiagnosticLevel)map.level,
        LayoutBreaks = (int)map.layout_breaks,
        IsClaimed = map.claimed != 0,
        IsFile = map.is_file != 0,
        IsFarMemory = map.is_range != 0,
        Resident = (long)map.resident,
        OnDevice = (long)map.on_device,
        HasDriver = map.has_driver != 0,
        HeatMap = HeatOf(map, options.HeatMapCells),
    };

    private static string NameOf(in devmap_map_info map) =>
        ManagedOf(map)?.Name ?? string.Create(CultureInfo.InvariantCulture, $"native map 0x{map.start:x}");

    /// <summary>The object of a map, if it is a managed one. Where another map has the handle by now, the address tells.</summary>
    private static DevicePageMap? ManagedOf(in devmap_map_info map) =>
        ManagedMaps.Find(map.pgmap) is { } managed && managed.Address == (nint)map.start ? managed : null;

    /// <summary>None of a map that managed code does not keep: its handle may be freed at any moment.</summary>
    private static HeatMap? HeatOf(in devmap_map_info map, int limit)
    {
        if (limit == 0 || ManagedOf(map) is not { } managed || !managed.TryBeginReading())
            return null;
        try
        {
            return HeatOf(managed, map.nr_pages, limit);
        }
        finally
        {
            managed.EndReading();
        }
    }

    private static HeatMap? HeatOf(DevicePageMap map, ulong pages, int limit)
    {
        ulong perCell = BitOperations.RoundUpToPowerOf2(((pages - 1) / (ulong)limit) + 1);
        uint[] counts = new uint[(int)((pages - 1) / perCell) + 1];
        int result;
        fixed (uint* pointer = counts)
            result = NativeMethods.devmap_pagemap_heat(map.Pointer, 0, perCell, pointer, (ulong)counts.Length);
        GC.KeepAlive(map);
        if (result != 0)
            return null;
        int[] cells = new int[counts.Length];
        for (int i = 0; i < cells.Length; i++)
            cells[i] = (int)Math.Min(counts[i], int.MaxValue);
        return new HeatMap { PagesPerCell = (long)perCell, Cells = cells };
    }

    public static DurationHistogram HistogramOf(in devmap_histogram native)
    {
        long[] buckets = new long[DurationHistogram.BucketCount];
        for (int i = 0; i < buckets.Length; i++)
            buckets[i] = (long)native.buckets[i];
        return new DurationHistogram
        {
            Count = buckets.Sum(),
            SumNanoseconds = (long)native.sum_ns,
            MaxNanoseconds = (long)native.max_ns,
            Buckets = buckets,
        };
    }

    private static MigrationSnapshot MigrationOf(in devmap_migration_totals native) => new()
    {
        ToDevice = (long)native.to_device,
        ToMemory = (long)native.to_ram,
        Faults = (long)native.faults,
        FaultsFailed = (long)native.faults_failed,
        Failed = (long)native.failed,
        OnDevice = (long)native.on_device,
        Resident = (long)native.resident,
    };

    private static DateTimeOffset At(ulong realtime) => DateTimeOffset.UnixEpoch.AddTicks((long)(realtime / NanosecondsPerTick));

    private static string NameOfProcess()
    {
        using Process process = Process.GetCurrentProcess();
        return process.ProcessName;
    }
}
