// SPDX-License-Identifier: MIT
using System.Diagnostics.Tracing;
using Devmap.Interop;
using Xunit;

namespace Devmap.Tests.Telemetry;

/// <summary>What happens is told as events, to whoever asks for that kind of it.</summary>
public sealed class EventTests : IDisposable
{
    private const int InputOutputError = 5;

    private readonly TemporaryDirectory _directory = new();

    public void Dispose() => _directory.Dispose();

    [Fact]
    public void A_maps_life_is_told()
    {
        using var log = new EventLog();
        DevicePageMap map = CreateMap(new CountingDriver());
        using (map.Lease(1))
            Assert.Throws<PagesBusyException>(map.Dispose);
        map.Dispose();
        map.Dispose();

        Assert.Equal(
            [
                $"MapCreated: {map} | {map.Address} | DevicePublic | 8 | 4096",
                $"MapDisposeTimedOut: {map} | {map.Address} | 1 | 0",
                $"MapDisposed: {map} | {map.Address}",
            ],
            log.Texts.Where(text => text.StartsWith("Map", StringComparison.Ordinal) && text.Contains($"{map}", StringComparison.Ordinal)));
    }

    [Fact]
    public async Task A_disposal_that_waits_is_told_once()
    {
        using var log = new EventLog(keywords: 1);
        var map = DevicePageMap.Create(new() { PageCount = 8, DisposeTimeout = TimeSpan.FromTicks(1) });
        PageLease lease = map.Lease(1);
        await Assert.ThrowsAsync<PagesBusyException>(async () => await map.DisposeAsync());
        lease.Dispose();
        await map.DisposeAsync();

        Assert.Equal(["MapCreated", "MapDisposeTimedOut", "MapDisposed"], log.Events.Where(happened => happened.Payload![0] is string name && name == map.ToString()).Select(happened => happened.EventName));
    }

    [Fact]
    public void A_map_that_could_not_be_claimed_is_told_to_be_gone()
    {
        string path = _directory.KnownFile(4096);
        using DaxFile first = DaxFile.Open(path, new() { Access = FileAccess.ReadWrite });
        using var log = new EventLog(keywords: 1);
        Assert.Throws<IOException>(() => DaxFile.Open(path));

        Assert.Equal(["MapCreated", "MapDisposed"], log.Events.Select(happened => happened.EventName));
    }

    [Fact]
    public void Holds_of_the_gate_are_told_with_how_many_there_are()
    {
        using var log = new EventLog(keywords: 2);
        int before = DevmapGate.HolderCount;
        DevmapGateHold hold = DevmapGate.Hold();
        hold.Dispose();
        hold.Dispose();

        Assert.Equal([$"GateHeld: {before + 1}", $"GateReleased: {before}"], log.Texts);
    }

    [Fact]
    public void A_fault_is_told_as_misuse()
    {
        using var faults = new FaultLog();
        using var log = new EventLog(keywords: 4);
        using DevicePageMap map = CreateMap(new CallingDriver(_ => throw new FormatException("The driver's own.")));
        map.Lease(3).Dispose();
        NativeReferences.Put(map[3]);

        Assert.Collection(
            log.Texts,
            text => Assert.Equal("Misuse: Driver | The driver threw System.FormatException: The driver's own. | 3 | 1 | System.FormatException", text),
            text => Assert.StartsWith("Misuse: Underflow | a reference dropped that nobody held", text, StringComparison.Ordinal));
    }

    [Fact]
    public unsafe void A_leak_is_told_apart_from_misuse()
    {
        using var faults = new FaultLog();
        using var log = new EventLog(keywords: 8);
        Assert.Equal(0, NativeMethods.devmap_report_fault((int)devmap_fault_kind.DEVMAP_FAULT_LEAK_OPS, null, null));

        EventWrittenEventArgs leak = Assert.Single(log.Events);
        Assert.Equal("Leak", leak.EventName);
        Assert.Equal("a hold of the gate was never given back", leak.Payload![1]);
        Assert.Equal(-1L, leak.Payload[2]);
    }

