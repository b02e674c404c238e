// SPDX-License-Identifier: MIT
using Devmap.Interop;

namespace Devmap.Native;

/// <summary>The latest faults, for snapshots. What is kept holds neither maps nor exceptions.</summary>
internal static class RecentFaults
{
    /// <summary>How many are kept.</summary>
    public const int Capacity = 64;

    private static readonly FaultSnapshot?[] s_faults = new FaultSnapshot[Capacity];
    private static readonly Lock s_lock = new();
    private static long s_count;

    /// <summary>Keeps a fault, unless the level is Off.</summary>
    public static void Add(DevmapFaultEventArgs fault)
    {
        if (NativeMethods.devmap_get_level() == (int)DiagnosticLevel.Off)
            return;
        var kept = new FaultSnapshot
        {
            Time = DateTimeOffset.UtcNow,
            Kind = fault.Kind,
            Message = fault.Message,
            PageIndex = fault.PageIndex,
            PageCount = fault.PageCount,
            MapName = fault.Map?.Name,
            Duration = fault.Duration,
            Stack = StackOf(fault.Exception),
        };
        lock (s_lock)
            s_faults[s_count++ % Capacity] = kept;
    }

    /// <summary>What is kept, oldest first.</summary>
    public static IReadOnlyList<FaultSnapshot> Read()
    {
        lock (s_lock)
        {
            var faults = new FaultSnapshot[(int)Math.Min(s_count, Capacity)];
            for (int i = 0; i < faults.Length; i++)
                faults[i] = s_faults[(s_count - faults.Length + i) % Capacity]!;
            return faults;
        }
    }

    /// <summary>An exception's stack trace is its author's code.</summary>
    private static string? StackOf(Exception? exception)
    {
        try
        {
            return exception?.StackTrace;
        }
#pragma warning disable CA1031 // A fault that cannot be told in full is told in part.
        catch (Exception)
#pragma warning restore CA1031
        {
            return null;
        }
    }
}
