// SPDX-License-Identifier: MIT
namespace Devmap.Benchmarks.Suite;

/// <summary>Counts how much of the machine others take between its creation and the end of the benchmarks.</summary>
internal sealed class RunWatch
{
    private readonly ProcessorTimes _all = ProcessorTimes.Read();
    private readonly long _own = ProcessTimes.ReadOwn().TicksWithChildren;

    /// <summary>What a look says, or what was counted, whichever is worse.</summary>
    public Quietness And(Quietness look)
    {
        ProcessorTimes all = ProcessorTimes.Read() - _all;
        long own = ProcessTimes.ReadOwn().TicksWithChildren - _own;
        return look with { BusyShare = Math.Max(look.BusyShare, all.BusyShare(own)), Steal = Math.Max(look.Steal, all.StealShare) };
    }
}
