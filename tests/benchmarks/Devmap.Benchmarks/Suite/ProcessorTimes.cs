// SPDX-License-Identifier: MIT
using System.Globalization;
using System.Runtime.InteropServices;

namespace Devmap.Benchmarks.Suite;

/// <summary>The first line of /proc/stat, in clock ticks of all cores.</summary>
[StructLayout(LayoutKind.Auto)]
internal readonly record struct ProcessorTimes(long Total, long Idle, long Stolen)
{
    public static ProcessorTimes Read() => Parse(File.ReadAllText("/proc/stat"));

    public static ProcessorTimes Parse(string stat)
    {
        // user nice system idle iowait irq softirq steal; what follows is in user and nice already.
        long[] ticks = [.. stat.Split('\n')[0].Split(' ', StringSplitOptions.RemoveEmptyEntries).Skip(1).Take(8).Select(Number)];
        return ticks.Length == 8 ? new(ticks.Sum(), ticks[3] + ticks[4], ticks[7]) : throw new SuiteException("/proc/stat does not begin with the times of all cores.");
    }

    public static ProcessorTimes operator -(ProcessorTimes after, ProcessorTimes before) =>
        new(after.Total - before.Total, after.Idle - before.Idle, after.Stolen - before.Stolen);

    /// <summary>The part of the time that the hypervisor took.</summary>
    public double StealShare => Total > 0 ? (double)Stolen / Total : 0;

    /// <summary>The part that anybody but the hypervisor and <paramref name="own"/> took.</summary>
    public double BusyShare(long own) => Total > 0 ? Math.Max(0, (double)(Total - Idle - Stolen - own) / Total) : 0;

    private static long Number(string text) => long.Parse(text, NumberStyles.None, CultureInfo.InvariantCulture);
}
