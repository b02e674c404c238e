// SPDX-License-Identifier: MIT
using Microsoft.Extensions.Logging;
using Microsoft.Extensions.Logging.Testing;
using Xunit;

namespace Devmap.Tests.Telemetry;

/// <summary>The application's log has the events, with their ids, once it is given.</summary>
public sealed class LoggingTests : IDisposable
{
    private readonly FakeLogCollector _log = new();
    private readonly LoggerFactory _factory;

    public LoggingTests()
    {
        _factory = new LoggerFactory([new FakeLoggerProvider(_log)], new LoggerFilterOptions { MinLevel = LogLevel.Trace });
        DevmapDiagnostics.UseLogger(_factory);
    }

    public void Dispose()
    {
        DevmapDiagnostics.UseLogger(null);
        _factory.Dispose();
    }

    [Fact]
    public void What_happens_is_logged_with_the_events_ids()
    {
        using (DevicePageMap map = CreateMap(new CountingDriver()))
        {
            DevmapGate.Hold().Dispose();
            using (map.Lease(1))
                Assert.Throws<PagesBusyException>(map.Dispose);
        }

        Assert.Equal(
            ["1 MapCreated Debug", "5 GateHeld Debug", "6 GateReleased Debug", "3 MapDisposeTimedOut Warning", "2 MapDisposed Debug"],
            _log.GetSnapshot().Select(record => $"{record.Id.Id} {record.Id.Name} {record.Level}"));
        Assert.All(_log.GetSnapshot(), record => Assert.Equal(DevmapDiagnostics.LogCategory, record.Category));
    }

    [Fact]
    public void A_fault_is_logged_with_its_exception_and_its_page()
    {
        using var faults = new FaultLog();
        using DevicePageMap map = CreateMap(new CallingDriver(_ => throw new FormatException("The driver's own.")));
        map.Lease(3).Dispose();

        FakeLogRecord record = Assert.Single(_log.GetSnapshot(), record => record.Level == LogLevel.Error);
        Assert.Equal("Driver, page 3, count 1: The driver threw System.FormatException: The driver's own.", record.Message);
        Assert.IsType<FormatException>(record.Exception);
        Assert.Equal("3", record.GetStructuredStateValue("Page"));
    }

    [Fact]
    public void Without_a_factory_nothing_is_logged()
    {
        DevmapDiagnostics.UseLogger(null);
        CreateMap(new CountingDriver()).Dispose();

        Assert.Empty(_log.GetSnapshot());
    }

    [Fact]
    public void A_level_that_is_off_is_not_logged()
    {
        using var quiet = new LoggerFactory([new FakeLoggerProvider(_log)], new LoggerFilterOptions { MinLevel = LogLevel.Warning });
        DevmapDiagnostics.UseLogger(quiet);
        CreateMap(new CountingDriver()).Dispose();

        Assert.Empty(_log.GetSnapshot());
    }

    [Fact]
    public void A_factory_that_is_gone_is_an_error_and_changes_nothing()
    {
        var gone = new LoggerFactory();
        gone.Dispose();

        Assert.Throws<ObjectDisposedException>(() => DevmapDiagnostics.UseLogger(gone));
        CreateMap(new CountingDriver()).Dispose();
        Assert.Equal(2, _log.Count);
    }

    private static DevicePageMap CreateMap(PageDriver driver) =>
        DevicePageMap.Create(new() { Type = MemoryType.DevicePublic, PageCount = 8, Driver = driver, DisposeTimeout = TimeSpan.Zero });
}
