// SPDX-License-Identifier: MIT
using System.Diagnostics;
using System.Diagnostics.CodeAnalysis;
using Xunit;

namespace Devmap.Tests;

/// <summary>Each misuse is one event, with enough to find it; none is fatal unless asked.</summary>
public sealed class MisuseTests : IDisposable
{
    private const int Page = 4096;

    private readonly FaultLog _log = new();
    private readonly DevmapStatistics _before = DevmapDiagnostics.ReadStatistics();

    /// <summary>Uses of something disposed, by what they are called in the message.</summary>
    public static TheoryData<string, string> Uses => new()
    {
        { "lease.Span", "Span of a disposed PageLease" },
        { "lease.ReadOnlySpan", "GetSpan of a disposed PageLease" },
        { "lease.Memory", "Memory of a disposed PageLease" },
        { "lease.Pin", "Pin of a disposed PageLease" },
        { "lease.Share", "Share of a disposed PageLease" },
        { "memory.Span", "GetSpan of a disposed PageLease" },
        { "elements.Span", "Span of a disposed PageLease" },
        { "map.Lease", "of a disposed DevicePageMap" },
        { "map.TryLease", "of a disposed DevicePageMap" },
        { "map.GetBusyPages", "of a disposed DevicePageMap" },
        { "page.Count", "Count of a disposed DevicePageMap" },
        { "page.DangerousGetSpan", "DangerousGetSpan of a disposed DevicePageMap" },
        { "file.Length", "Length of a disposed DevicePageMap" },
        { "device", "of a disposed HmmDevice" },
    };

    private static DevmapStatistics Now => DevmapDiagnostics.ReadStatistics();

    public void Dispose() => _log.Dispose();

    [Theory]
    [MemberData(nameof(Uses))]
    public void A_use_after_dispose_is_told_once_a_throw(string use, string what)
    {
        Assert.Throws<ObjectDisposedException>(() => UseDisposed(use));

        DevmapFaultEventArgs fault = Assert.Single(_log.Faults);
        Assert.Equal(DevmapFaultKind.UseAfterDispose, fault.Kind);
        Assert.False(fault.IsLeak);
        Assert.Contains(what, fault.Message, StringComparison.Ordinal);
        Assert.Equal(1, Now.UseAfterDisposeFaults - _before.UseAfterDisposeFaults);
        Assert.Equal(1, Now.Faults - _before.Faults);
    }

    [Theory]
    [MemberData(nameof(Uses))]
    public void At_off_it_is_not_told(string use, string what)
    {
        using var setting = new LevelSetting(DiagnosticLevel.Off);
        Assert.Throws<ObjectDisposedException>(() => UseDisposed(use));

        Assert.NotEmpty(what);
        Assert.Empty(_log.Faults);
        Assert.Equal(0, Now.UseAfterDisposeFaults - _before.UseAfterDisposeFaults);
    }

    [Fact]
    public void At_full_it_is_told_with_where()
    {
        using var setting = new LevelSetting(DiagnosticLevel.Full);
        Assert.Throws<ObjectDisposedException>(() => UseDisposed("lease.Span"));

        Assert.Contains(nameof(UseDisposed), Assert.Single(_log.Faults).Message, StringComparison.Ordinal);
    }

    [Fact]
    public void A_lease_refused_by_a_map_that_is_being_disposed_is_no_misuse()
    {
        using DevicePageMap map = Create();
        using (map.Lease(1))
        {
            Assert.Throws<PagesBusyException>(map.Dispose);
            Assert.Throws<ObjectDisposedException>(() => map.Lease(2));
        }

        Assert.DoesNotContain(_log.Faults, fault => fault.Kind == DevmapFaultKind.UseAfterDispose);
    }

    [Fact]
    public void A_listener_that_misuses_something_is_told_of_it_no_more()
    {
        PageLease lease = DisposedLease();
        void Use(object? sender, DevmapFaultEventArgs fault) => _ = lease.Span;
        long before = DevmapDiagnostics.ListenerExceptions;
        DevmapDiagnostics.Fault += Use;
        Assert.Throws<ObjectDisposedException>(() => { lease.GetSpan(); });
        DevmapDiagnostics.Fault -= Use;

        Assert.Single(_log.Faults);
        Assert.Equal(1, DevmapDiagnostics.ListenerExceptions - before);
    }

