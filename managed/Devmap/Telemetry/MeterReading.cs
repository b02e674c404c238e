// SPDX-License-Identifier: MIT
using Devmap.Interop;
using Devmap.Native;

namespace Devmap.Telemetry;

/// <summary>One native snapshot, as the instruments of <see cref="DevmapMeter"/> share it.</summary>
internal sealed unsafe class MeterReading
{
    public const int TypeCount = (int)devmap_memory_type.DEVMAP_MEMORY_DEVICE_FS_DAX + 1;
    public const int StateCount = (int)devmap_map_state.DEVMAP_MAP_DYING + 1;

    private readonly devmap_snapshot _native;

    private MeterReading()
    {
        devmap_snapshot native;
        foreach (devmap_map_info map in SnapshotReader.ReadNative(&native))
        {
            // Of a library that knows more: counted by no attribute rather than by a wrong one.
            if (map.type is < 0 or >= TypeCount || map.state is < 0 or >= StateCount)
                continue;
            Maps[map.type, map.state]++;
            PagesInUse[map.type] += (long)map.pages_in_use;
            Pages[map.type] += (long)map.nr_pages;
        }

        _native = native;
    }

    public ref readonly devmap_snapshot Native => ref _native;

    public ref readonly devmap_stats Stats => ref _native.stats;

    public long[,] Maps { get; } = new long[TypeCount, StateCount];

    public long[] Pages { get; } = new long[TypeCount];

    public long[] PagesInUse { get; } = new long[TypeCount];

    /// <exception cref="Exception">The native side failed, or there is no memory.</exception>
    public static MeterReading Take() => new();
}
