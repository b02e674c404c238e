// SPDX-License-Identifier: MIT
using System.Diagnostics.Metrics;
using System.Globalization;
using Xunit;

namespace Devmap.Tests.Telemetry;

/// <summary>Whoever listens and throws breaks neither the library nor other listeners, and is counted where that can be known.</summary>
public sealed class ListenerFailureTests : IDisposable
{
    private readonly long _before = DevmapDiagnostics.ListenerExceptions;

    private long Failures => DevmapDiagnostics.ListenerExceptions - _before;

    public void Dispose() => DevmapDiagnostics.UseLogger(null);

    [Fact]
    public void A_logger_that_throws_is_counted_and_told()
    {
        using var logger = new ThrowingLogger(static () => throw new FormatException("No paper."), static () => { });
        DevmapDiagnostics.UseLogger(logger);
        using var log = new EventLog(keywords: 5);
        CreateMap(new CountingDriver()).Dispose();

        Assert.Equal(2, Failures);
        Assert.Equal(2, log.Texts.Count(text => text == "ListenerFailed: ILogger | System.FormatException | No paper."));
    }

    [Fact]
    public void A_logger_that_throws_when_it_is_asked_is_counted()
    {
        using var logger = new ThrowingLogger(static () => Assert.Fail("It was not enabled."), static () => throw new FormatException());
        DevmapDiagnostics.UseLogger(logger);
        CreateMap(new CountingDriver()).Dispose();

        Assert.Equal(2, Failures);
    }

    [Fact]
    public void A_logger_that_uses_the_library_does_not_go_round_in_circles()
    {
        int messages = 0;
        using var logger = new ThrowingLogger(
            () =>
            {
                messages++;
                CreateMap(new CountingDriver()).Dispose();
            },
            static () => { });
        DevmapDiagnostics.UseLogger(logger);
        CreateMap(new CountingDriver()).Dispose();

        Assert.Equal(2, messages);
    }

    [Fact]
    public void An_event_listener_that_throws_is_none_of_the_librarys()
    {
        using var throwing = new EventLog(act: static _ => throw new FormatException());
        using var log = new EventLog(keywords: 1);
        DevicePageMap map = CreateMap(new CountingDriver());
        map.Dispose();

        Assert.Contains($"MapDisposed: {map} | {map.Address}", log.Texts);
        Assert.Contains($"MapDisposed: {map} | {map.Address}", throwing.Texts);
    }

    [Fact]
    public void A_listener_of_faults_that_throws_is_told()
    {
        static void Throw(object? sender, DevmapFaultEventArgs fault) => throw new FormatException("Not me.");
        using var log = new EventLog(keywords: 4);
        DevmapDiagnostics.Fault += Throw;
        using (DevicePageMap map = CreateMap(new CallingDriver(_ => throw new InvalidOperationException())))
            map.Lease(0).Dispose();
        DevmapDiagnostics.Fault -= Throw;

        Assert.Equal(1, Failures);
        Assert.Contains("ListenerFailed: Fault | System.FormatException | Not me.", log.Texts);
    }

    [Fact]
    public void A_meter_listener_that_throws_at_each_instrument_keeps_nobody_from_loading_the_library() => ChildProcess.Run(static _ =>
    {
        int published = 0;
        using var listener = new MeterListener();
        listener.InstrumentPublished = (instrument, _) =>
        {
            if (instrument.Meter.Name != "Devmap")
                return;
            published++;
            throw new FormatException();
        };
        listener.Start();
        DevicePageMap.Create(new() { PageCount = 1 }).Dispose();
        Assert.Equal(Instruments.All.Length, published);

        using var meter = new MeterLog();
        Assert.Equal(Instruments.All.Length, meter.Instruments.Count);
        Assert.Equal(0, meter.Collect()["devmap.page.activations"]);
    });

    [Fact]
    public void Without_a_library_there_is_no_meter_and_a_logger_can_be_given() => ChildProcess.Run(
        static path =>
        {
            using var logger = new ThrowingLogger(static () => Assert.Fail("Nothing happened."), static () => { });
            DevmapDiagnostics.UseLogger(logger);
            Assert.False(DevmapDiagnostics.LoadReport.IsLoaded);
            int published = 0;
            using var listener = new MeterListener();
            listener.InstrumentPublished = (instrument, _) => published += instrument.Meter.Name == "Devmap" ? 1 : 0;
            listener.Start();
            Assert.Equal(0, published);
            DevmapDiagnostics.UseLogger(null);
        },
        "/nowhere/libdevmap.so",
        ("DEVMAP_LIBRARY", "/nowhere/libdevmap.so"));

    [Fact]
    public async Task Listeners_come_and_go_while_maps_do()
    {
        using var over = new CancellationTokenSource();
        var workers = Enumerable.Range(0, 4).Select(_ => Task.Run(() =>
        {
            while (!over.IsCancellationRequested)
            {
                using DevicePageMap map = CreateMap(new CountingDriver());
                map.Lease(0, 4).Dispose();
            }
        })).ToArray();
        for (int i = 0; i < 50; i++)
        {
            using var log = new EventLog(keywords: 0xff, arguments: new Dictionary<string, string?>(StringComparer.Ordinal) { ["SnapshotIntervalMilliseconds"] = i.ToString(CultureInfo.InvariantCulture) });
            using var meter = new MeterLog();
            IReadOnlyDictionary<string, double> reading = meter.Collect();
            Assert.True(reading["devmap.page.activations"] <= meter.Collect()["devmap.page.activations"]);
        }

        await over.CancelAsync();
        await Task.WhenAll(workers);
        Assert.Equal(0, Failures);
    }

    private static DevicePageMap CreateMap(PageDriver driver) =>
        DevicePageMap.Create(new() { Type = MemoryType.DevicePublic, PageCount = 8, Driver = driver, DisposeTimeout = TimeSpan.Zero });
}
