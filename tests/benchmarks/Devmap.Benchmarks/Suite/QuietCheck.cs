// SPDX-License-Identifier: MIT
using System.Diagnostics;
using System.Globalization;
using System.Runtime.CompilerServices;

namespace Devmap.Benchmarks.Suite;

/// <summary>Looks for a moment whether anything else runs.</summary>
internal static class QuietCheck
{
    private const double NoisyShare = 0.05;
    private const int Spins = 50;
    private const int SpinLength = 2_000_000;

    private static readonly TimeSpan Moment = TimeSpan.FromSeconds(2);

    public static async Task<Quietness> LookAsync(CancellationToken interrupt)
    {
        ProcessorTimes before = ProcessorTimes.Read();
        Dictionary<int, ProcessTimes> processes = ProcessTimes.ReadAll();
        await Task.Delay(Moment, interrupt).ConfigureAwait(false);
        ProcessorTimes all = ProcessorTimes.Read() - before;
        Dictionary<int, ProcessTimes> used = ProcessTimes.ReadAll();

        long own = Ticks(used[Environment.ProcessId], processes);
        Summary spins = Summary.Of(Enumerable.Range(0, Spins).Select(_ => Spin()).ToArray());
        return new()
        {
            BusyShare = all.BusyShare(own),
            Cores = Environment.ProcessorCount,
            Steal = all.StealShare,
            NoisyProcesses = [.. used.Values.Where(process => process.Id != Environment.ProcessId).SelectMany(process => Noise(process, processes, all))],
            SpinSpread = spins.Spread / spins.Median,
        };
    }

    private static IEnumerable<string> Noise(ProcessTimes process, Dictionary<int, ProcessTimes> before, ProcessorTimes all)
    {
        double share = (double)Ticks(process, before) * Environment.ProcessorCount / Math.Max(1, all.Total);
        if (share > NoisyShare)
            yield return string.Create(CultureInfo.InvariantCulture, $"{process.Name} ({process.Id}, {Show.Percent(share)} of a core)");
    }

    private static long Ticks(ProcessTimes process, Dictionary<int, ProcessTimes> before) =>
        process.Ticks - (before.TryGetValue(process.Id, out ProcessTimes? old) ? old.Ticks : 0);

    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private static double Spin()
    {
        long start = Stopwatch.GetTimestamp();
        uint value = 1;
        for (int i = 0; i < SpinLength; i++)
            value = (value * 1664525) + 1013904223;
        GC.KeepAlive(value);
        return Stopwatch.GetElapsedTime(start).TotalMilliseconds;
    }
}
