// SPDX-License-Identifier: MIT
using System.Diagnostics.Metrics;
using Xunit;

namespace Devmap.Tests.Telemetry;

/// <summary>What the meter's instruments answer, a collection at a time.</summary>
internal sealed class MeterLog : IDisposable
{
    private readonly MeterListener _listener = new();
    private readonly Dictionary<string, double> _values = new(StringComparer.Ordinal);

    public MeterLog()
    {
        Assert.True(DevmapDiagnostics.LoadReport.IsLoaded);
        _listener.InstrumentPublished = (instrument, listener) =>
        {
            if (instrument.Meter.Name != "Devmap")
                return;
            Instruments.Add(instrument);
            listener.EnableMeasurementEvents(instrument);
        };
        _listener.SetMeasurementEventCallback<long>((instrument, value, tags, _) => _values.Add(KeyOf(instrument, tags), value));
        _listener.SetMeasurementEventCallback<double>((instrument, value, tags, _) => _values.Add(KeyOf(instrument, tags), value));
        _listener.Start();
    }

    public List<Instrument> Instruments { get; } = [];

    /// <summary>A collection: values by name, with attributes in braces, as <c>name{key=value,key=value}</c>.</summary>
    public IReadOnlyDictionary<string, double> Collect()
    {
        _values.Clear();
        _listener.RecordObservableInstruments();
        return new Dictionary<string, double>(_values, StringComparer.Ordinal);
    }

    public void Dispose() => _listener.Dispose();

    private static string KeyOf(Instrument instrument, ReadOnlySpan<KeyValuePair<string, object?>> tags)
    {
        string[] pairs = [.. tags.ToArray().Select(tag => $"{tag.Key}={tag.Value}")];
        return pairs.Length == 0 ? instrument.Name : $"{instrument.Name}{{{string.Join(',', pairs)}}}";
    }
}
