// SPDX-License-Identifier: MIT
using System.Runtime.CompilerServices;
using Xunit;

namespace Devmap.Tests;

/// <summary>What is garbage-collected without being disposed, or held for too long, is told once, with where it was taken.</summary>
public sealed class LostLeaseTests : IDisposable
{
    private static readonly TimeSpan s_patience = TimeSpan.FromMinutes(1);

    private readonly LevelSetting _level = new(DiagnosticLevel.Full);
    private readonly FaultLog _log = new();
    private readonly DevmapStatistics _before = DevmapDiagnostics.ReadStatistics();

    private static DevmapStatistics Now => DevmapDiagnostics.ReadStatistics();

    public void Dispose()
    {
        _log.Dispose();
        _level.Dispose();
    }

    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public void A_lost_lease_is_told_with_its_stack_and_keeps_its_page(bool reuse)
    {
        using DevicePageMap map = Create(reuse);
        map.Lease(1).Dispose();
        Lose(map);
        Collect();
        Collect();

        DevmapFaultEventArgs fault = Assert.Single(_log.Faults);
        Assert.Equal(DevmapFaultKind.LostLease, fault.Kind);
        Assert.True(fault.IsLeak);
        Assert.Equal(3, fault.PageIndex);
        Assert.Same(map, fault.Map);
        Assert.Equal(2, fault.PageCount);
        Assert.Contains($"lease of page 3 of {map} was lost", fault.Message, StringComparison.Ordinal);
        Assert.Contains($"managed thread {Environment.CurrentManagedThreadId}", fault.Message, StringComparison.Ordinal);
        Assert.Contains(nameof(Lose), fault.Message, StringComparison.Ordinal);
        Assert.Equal(1, Now.LostLeases - _before.LostLeases);
        Assert.Equal(1, Now.Leaks - _before.Leaks);
        Assert.Equal(0, Now.Faults - _before.Faults);
        Assert.Equal(2, map[3].Count);
        NativeReferences.PutLost(map[3]);
        Assert.True(map[3].IsIdle);
    }

    [Fact]
    public void A_lost_share_of_elements_is_told()
    {
        using FarMemory memory = FarMemory.Create(8 * 4096, new() { DisposeTimeout = TimeSpan.Zero });
        using (PageLease<int> lease = memory.Lease<int>(0, 1))
        {
            LoseShare(lease);
            Collect();
            Assert.Equal(DevmapFaultKind.LostLease, Assert.Single(_log.Faults).Kind);
            Assert.Contains(nameof(LoseShare), _log.Faults.First().Message, StringComparison.Ordinal);
        }

        NativeReferences.PutLost(memory.Map[0]);
    }

    [Fact]
    public void A_disposed_lease_is_not_lost()
    {
        using DevicePageMap map = Create(reuse: false);
        TakeAndDispose(map);
        Collect();

        Assert.Empty(_log.Faults);
    }

    [Fact]
    public void A_pinned_lease_is_not_lost()
    {
        using DevicePageMap map = Create(reuse: false);
        System.Buffers.MemoryHandle pin = Pin(map);
        Collect();
        Assert.Empty(_log.Faults);
        pin.Dispose();

        Assert.Empty(map.GetBusyPages());
    }

    [Fact]
    public void A_lost_lease_that_is_not_followed_is_not_told()
    {
        using DevicePageMap map = Create(reuse: false);
        map.DiagnosticLevel = DiagnosticLevel.Counters;
        Lose(map);
        Collect();

        Assert.Empty(_log.Faults);
        Assert.Equal(2, map[3].Count);
        NativeReferences.Put(map[3]);
    }

    [Fact]
    public void A_lease_that_is_lost_together_with_its_map_is_told()
    {
        LoseWithMap();
        Collect();
        DevmapFaultEventArgs fault = Assert.Single(_log.Faults);
        Assert.Equal(DevmapFaultKind.LostLease, fault.Kind);

        NativeReferences.PutLost(fault.Map![3]);
        fault.Map.Dispose();
    }

    [Fact]
    public void A_lost_hold_of_the_gate_is_told_with_where_it_was_taken()
    {
        LoseHold();
        Collect();
        DevmapFaultEventArgs fault = Assert.Single(_log.Faults);
        Assert.Equal(DevmapFaultKind.LostGateHold, fault.Kind);
        Assert.Contains(nameof(LoseHold), fault.Message, StringComparison.Ordinal);

        DevmapDiagnostics.Level = DiagnosticLevel.Counters;
        LoseHold();
        Collect();
        Assert.Equal(2, _log.Faults.Count);
        Assert.DoesNotContain(nameof(LoseHold), _log.Faults.Last().Message, StringComparison.Ordinal);

        DevmapDiagnostics.Level = DiagnosticLevel.Off;
        LoseHold();
        Collect();
        Assert.Equal(2, _log.Faults.Count);
        Assert.Equal(2, Now.LostGateHolds - _before.LostGateHolds);
        for (int i = 0; i < 3; i++)
            Assert.Equal(0, Devmap.Interop.NativeMethods.devmap_pagemap_put_ops());
        Assert.Equal(_before.GateHolders, Now.GateHolders);
    }