    [Theory]
    [InlineData(DiagnosticLevel.Counters, 0)]
    [InlineData(DiagnosticLevel.Sampled, 1)]
    [InlineData(DiagnosticLevel.Full, 1)]
    public void The_memory_of_a_page_that_nobody_holds_is_not_to_be_asked_for(DiagnosticLevel level, int faults)
    {
        using var setting = new LevelSetting(level);
        using DevicePageMap map = Create();
        _ = map[3].DangerousGetSpan();

        Assert.Equal(faults, _log.Faults.Count);
        Assert.All(_log.Faults, fault => Assert.Equal(DevmapFaultKind.UseAfterDispose, fault.Kind));
        Assert.All(_log.Faults, fault => Assert.Equal(3, fault.PageIndex));
        Assert.All(_log.Faults, fault => Assert.Contains($"DangerousGetSpan of page 3 of {map}", fault.Message, StringComparison.Ordinal));
        _ = map[3].DangerousGetReadOnlySpan();
        Assert.Equal(2 * faults, _log.Faults.Count);
    }

    [Fact]
    public void Under_a_lease_or_in_the_callback_it_is()
    {
        using var setting = new LevelSetting(DiagnosticLevel.Full);
        using DevicePageMap map = DevicePageMap.Create(new()
        {
            Type = MemoryType.DevicePublic,
            PageCount = 8,
            Driver = new CallingDriver(page => page.DangerousGetSpan().Clear()),
            DisposeTimeout = TimeSpan.Zero,
        });
        using (map.Lease(3))
            map[3].DangerousGetSpan().Fill(1);

        Assert.Empty(_log.Faults);
    }

    [Fact]
    public void A_callback_that_takes_too_long_is_told_with_how_long()
    {
        using var setting = new LevelSetting(DiagnosticLevel.Full);
        using DevicePageMap map = DevicePageMap.Create(new()
        {
            Type = MemoryType.DevicePublic,
            PageCount = 8,
            Driver = new CallingDriver(_ => Spin()),
            DisposeTimeout = TimeSpan.Zero,
        });
        Assert.Equal(TimeSpan.FromMilliseconds(100), DevmapDiagnostics.CallbackTimeLimit);
        DevmapDiagnostics.CallbackTimeLimit = TimeSpan.FromMilliseconds(1);
        try
        {
            map.Lease(3).Dispose();
            DevmapDiagnostics.CallbackTimeLimit = Timeout.InfiniteTimeSpan;
            map.Lease(4).Dispose();
            DevmapDiagnostics.CallbackTimeLimit = TimeSpan.Zero;
            map.Lease(5).Dispose();
        }
        finally
        {
            DevmapDiagnostics.CallbackTimeLimit = TimeSpan.FromMilliseconds(100);
        }

        DevmapFaultEventArgs fault = Assert.Single(_log.Faults);
        Assert.Equal(DevmapFaultKind.SlowCallback, fault.Kind);
        Assert.Equal(3, fault.PageIndex);
        Assert.Same(map, fault.Map);
        Assert.True(fault.Duration >= TimeSpan.FromMilliseconds(1));
        Assert.Equal(1, Now.SlowCallbackFaults - _before.SlowCallbackFaults);
    }

    [Fact]
    public void A_callbacks_limit_is_not_negative() =>
        Assert.Throws<ArgumentOutOfRangeException>(() => DevmapDiagnostics.CallbackTimeLimit = TimeSpan.FromSeconds(-1));

    [Fact]
    public void A_disposal_that_waited_for_pages_in_vain_is_a_leak()
    {
        using DevicePageMap map = DevicePageMap.Create(new() { PageCount = 8, DisposeTimeout = TimeSpan.FromMilliseconds(1) });
        using (map.Lease(3))
            Assert.Throws<PagesBusyException>(map.Dispose);

        DevmapFaultEventArgs fault = Assert.Single(_log.Faults);
        Assert.Equal(DevmapFaultKind.BusyTeardown, fault.Kind);
        Assert.True(fault.IsLeak);
        Assert.Equal(1, Now.BusyTeardowns - _before.BusyTeardowns);
    }

    [Fact]
    public void Faults_are_fatal_when_asked_after_the_listeners_heard()
    {
        string errors = ChildProcess.RunToAbort(static _ =>
        {
            DevmapDiagnostics.FatalFaults = new HashSet<DevmapFaultKind> { DevmapFaultKind.UseAfterDispose };
            DevmapDiagnostics.Fault += (_, fault) => Console.Error.WriteLine($"heard of {fault.Kind}");
            DisposedLease().GetSpan();
        });

        Assert.Contains("heard of UseAfterDispose", errors, StringComparison.Ordinal);
        Assert.Contains("Span of a disposed PageLease was used", errors, StringComparison.Ordinal);
    }

