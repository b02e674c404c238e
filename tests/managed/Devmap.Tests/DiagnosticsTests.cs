// SPDX-License-Identifier: MIT
using System.Globalization;
using Devmap.Interop;
using Xunit;

namespace Devmap.Tests;

/// <summary>What is counted, what is raised, and how the library says it was loaded.</summary>
public sealed class DiagnosticsTests : IDisposable
{
    private readonly DevmapStatistics _before = DevmapDiagnostics.ReadStatistics();
    private readonly TemporaryDirectory _directory = new();

    private static DevmapStatistics Now => DevmapDiagnostics.ReadStatistics();

    public void Dispose() => _directory.Dispose();

    [Fact]
    public void Edges_are_counted_a_page()
    {
        using DevicePageMap map = CreateMap(new CountingDriver());
        using (PageLease lease = map.Lease(0, 3))
        using (lease.Share())
        {
            Assert.Equal(3, Now.Activations - _before.Activations);
            Assert.Equal(0, Now.IdleEdges - _before.IdleEdges);
        }

        Assert.Equal(3, Now.IdleEdges - _before.IdleEdges);
        Assert.Equal(3, Now.IdleEdgesManaged - _before.IdleEdgesManaged);
        Assert.Equal(0, Now.IdleBatches - _before.IdleBatches);
    }

    [Fact]
    public void Edges_without_a_driver_are_counted_apart()
    {
        using DevicePageMap map = DevicePageMap.Create(new() { PageCount = 4 });
        map.Lease(0).Dispose();
        map.Lease(0, 4).Dispose();

        Assert.Equal(5, Now.IdleEdges - _before.IdleEdges);
        Assert.Equal(0, Now.IdleEdgesManaged - _before.IdleEdgesManaged);
    }

    [Fact]
    public void Batches_are_counted()
    {
        using DevicePageMap map = CreateMap(new CallingBatchDriver(_ => { }, _ => { }), pages: 300);
        map.Lease(0, 300).Dispose();
        map.Lease(0).Dispose();

        Assert.Equal(2, Now.IdleBatches - _before.IdleBatches);
        Assert.Equal(301, Now.IdleEdgesManaged - _before.IdleEdgesManaged);
    }

    [Fact]
    public void Refusals_and_disposals_that_gave_up_are_counted()
    {
        using DevicePageMap map = CreateMap(new CountingDriver());
        using (map.Lease(1))
        {
            Assert.Throws<PagesBusyException>(map.Dispose);
            Assert.Throws<ObjectDisposedException>(() => map.Lease(1));
        }

        Assert.Equal(1, Now.TeardownTimeouts - _before.TeardownTimeouts);
        Assert.Equal(1, Now.RefusedDying - _before.RefusedDying);
    }

    [Fact]
    public void Layout_breaks_are_counted_with_what_came_of_them()
    {
        using DaxFile file = DaxFile.Open(_directory.KnownFile(8192), new() { Access = FileAccess.ReadWrite });
        using (file.Lease(0, 1))
            Assert.Throws<PagesBusyException>(() => file.SetLength(0, TimeSpan.Zero));
        file.SetLength(4096, TimeSpan.Zero);

        Assert.Equal(1, Now.LayoutBreakTimeouts - _before.LayoutBreakTimeouts);
        Assert.Equal(0, Now.LayoutBreakCancels - _before.LayoutBreakCancels);
        Assert.Equal(2, Now.LayoutBreaks.Total - _before.LayoutBreaks.Total);
        Assert.Equal(_before.LayoutBreaks.Current, Now.LayoutBreaks.Current);
    }

    [Fact]
    public async Task A_layout_break_that_waits_in_the_background_is_one()
    {
        using DaxFile file = DaxFile.Open(_directory.KnownFile(8192), new() { Access = FileAccess.ReadWrite });
        PageLease lease = file.Lease(4096, 1);
        Task truncation = file.SetLengthAsync(4096, Timeout.InfiniteTimeSpan);
        Assert.False(truncation.IsCompleted);
        lease.Dispose();
        await truncation;

        Assert.Equal(0, Now.LayoutBreakTimeouts - _before.LayoutBreakTimeouts);
        Assert.Equal(1, Now.LayoutBreaks.Total - _before.LayoutBreaks.Total);
    }