    [Fact]
    public void Holds_of_the_gate_that_are_left_at_the_end_are_told_once()
    {
        string errors = ChildProcess.Run(static _ =>
        {
            DevmapGateHold first = DevmapGate.Hold();
            DevmapGateHold second = DevmapGate.Hold();
            DevmapGate.Hold().Dispose();
            AppDomain.CurrentDomain.ProcessExit += (_, _) => GC.KeepAlive((first, second));
        });

        Assert.Equal(
            "devmap: LostGateHold: 2 holds of the gate not given back by the end of the process; with DevmapDiagnostics.Level at Full, a lost hold's stack is told "
            + "(the first of its kind; others are only counted)",
            errors.Trim());
    }

    [Fact]
    public void Holds_that_are_given_back_are_not_told_at_the_end() =>
        Assert.Empty(ChildProcess.Run(static _ => DevmapGate.Hold().Dispose()));

    [Fact]
    public void References_that_are_held_for_too_long_are_told_once_with_who_holds_them()
    {
        using DevicePageMap map = Create(reuse: false);
        using PageLease lease = map.Lease(3);
        using var told = new ManualResetEventSlim();
        void Listen(object? sender, DevmapFaultEventArgs fault) => told.Set();
        DevmapDiagnostics.Fault += Listen;
        DevmapDiagnostics.HeldTooLongAfter = TimeSpan.FromTicks(1);
        try
        {
            Assert.Equal(TimeSpan.FromTicks(1), DevmapDiagnostics.HeldTooLongAfter);
            Assert.True(told.Wait(s_patience));
        }
        finally
        {
            DevmapDiagnostics.HeldTooLongAfter = null;
            DevmapDiagnostics.Fault -= Listen;
        }

        Assert.Equal(0ul, Devmap.Interop.NativeMethods.devmap_report_held(1));
        DevmapFaultEventArgs fault = Assert.Single(_log.Faults);
        Assert.Equal(DevmapFaultKind.HeldTooLong, fault.Kind);
        Assert.True(fault.IsLeak);
        Assert.Same(map, fault.Map);
        Assert.Equal(3, fault.PageIndex);
        Assert.True(fault.Duration > TimeSpan.Zero);
        Assert.Contains(nameof(References_that_are_held_for_too_long_are_told_once_with_who_holds_them), fault.Holder!.Stack, StringComparison.Ordinal);
        Assert.Equal(1, Now.ReferencesHeldTooLong - _before.ReferencesHeldTooLong);
    }

    [Theory]
    [InlineData(1, 1)]
    [InlineData(4, 1)]
    [InlineData(60, 15)]
    [InlineData(31_536_000, 86_400)]
    public void Looking_for_them_is_done_every_quarter_but_no_more_than_once_a_second(int limit, int seconds) =>
        Assert.Equal(TimeSpan.FromSeconds(seconds), Devmap.Native.HeldReferences.Period(TimeSpan.FromSeconds(limit)));

    [Fact]
    public void A_limit_is_set_where_the_flow_of_contexts_is_suppressed_too()
    {
        using (ExecutionContext.SuppressFlow())
            DevmapDiagnostics.HeldTooLongAfter = TimeSpan.FromDays(1);
        DevmapDiagnostics.HeldTooLongAfter = null;

        Assert.False(ExecutionContext.IsFlowSuppressed());
    }

    [Fact]
    public void A_limit_is_positive()
    {
        Assert.Throws<ArgumentOutOfRangeException>(() => DevmapDiagnostics.HeldTooLongAfter = TimeSpan.Zero);
        Assert.Throws<ArgumentOutOfRangeException>(() => DevmapDiagnostics.HeldTooLongAfter = Timeout.InfiniteTimeSpan);
        Assert.Null(DevmapDiagnostics.HeldTooLongAfter);
    }

    private static void Collect()
    {
        for (int i = 0; i < 2; i++)
        {
            GC.Collect();
            GC.WaitForPendingFinalizers();
        }
    }

    private static DevicePageMap Create(bool reuse) =>
        DevicePageMap.Create(new() { PageCount = 8, DisposeTimeout = TimeSpan.Zero, ReuseLeases = reuse });

    [MethodImpl(MethodImplOptions.NoInlining)]
    private static void Lose(DevicePageMap map) => map.Lease(3).Span[0] = 1;

    [MethodImpl(MethodImplOptions.NoInlining)]
    private static void LoseShare(PageLease<int> lease) => lease.Share().Span[0] = 1;

    [MethodImpl(MethodImplOptions.NoInlining)]
    private static void LoseWithMap() => Lose(Create(reuse: false));

    [MethodImpl(MethodImplOptions.NoInlining)]
    private static void LoseHold() => GC.KeepAlive(DevmapGate.Hold());

    [MethodImpl(MethodImplOptions.NoInlining)]
    private static void TakeAndDispose(DevicePageMap map) => map.Lease(3).Dispose();

    [MethodImpl(MethodImplOptions.NoInlining)]
    private static System.Buffers.MemoryHandle Pin(DevicePageMap map)
    {
        using PageLease lease = map.Lease(3);
        return lease.Pin();
    }
}