    [Fact]
    public void A_change_that_waits_for_readers_is_told_from_its_start_to_its_stop()
    {
        using DaxFile file = DaxFile.Open(_directory.KnownFile(8192), new() { Access = FileAccess.ReadWrite });
        using var log = new EventLog(keywords: 16);
        using (file.Lease(0, 1))
            Assert.Throws<PagesBusyException>(() => file.SetLength(0, TimeSpan.Zero));
        file.SetLength(4096, TimeSpan.Zero);
        file.PunchHole(0, 4096, TimeSpan.Zero);

        Assert.Equal(["Setting the length: 0, 8192", "timeout", "Setting the length: 4096, 4096", "done", "Punching a hole: 0, 4096", "done"], log.Events.Select(Short));
        Assert.All(log.Events.Chunk(2), pair => Assert.Equal(pair[0].Payload![0], pair[1].Payload![0]));
        Assert.Equal(3, log.Events.Select(happened => happened.Payload![0]).Distinct().Count());

        static string Short(EventWrittenEventArgs happened) => happened.EventName == "LayoutBreakStart"
            ? FormattableString.Invariant($"{happened.Payload![2]}: {happened.Payload[3]}, {happened.Payload[4]}")
            : (string)happened.Payload![3]!;
    }

    [Fact]
    public void Growing_waits_for_nobody_and_is_not_told()
    {
        using DaxFile file = DaxFile.Open(_directory.KnownFile(4096), new() { Access = FileAccess.ReadWrite, Capacity = 8192 });
        using var log = new EventLog(keywords: 16);
        file.SetLength(8192, TimeSpan.Zero);

        Assert.Empty(log.Events);
    }

    [Fact]
    public async Task A_change_that_waits_in_the_background_is_told_once_however_it_ends()
    {
        using DaxFile file = DaxFile.Open(_directory.KnownFile(8192), new() { Access = FileAccess.ReadWrite });
        using var log = new EventLog(keywords: 16);
        using var cancellation = new CancellationTokenSource();
        Task cancelled;
        using (file.Lease(0, 1))
        {
            cancelled = file.SetLengthAsync(0, Timeout.InfiniteTimeSpan, cancellation.Token);
            await cancellation.CancelAsync();
            await Assert.ThrowsAnyAsync<OperationCanceledException>(() => cancelled);
        }

        Assert.True(cancelled.IsCanceled);
        PageLease lease = file.Lease(0, 1);
        Task done = file.SetLengthAsync(0, Timeout.InfiniteTimeSpan);
        lease.Dispose();
        await done;

        Assert.Equal(["LayoutBreakStart", "LayoutBreakStop", "LayoutBreakStart", "LayoutBreakStop"], log.Events.Select(happened => happened.EventName));
        Assert.Equal(["cancelled", "done"], log.Events.Where(happened => happened.EventName == "LayoutBreakStop").Select(happened => happened.Payload![3]));
    }

    [Fact]
    public void Pages_that_are_refused_are_told()
    {
        using DevicePageMap map = CreateMap(new CountingDriver());
        using var log = new EventLog(keywords: 32);
        using (map.Lease(0))
        {
            Assert.Throws<PagesBusyException>(map.Dispose);
            Assert.Throws<ObjectDisposedException>(() => map.Lease(2, 3));
        }

        Assert.Equal([$"PageRefused: {map} | 2 | 3 | teardown"], log.Texts);
    }

    [Fact]
    public void Pages_of_far_memory_that_is_being_disposed_are_refused_and_told()
    {
        using FarMemory memory = FarMemory.Create(4 * 4096, new() { DisposeTimeout = TimeSpan.Zero });
        using var log = new EventLog(keywords: 32);
        using (memory.Lease(0, 1))
        {
            Assert.Throws<PagesBusyException>(memory.Dispose);
            Assert.Throws<ObjectDisposedException>(() => memory.Lease(4096, 2 * 4096));
        }

        Assert.Equal([$"PageRefused: {memory.Map} | 1 | 2 | teardown"], log.Texts);
    }