    [Fact]
    public void What_is_there_is_counted_while_it_is_there()
    {
        using (CreateMap(new CountingDriver()))
        using (DaxFile.Open(_directory.KnownFile(1)))
        {
            Assert.Equal(2, Now.PageMaps.Current - _before.PageMaps.Current);
            Assert.Equal(1, Now.DaxFiles.Current - _before.DaxFiles.Current);
            Assert.Equal(1, Now.Claims.Current - _before.Claims.Current);
            Assert.Equal(2, Now.GateHolders - _before.GateHolders);
        }

        Assert.Equal(_before.PageMaps.Current, Now.PageMaps.Current);
        Assert.Equal(2, Now.PageMaps.Total - _before.PageMaps.Total);
        Assert.True(Now.PageMaps.Peak >= _before.PageMaps.Current + 2);
        Assert.Equal(_before.DaxFiles.Current, Now.DaxFiles.Current);
        Assert.Equal(_before.Claims.Current, Now.Claims.Current);
        Assert.Equal(_before.GateHolders, Now.GateHolders);
    }

    [Fact]
    public unsafe void Ordinary_pages_are_counted()
    {
        devmap_page* page;
        Assert.Equal(0, NativeMethods.devmap_alloc_pages(2, &page));
        Assert.Equal(1, Now.OrdinaryPages.Current - _before.OrdinaryPages.Current);
        NativeMethods.devmap_put_page(page);

        Assert.Equal(_before.OrdinaryPages.Current, Now.OrdinaryPages.Current);
    }

    [Fact]
    public void A_reference_dropped_that_nobody_held_is_a_fault()
    {
        var driver = new CountingDriver();
        using DevicePageMap map = CreateMap(driver);
        map.Lease(3).Dispose();
        using var log = new FaultLog();
        NativeReferences.Put(map[3]);

        DevmapFaultEventArgs fault = Assert.Single(log.Faults);
        Assert.Equal(DevmapFaultKind.Underflow, fault.Kind);
        Assert.Equal(3, fault.PageIndex);
        Assert.Equal(0, fault.PageCount);
        Assert.Null(fault.Exception);
        Assert.Contains("nobody held", fault.Message, StringComparison.Ordinal);
        Assert.Equal(1, Now.UnderflowFaults - _before.UnderflowFaults);
        Assert.Equal(1, Now.Faults - _before.Faults);
        Assert.Equal(1, driver.Total);
        Assert.Throws<InvalidOperationException>(() => map.Lease(3));
    }

    [Fact]
    public void A_fault_on_a_thread_that_the_runtime_never_saw_is_raised_there()
    {
        using DevicePageMap map = CreateMap(new CountingDriver());
        map.Lease(3).Dispose();
        var threads = new List<Thread>();
        void Listen(object? sender, DevmapFaultEventArgs fault) => threads.Add(Thread.CurrentThread);
        DevmapDiagnostics.Fault += Listen;
        NativeThreads.Put(map[3]).Join();
        DevmapDiagnostics.Fault -= Listen;

        Assert.NotSame(Thread.CurrentThread, Assert.Single(threads));
    }

    [Fact]
    public void A_listener_that_throws_is_counted_and_keeps_nobody_else_from_hearing()
    {
        long before = DevmapDiagnostics.ListenerExceptions;
        using DevicePageMap map = CreateMap(new CallingDriver(_ => throw new FormatException()));
        void Throw(object? sender, DevmapFaultEventArgs fault) => throw new FormatException();
        DevmapDiagnostics.Fault += Throw;
        using (var log = new FaultLog())
        {
            map.Lease(0).Dispose();
            Assert.Single(log.Faults);
        }

        DevmapDiagnostics.Fault -= Throw;
        map.Lease(0).Dispose();
        Assert.Equal(1, DevmapDiagnostics.ListenerExceptions - before);
        Assert.Equal(2, Now.DriverFaults - _before.DriverFaults);
    }

    [Fact]
    public void A_fault_inside_a_listener_is_a_fault_of_its_own()
    {
        using DevicePageMap map = CreateMap(new CallingDriver(_ => throw new FormatException()));
        map.Lease(3).Dispose();
        var faults = new List<DevmapFaultEventArgs>();
        void Listen(object? sender, DevmapFaultEventArgs fault)
        {
            faults.Add(fault);
            if (faults.Count == 1)
                NativeReferences.Put(map[3]);
        }

        DevmapDiagnostics.Fault += Listen;
        map.Lease(0).Dispose();
        DevmapDiagnostics.Fault -= Listen;

        Assert.Equal([DevmapFaultKind.Driver, DevmapFaultKind.Underflow], faults.Select(fault => fault.Kind));
        Assert.IsType<FormatException>(faults[0].Exception);
        Assert.Null(faults[1].Exception);
    }

