// SPDX-License-Identifier: MIT
using OpenTelemetry;
using OpenTelemetry.Metrics;
using Xunit;

namespace Devmap.Tests.Telemetry;

/// <summary>The metrics arrive in OpenTelemetry's SDK, told of nothing but the meter's name.</summary>
public sealed class OpenTelemetryTests
{
    [Fact]
    public void Every_instrument_arrives_with_its_kind_and_unit()
    {
        using DevicePageMap map = DevicePageMap.Create(new() { Type = MemoryType.DevicePublic, PageCount = 8, Driver = new CountingDriver() });
        using PageLease lease = map.Lease(0, 3);
        DevmapStatistics statistics = DevmapDiagnostics.ReadStatistics();

        List<Metric> metrics = Export();

        // Those that have nothing to say until a callback was timed.
        string[] silent = ["gauge devmap.callback.duration s", "gauge devmap.layout_break.wait.duration s"];
        Assert.Equal(
            Instruments.All.Except(silent).Order(StringComparer.Ordinal),
            metrics.Select(metric => $"{KindOf(metric.MetricType)} {metric.Name} {metric.Unit}").Except(silent).Order(StringComparer.Ordinal));
        Assert.All(metrics, metric => Assert.Equal("Devmap", metric.MeterName));
        Assert.Equal(statistics.Activations, Points(metrics, "devmap.page.activations").Single().GetSumLong());
        Assert.Equal(statistics.PageMaps.Current, Points(metrics, "devmap.map.count").Sum(point => point.GetSumLong()));
    }

    private static List<Metric> Export()
    {
        var metrics = new List<Metric>();
        using MeterProvider provider = Sdk.CreateMeterProviderBuilder().AddMeter("Devmap").AddInMemoryExporter(metrics).Build();
        Assert.True(provider.ForceFlush());

        // The provider exports once more when it is disposed.
        return [.. metrics];
    }

    private static List<MetricPoint> Points(List<Metric> metrics, string name)
    {
        var points = new List<MetricPoint>();
        foreach (ref readonly MetricPoint point in metrics.Single(metric => metric.Name == name).GetMetricPoints())
            points.Add(point);
        return points;
    }

    private static string KindOf(MetricType type) => type switch
    {
        MetricType.LongSum or MetricType.DoubleSum => "counter",
        MetricType.LongSumNonMonotonic => "updown",
        MetricType.LongGauge or MetricType.DoubleGauge => "gauge",
        _ => type.ToString(),
    };
}