    [Fact]
    public async Task Pages_of_a_file_that_is_being_truncated_are_refused_and_told()
    {
        using DaxFile file = DaxFile.Open(_directory.KnownFile(8192), new() { Access = FileAccess.ReadWrite });
        using var log = new EventLog(keywords: 32);
        PageLease lease = file.Lease(4096, 1);
        Task truncation = file.SetLengthAsync(0, Timeout.InfiniteTimeSpan);

        // Until the truncation has marked the pages they are leased.
        while (file.TryLease(0, 4097, out PageLease? other))
            other.Dispose();
        lease.Dispose();
        await truncation;

        Assert.Contains($"PageRefused: {file.Map} | 0 | 2 | layout_break", log.Texts);
    }

    [Fact]
    public void Levels_are_told_when_they_change()
    {
        using DevicePageMap map = CreateMap(new CountingDriver());
        using var log = new EventLog();
        DiagnosticLevel before = DevmapDiagnostics.Level;
        DevmapDiagnostics.Level = DiagnosticLevel.Full;
        DevmapDiagnostics.Level = DiagnosticLevel.Full;
        map.DiagnosticLevel = DiagnosticLevel.Off;
        map.DiagnosticLevel = null;
        DevmapDiagnostics.Level = before;

        Assert.Equal(
            [
                $"LevelChanged: the process | Full | {before}",
                $"LevelChanged: {map} | Off | the process's",
                $"LevelChanged: {map} | the process's | Off",
                $"LevelChanged: the process | {before} | Full",
            ],
            log.Texts);
    }

    [Fact]
    public void Leases_that_are_followed_are_told()
    {
        using DevicePageMap map = CreateMap(new CountingDriver());
        map.Lease(1, 2).Dispose();
        map.DiagnosticLevel = DiagnosticLevel.Full;
        using var log = new EventLog(keywords: 32);
        map.Lease(1, 2).Dispose();

        Assert.Equal(["LeaseTracked", "LeaseReleased"], log.Events.Select(happened => happened.EventName));
        EventWrittenEventArgs taken = log.Events.First();
        Assert.Equal([map.ToString(), 1L, 2L], taken.Payload!.Skip(1).Take(3));
        Assert.NotEqual(0L, taken.Payload![4]);
        Assert.Equal(taken.Payload[0], log.Events.Last().Payload![0]);
    }

    [Fact]
    public async Task A_page_that_the_store_fails_to_take_is_told()
    {
        using HmmDevice device = new(new() { Faults = HmmFaultService.None });
        FarMemory memory = FarMemory.Create(device, 2 * 4096, new() { Store = new FailingStore(), Observer = new Deaf() });
        using (PageLease lease = memory.Lease(0, 2 * 4096))
            lease.Span.Fill(1);
        FailingStore.FailWrites = InputOutputError;
        using var log = new EventLog(keywords: 64);
        FarMigration migration = await memory.EvictAsync(0, 2 * 4096);
        await memory.DisposeAsync();

        EventWrittenEventArgs failed = Assert.Single(log.Events);
        Assert.Equal("FarPageFailed", failed.EventName);
        Assert.Equal([memory.ToString(), migration.FirstFailedPage!.Value, "Eviction"], failed.Payload!.Take(3));
    }

    [Fact]
    public void Only_what_was_asked_for_is_told()
    {
        using var log = new EventLog(EventLevel.Warning, keywords: 1);
        CreateMap(new CountingDriver()).Dispose();
        DevmapGate.Hold().Dispose();

        Assert.Empty(log.Events);
    }

    /// <summary>There, so that there are events.</summary>
    private sealed class Deaf : FarMemoryObserver;

    private static DevicePageMap CreateMap(PageDriver driver) =>
        DevicePageMap.Create(new() { Type = MemoryType.DevicePublic, PageCount = 8, Driver = driver, DisposeTimeout = TimeSpan.Zero });
}
