// SPDX-License-Identifier: MIT
using System.Diagnostics.Metrics;
using Devmap.Interop;
using Xunit;

namespace Devmap.Tests.Telemetry;

/// <summary>The meter's instruments: what they are called, and that what they say is what the library counts.</summary>
public sealed class MeterTests : IDisposable
{
    private const string Name = "^devmap([.][a-z]+(_[a-z]+)*)+$";
    private const string Unit = "^(s|1|[{][a-z]+(_[a-z]+)*[}])$";
    private const string Series = "^[a-z._]+([{](devmap[.][a-z._]+=[a-z0-9_]+,?)+[}])?$";

    private readonly MeterLog _meter = new();
    private readonly TemporaryDirectory _directory = new();

    public void Dispose()
    {
        _meter.Dispose();
        _directory.Dispose();
    }

    [Fact]
    public void The_instruments_are_those_that_users_know() =>
        Assert.Equal(Instruments.All, _meter.Instruments.Select(instrument => $"{KindOf(instrument)} {instrument.Name} {instrument.Unit}"));

    [Fact]
    public void The_meter_has_the_version_of_the_library() => Assert.All(
        _meter.Instruments,
        instrument => Assert.Equal(DevmapDiagnostics.LoadReport.Version, instrument.Meter.Version));

    [Fact]
    public void Names_units_and_attributes_follow_the_conventions_of_OpenTelemetry()
    {
        DevmapGate.Hold().Dispose();
        Assert.All(_meter.Instruments, instrument =>
        {
            Assert.Matches(Name, instrument.Name);
            Assert.Matches(Unit, instrument.Unit);
            Assert.Matches("^[A-Z].*[.]$", instrument.Description);
            Assert.DoesNotContain("total", instrument.Name, StringComparison.Ordinal);
        });
        Assert.All(_meter.Collect().Keys, key => Assert.Matches(Series, key));
    }

    [Fact]
    public void Everything_is_only_observed() => Assert.All(_meter.Instruments, instrument => Assert.True(instrument.IsObservable));

    [Fact]
    public void Maps_and_pages_are_counted_by_type_and_state()
    {
        IReadOnlyDictionary<string, double> before = _meter.Collect();
        using var map = CreateMap(new CountingDriver());
        using var host = DevicePageMap.Create(new() { PageCount = 3 });
        using (map.Lease(0, 3))
        {
            IReadOnlyDictionary<string, double> during = _meter.Collect();
            Assert.Equal(1, Added("devmap.map.count{devmap.memory.type=device_public,devmap.map.state=live}"));
            Assert.Equal(1, Added("devmap.map.count{devmap.memory.type=device_host,devmap.map.state=live}"));
            Assert.Equal(0, Added("devmap.map.count{devmap.memory.type=device_public,devmap.map.state=dying}"));
            Assert.Equal(3, Added("devmap.page.count{devmap.memory.type=device_public,devmap.page.state=in_use}"));
            Assert.Equal(5, Added("devmap.page.count{devmap.memory.type=device_public,devmap.page.state=idle}"));
            Assert.Equal(3, Added("devmap.page.count{devmap.memory.type=device_host,devmap.page.state=idle}"));
            Assert.Equal(3, Added("devmap.page.activations"));
            Assert.Equal(0, Added("devmap.page.idle_callbacks"));

            double Added(string series) => during[series] - before[series];
        }

        Assert.Equal(3, _meter.Collect()["devmap.page.idle_callbacks"] - before["devmap.page.idle_callbacks"]);
    }

    [Fact]
    public void A_map_that_is_being_disposed_is_dying()
    {
        IReadOnlyDictionary<string, double> before = _meter.Collect();
        using DevicePageMap map = CreateMap(new CountingDriver());
        using (map.Lease(0))
        {
            Assert.Throws<PagesBusyException>(map.Dispose);
            Assert.Throws<ObjectDisposedException>(() => map.Lease(1));
            IReadOnlyDictionary<string, double> during = _meter.Collect();
            foreach (string series in new[] { "devmap.map.count{devmap.memory.type=device_public,devmap.map.state=dying}", "devmap.page.refusals{devmap.refusal.reason=teardown}" })
                Assert.Equal(1, during[series] - before[series]);
        }
    }

    [Fact]
    public void The_gates_holders_are_maps_and_users()
    {
        IReadOnlyDictionary<string, double> before = _meter.Collect();
        using DevicePageMap map = CreateMap(new CountingDriver());
        using DevmapGateHold hold = DevmapGate.Hold(), other = DevmapGate.Hold();
        IReadOnlyDictionary<string, double> during = _meter.Collect();

        Assert.Equal(1, during["devmap.gate.holders{devmap.gate.holder=map}"] - before["devmap.gate.holders{devmap.gate.holder=map}"]);
        Assert.Equal(2, during["devmap.gate.holders{devmap.gate.holder=user}"] - before["devmap.gate.holders{devmap.gate.holder=user}"]);
    }