    [Fact]
    public void Without_a_listener_the_first_fault_of_each_kind_is_printed()
    {
        string printed = ChildProcess.Run(static _ =>
        {
            using DevicePageMap map = CreateMap(new CallingDriver(_ => throw new FormatException("The driver's own.")));
            map.Lease(1).Dispose();
            map.Lease(2).Dispose();
            NativeReferences.Put(map[1]);
            NativeReferences.Put(map[2]);
            Assert.Equal(2, Now.DriverFaults);
            Assert.Equal(2, Now.UnderflowFaults);
        });

        Assert.Collection(
            printed.Split('\n', StringSplitOptions.RemoveEmptyEntries),
            line => Assert.StartsWith("devmap: Driver: page 1, count 1: The driver threw System.FormatException: The driver's own.", line, StringComparison.Ordinal),
            line => Assert.StartsWith("devmap: Underflow: page 1, count 0: ", line, StringComparison.Ordinal));
    }

    [Fact]
    public void The_load_report_says_what_was_loaded_and_from_where()
    {
        DevmapLoadReport report = DevmapDiagnostics.LoadReport;

        Assert.True(report.IsLoaded);
        Assert.Null(report.Error);
        Assert.Equal("linux-x64", report.RuntimeIdentifier);
        Assert.Equal(NativeMethods.DEVMAP_ABI_VERSION, report.ExpectedAbiVersion);
        Assert.Equal(report.ExpectedAbiVersion, report.AbiVersion);
        Assert.Equal($"{NativeMethods.DEVMAP_VERSION_MAJOR}.{NativeMethods.DEVMAP_VERSION_MINOR}.{NativeMethods.DEVMAP_VERSION_PATCH}", report.Version);
        Assert.Contains("FS_DAX", report.Features, StringComparison.Ordinal);
        Assert.Equal(
            Path.Combine(AppContext.BaseDirectory, "runtimes", "linux-x64", "native", "libdevmap.so") + ": loaded",
            Assert.Single(report.Attempts));
    }

    private static DevicePageMap CreateMap(PageDriver driver, int pages = 8) =>
        DevicePageMap.Create(new() { Type = MemoryType.DevicePublic, PageCount = pages, Driver = driver, DisposeTimeout = TimeSpan.Zero });

    [Fact]
    public void A_fault_that_nobody_listens_to_is_printed_the_first_of_its_kind()
    {
        string errors = ChildProcess.Run(static _ =>
        {
            using var map = DevicePageMap.Create(new()
            {
                Type = MemoryType.DevicePublic,
                PageCount = 2,
                Driver = new CallingDriver(static page => throw new InvalidOperationException($"page {page.Index} is odd")),
            });
            map.Lease(1).Dispose();
            map.Lease(0).Dispose();
            Assert.Equal(2, DevmapDiagnostics.ReadStatistics().DriverFaults);
        });

        Assert.Contains("devmap: Driver: page 1, count 1: The driver threw System.InvalidOperationException: page 1 is odd", errors, StringComparison.Ordinal);
        Assert.DoesNotContain("page 0 is odd", errors, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("1")]
    [InlineData("2")]
    public void An_exception_too_large_to_repeat_is_a_fault_and_escapes_no_callback(string pages) => ChildProcess.Run(
        static pages =>
        {
            int count = 0;
            string message = new('x', 30_000_000);
            DevmapDiagnostics.Fault += (_, fault) => count += fault.Exception!.Message.Length == 30_000_000 ? 1 : 0;
            using var map = DevicePageMap.Create(new()
            {
                Type = MemoryType.DevicePublic,
                PageCount = 2,
                Driver = new CallingDriver(_ => throw new InvalidOperationException(message)),
            });
            int leased = int.Parse(pages, CultureInfo.InvariantCulture);
            map.Lease(0, leased).Dispose();
            Assert.Equal(leased, count);
        },
        pages,
        ("DOTNET_GCHeapHardLimit", "0xA000000"));
}
