// SPDX-License-Identifier: MIT
using System.Runtime.InteropServices;

namespace Devmap.CommandLine.Far;

/// <summary>How much memory a job may take, its program included, and whether that proves anything.</summary>
/// <remarks>
/// It takes a cgroup to say so: of the resource limits, RLIMIT_AS and RLIMIT_DATA count address space, which far memory takes
/// in full, and RLIMIT_RSS has no effect on Linux.
/// </remarks>
/// <param name="Limit">Bytes.</param>
/// <param name="Size">Bytes of data.</param>
[StructLayout(LayoutKind.Auto)]
internal readonly record struct MemoryPlan(long Limit, long Size)
{
    /// <summary>For the runtime, its heap, and this program.</summary>
    private const long Allowance = 256 << 20;

    /// <summary>Less than that the runtime does not live on.</summary>
    private const long LeastAllowance = 64 << 20;

    /// <summary>What the library knows of a page, wherever its data are, and this program's own ledger.</summary>
    private const long BytesAPage = 192;

    /// <summary>Of what the generated contents take when they are compressed, with a margin.</summary>
    private const double Compressed = 0.6;

    /// <summary>Whether a job within the limit shows that there is more data than memory.</summary>
    public bool Proves => Limit < Size;

    /// <param name="settings">The job.</param>
    /// <param name="storeIsInMemory">Whether the store's file is in a file system that is memory.</param>
    public static MemoryPlan Of(FarSettings settings, bool storeIsInMemory)
    {
        long store = settings.Store switch
        {
            FarStoreKind.Lz4 => (long)(settings.Length * Compressed),
            FarStoreKind.File when !storeIsInMemory => 0,
            _ => settings.Length,
        };
        return new MemoryPlan(settings.MemoryLimit ?? long.CreateSaturating((Int128)settings.ResidentLimit + store + ((Int128)settings.Pages * BytesAPage) + Allowance), settings.Length);
    }

    public static long LeastLimit(FarSettings settings) => long.CreateSaturating((Int128)settings.ResidentLimit + LeastAllowance);
}