    [Fact]
    public void Faults_are_counted_by_kind_and_saturations_apart()
    {
        using var faults = new FaultLog();
        IReadOnlyDictionary<string, double> before = _meter.Collect();
        using DevicePageMap map = CreateMap(new CallingDriver(_ => throw new FormatException()));
        map.Lease(1).Dispose();
        map.Lease(2).Dispose();
        NativeReferences.Put(map[1]);
        NativeReferences.Put(map[1]);
        IReadOnlyDictionary<string, double> after = _meter.Collect();

        Assert.Equal(2, after["devmap.faults{devmap.fault.kind=driver}"] - before["devmap.faults{devmap.fault.kind=driver}"]);
        Assert.Equal(1, after["devmap.faults{devmap.fault.kind=underflow}"] - before["devmap.faults{devmap.fault.kind=underflow}"]);
        Assert.Equal(1, after["devmap.page.saturations"] - before["devmap.page.saturations"]);
    }

    [Fact]
    public void Every_kind_of_fault_and_leak_has_a_series()
    {
        int series = _meter.Collect().Keys.Count(key => key.StartsWith("devmap.faults{", StringComparison.Ordinal) || key.StartsWith("devmap.leaks{", StringComparison.Ordinal));

        Assert.Equal(NativeMethods.DEVMAP_FAULT_KINDS, series);
    }

    [Fact]
    public unsafe void Leaks_are_counted_by_kind()
    {
        using var faults = new FaultLog();
        IReadOnlyDictionary<string, double> before = _meter.Collect();
        Assert.Equal(0, NativeMethods.devmap_report_fault((int)devmap_fault_kind.DEVMAP_FAULT_LEAK_LOST, null, null));
        Assert.Equal(0, NativeMethods.devmap_report_fault((int)devmap_fault_kind.DEVMAP_FAULT_LEAK_OPS, null, null));
        IReadOnlyDictionary<string, double> after = _meter.Collect();

        foreach (string kind in new[] { "lost", "gate_hold" })
            Assert.Equal(1, after[$"devmap.leaks{{devmap.leak.kind={kind}}}"] - before[$"devmap.leaks{{devmap.leak.kind={kind}}}"]);
    }

    [Fact]
    public void Layout_breaks_are_counted_with_what_came_of_them()
    {
        IReadOnlyDictionary<string, double> before = _meter.Collect();
        using DaxFile file = DaxFile.Open(_directory.KnownFile(8192), new() { Access = FileAccess.ReadWrite });
        using (file.Lease(0, 1))
            Assert.Throws<PagesBusyException>(() => file.SetLength(0, TimeSpan.Zero));
        file.SetLength(4096, TimeSpan.Zero);
        IReadOnlyDictionary<string, double> after = _meter.Collect();

        Assert.Equal(2, after["devmap.layout_break.started"] - before["devmap.layout_break.started"]);
        Assert.Equal(0, after["devmap.layout_break.active"]);
        const string timeouts = "devmap.layout_break.abandoned{devmap.layout_break.outcome=timeout}";
        Assert.Equal(1, after[timeouts] - before[timeouts]);
    }

    [Fact]
    public async Task Far_memory_is_counted_where_it_is()
    {
        IReadOnlyDictionary<string, double> before = _meter.Collect();
        await using FarMemory far = FarMemory.Create(8 * 4096);
        using (PageLease lease = far.Lease(0, 8 * 4096))
            lease.Span.Fill(1);
        await far.EvictAsync(0, 3 * 4096);
        IReadOnlyDictionary<string, double> after = _meter.Collect();

        const string sent = "devmap.migrations{devmap.migration.direction=to_device}";
        Assert.Equal(3, after[sent] - before[sent]);
        Assert.Equal(3, after["devmap.far_memory.on_device"] - before["devmap.far_memory.on_device"]);
        Assert.Equal(5, after["devmap.far_memory.resident"] - before["devmap.far_memory.resident"]);
    }

    [Fact]
    public void One_collection_is_of_one_reading_and_the_next_one_of_the_next()
    {
        using DevicePageMap map = CreateMap(new CountingDriver());
        double before = _meter.Collect()["devmap.page.activations"];
        for (int i = 1; i <= 3; i++)
        {
            map.Lease(0).Dispose();
            Assert.Equal(before + i, _meter.Collect()["devmap.page.activations"]);
        }
    }

    private static string KindOf(Instrument instrument) => instrument.GetType().Name switch
    {
        "ObservableCounter`1" => "counter",
        "ObservableUpDownCounter`1" => "updown",
        "ObservableGauge`1" => "gauge",
        string other => other,
    };

    private static DevicePageMap CreateMap(PageDriver driver) =>
        DevicePageMap.Create(new() { Type = MemoryType.DevicePublic, PageCount = 8, Driver = driver, DisposeTimeout = TimeSpan.Zero });
}
