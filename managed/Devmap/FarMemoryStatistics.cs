// SPDX-License-Identifier: MIT
using System.Runtime.InteropServices;
using Devmap.Interop;

namespace Devmap;

/// <summary>What a far memory counts, in pages and faults since it was created unless it says otherwise; not of one instant.</summary>
[StructLayout(LayoutKind.Auto)]
public readonly record struct FarMemoryStatistics
{
    internal FarMemoryStatistics(in devmap_hmm_range_stats stats, long storeBytes)
    {
        HoleFaults = (long)stats.faults_hole;
        DeviceFaults = (long)stats.faults_device;
        WriteFaults = (long)stats.faults_write;
        FaultsServedAlready = (long)stats.faults_served_already;
        FaultsFailed = (long)stats.faults_failed;
        ToDevice = (long)stats.to_device;
        ToDeviceUncopied = (long)stats.to_device_uncopied;
        ToMemory = (long)stats.to_ram;
        RefusedInUse = (long)stats.refused_in_use;
        Failed = (long)stats.failed;
        OverLimit = (long)stats.over_limit;
        Resident = (long)stats.resident;
        Copies = (long)stats.copies;
        OnDevice = (long)stats.on_device;
        Limit = (long)stats.limit;
        StoreBytes = storeBytes;
    }

    /// <summary>Faults served on pages that were never used.</summary>
    public long HoleFaults { get; }

    /// <summary>Faults on pages whose data were in the store.</summary>
    public long DeviceFaults { get; }

    /// <summary>Faults served by a first write to a page whose copy in the store was kept.</summary>
    public long WriteFaults { get; }

    /// <summary>
    /// Faults that another one, or a lease, had served by the time they were looked at, or whose page had gone to the store since:
    /// then who still wants it meets a new one.
    /// </summary>
    public long FaultsServedAlready { get; }

    /// <summary>Faults that the store failed; each is one of the <see cref="DeviceFaults"/>.</summary>
    public long FaultsFailed { get; }

    /// <summary>Faults of any kind.</summary>
    public long Faults => HoleFaults + DeviceFaults + WriteFaults + FaultsServedAlready;

    /// <summary>Pages that went to the store.</summary>
    public long ToDevice { get; }

    /// <summary>Of these, those that needed no copying, as the store still had them.</summary>
    public long ToDeviceUncopied { get; }

    /// <summary>Pages that came back to memory, by faults, leases and prefetches.</summary>
    public long ToMemory { get; }

    /// <summary>Pages that did not go to the store because they were in use.</summary>
    public long RefusedInUse { get; }

    /// <summary>Pages that did not migrate for an error.</summary>
    public long Failed { get; }

    /// <summary>
    /// Pages that came to memory beyond the limit, as a fault had to be served while all that was in memory was in use.
    /// </summary>
    public long OverLimit { get; }

    /// <summary>Pages in memory now.</summary>
    public long Resident { get; }

    /// <summary>Of these, those that the store has too.</summary>
    public long Copies { get; }

    /// <summary>Pages in the store only, now.</summary>
    public long OnDevice { get; }

    /// <summary>Pages that may be in memory now: all, where there is no limit.</summary>
    public long Limit { get; }

    /// <summary>Bytes that the store takes now, of memory or of its file.</summary>
    public long StoreBytes { get; }
}