    [Fact]
    public void Other_faults_are_not_fatal_and_neither_are_these_any_more() => ChildProcess.Run(static _ =>
    {
        DevmapDiagnostics.FatalFaults = new HashSet<DevmapFaultKind> { DevmapFaultKind.Overflow, DevmapFaultKind.LostLease };
        Assert.Throws<ObjectDisposedException>(() => { DisposedLease().GetSpan(); });
        Assert.Equal([DevmapFaultKind.Overflow, DevmapFaultKind.LostLease], DevmapDiagnostics.FatalFaults.Order());
        DevmapDiagnostics.FatalFaults = new HashSet<DevmapFaultKind> { DevmapFaultKind.UseAfterDispose };
        DevmapDiagnostics.FatalFaults = new HashSet<DevmapFaultKind>();
        Assert.Throws<ObjectDisposedException>(() => { DisposedLease().GetSpan(); });
    });

    [Fact]
    public void What_is_no_kind_cannot_be_fatal()
    {
        Assert.Throws<ArgumentOutOfRangeException>(() => DevmapDiagnostics.FatalFaults = new HashSet<DevmapFaultKind> { (DevmapFaultKind)12 });
        Assert.Throws<ArgumentOutOfRangeException>(() => DevmapDiagnostics.FatalFaults = new HashSet<DevmapFaultKind> { (DevmapFaultKind)(-1) });
        Assert.Throws<ArgumentNullException>(() => DevmapDiagnostics.FatalFaults = null!);
        Assert.Empty(DevmapDiagnostics.FatalFaults);
    }

    [Fact]
    public void The_first_exception_of_a_listener_is_printed()
    {
        string errors = ChildProcess.Run(static _ =>
        {
            DevmapDiagnostics.Fault += static (_, _) => throw new FormatException("The listener's own.");
            Assert.Throws<ObjectDisposedException>(() => { DisposedLease().GetSpan(); });
            Assert.Throws<ObjectDisposedException>(() => { DisposedLease().GetSpan(); });
            Assert.Equal(2, DevmapDiagnostics.ListenerExceptions);
        });

        Assert.StartsWith("devmap: a listener of Fault threw System.FormatException: The listener's own.", errors, StringComparison.Ordinal);
        Assert.Single(errors.Split("The listener's own.")[1..]);
    }

    private static DevicePageMap Create() => DevicePageMap.Create(new() { PageCount = 8, DisposeTimeout = TimeSpan.Zero });

    private static PageLease DisposedLease()
    {
        using DevicePageMap map = Create();
        PageLease lease = map.Lease(3);
        lease.Dispose();
        return lease;
    }

    private static DevicePageMap DisposedMap()
    {
        DevicePageMap map = Create();
        map.Dispose();
        return map;
    }

    private static void Spin()
    {
        long started = Stopwatch.GetTimestamp();
        while (Stopwatch.GetElapsedTime(started) < TimeSpan.FromMilliseconds(2))
            Thread.SpinWait(100);
    }

    [SuppressMessage("Reliability", "CA2000:Dispose objects before losing scope", Justification = "They are disposed, which is the point.")]
    private static void UseDisposed(string use)
    {
        switch (use)
        {
            case "lease.Span":
                _ = DisposedLease().Span;
                break;
            case "lease.ReadOnlySpan":
                _ = DisposedLease().ReadOnlySpan;
                break;
            case "lease.Memory":
                _ = DisposedLease().Memory;
                break;
            case "lease.Pin":
                DisposedLease().Pin();
                break;
            case "lease.Share":
                DisposedLease().Share();
                break;
            case "memory.Span":
            {
                using DevicePageMap map = Create();
                PageLease lease = map.Lease(3);
                Memory<byte> memory = lease.Memory;
                lease.Dispose();
                _ = memory.Span;
                break;
            }

            case "elements.Span":
            {
                using FarMemory memory = FarMemory.Create(Page);
                PageLease<int> lease = memory.Lease<int>(0, 1);
                lease.Dispose();
                _ = lease.Span;
                break;
            }

            case "map.Lease":
                DisposedMap().Lease(3);
                break;
            case "map.TryLease":
                DisposedMap().TryLease(3, 1, out _);
                break;
            case "map.GetBusyPages":
                DisposedMap().GetBusyPages();
                break;
            case "page.Count":
                _ = DisposedMap()[3].Count;
                break;
            case "page.DangerousGetSpan":
                _ = DisposedMap()[3].DangerousGetSpan();
                break;
            case "file.Length":
            {
                using var directory = new TemporaryDirectory();
                DaxFile file = DaxFile.Open(directory.KnownFile(Page));
                file.Dispose();
                _ = file.Length;
                break;
            }

            default:
            {
                var device = new HmmDevice();
                device.Dispose();
                FarMemory.Create(device, Page).Dispose();
                break;
            }
        }
    }
}
