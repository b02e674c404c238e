// SPDX-License-Identifier: MIT
namespace Devmap.CommandLine.Snapshots;

/// <summary>Which kinds of fault were met, and how often.</summary>
internal static class SnapshotTroubles
{
    public static IReadOnlyList<string> Faults(DevmapStatistics counts) => Met(
        (counts.OverflowFaults, "overflow"),
        (counts.UnderflowFaults, "underflow"),
        (counts.UseAfterFreeFaults, "use after free"),
        (counts.ActivationFaults, "activation refused"),
        (counts.DriverFaults, "driver threw"),
        (counts.SlowCallbackFaults, "slow callback"),
        (counts.BlockedTeardownFaults, "blocked teardown"),
        (counts.UseAfterDisposeFaults, "use after dispose"));

    public static IReadOnlyList<string> Leaks(DevmapStatistics counts) => Met(
        (counts.LostLeases, "lost lease"),
        (counts.BusyTeardowns, "busy teardown"),
        (counts.LostGateHolds, "lost hold of the gate"),
        (counts.ReferencesHeldTooLong, "held too long"));

    private static string[] Met(params ReadOnlySpan<(long Count, string Name)> kinds)
    {
        List<string> met = [];
        foreach ((long count, string name) in kinds)
        {
            if (count > 0)
                met.Add($"{SnapshotText.Count(count)} {name}");
        }

        return [.. met];
    }
}
