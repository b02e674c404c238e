// SPDX-License-Identifier: MIT
using System.Diagnostics;
using System.Diagnostics.Metrics;
using System.Globalization;
using Devmap.Interop;
using Devmap.Native;

namespace Devmap.Telemetry;

/// <summary>
/// The meter. Its instruments only observe: while nobody listens they cost nothing, and no operation on a page ever counts
/// for them. All that are asked in one collection share one native reading.
/// </summary>
internal sealed class DevmapMeter
{
    public const string Name = "Devmap";

    /// <summary>
    /// How old a reading may be that several instruments share. A collection takes far less; a later one of other instruments
    /// starts anew.
    /// </summary>
    private static readonly TimeSpan s_maxAge = TimeSpan.FromMilliseconds(50);

    private readonly Meter _meter;
    private readonly Lock _lock = new();
    private MeterReading? _reading;
    private long _readAt;

    // Bits of the instruments that were answered from the reading: one that asks again begins the next collection.
    private ulong _answered;
    private int _instruments;

    private DevmapMeter(Meter meter)
    {
        _meter = meter;
        AddMaps();
        AddPages();
        AddCallbacks();
        AddFaults();
        AddLayoutBreaks();
        AddFarMemory();
        AddDiagnostics();
    }

    /// <summary>Makes the meter, which lives as long as the process. Throws nothing that a listener throws.</summary>
    public static DevmapMeter Create() => new(new Meter(
        Name,
        string.Create(CultureInfo.InvariantCulture, $"{NativeMethods.DEVMAP_VERSION_MAJOR}.{NativeMethods.DEVMAP_VERSION_MINOR}.{NativeMethods.DEVMAP_VERSION_PATCH}")));

    private static long Long(ulong value) => (long)value;

    private static double Seconds(long nanoseconds) => nanoseconds / 1e9;

    private static Measurement<long>[] One(ulong value) => [new(Long(value))];

    private static Measurement<long> Of(long value, string attribute, string name) => new(value, new KeyValuePair<string, object?>(attribute, name));

    private static Measurement<long> Of(ulong value, string attribute, string name) => Of(Long(value), attribute, name);

    private static Measurement<double>[] Quantiles(in devmap_histogram native)
    {
        DurationHistogram histogram = SnapshotReader.HistogramOf(native);
        if (histogram.Count == 0)
            return [];
        return
        [
            new(Seconds(histogram.QuantileNanoseconds(0.5)), new KeyValuePair<string, object?>(MeterNames.Quantile, "p50")),
            new(Seconds(histogram.QuantileNanoseconds(0.99)), new KeyValuePair<string, object?>(MeterNames.Quantile, "p99")),
            new(Seconds(histogram.MaxNanoseconds), new KeyValuePair<string, object?>(MeterNames.Quantile, "max")),
        ];
    }

    private static IEnumerable<Measurement<long>> CountMaps(MeterReading reading)
    {
        for (int type = 0; type < MeterReading.TypeCount; type++)
        {
            for (int state = 0; state < MeterReading.StateCount; state++)
            {
                yield return new(
                    reading.Maps[type, state],
                    new KeyValuePair<string, object?>(MeterNames.MemoryType, MeterNames.MemoryTypes[type]),
                    new KeyValuePair<string, object?>(MeterNames.MapState, MeterNames.MapStates[state]));
            }
        }
    }

    private static IEnumerable<Measurement<long>> CountPages(MeterReading reading)
    {
        for (int type = 0; type < MeterReading.TypeCount; type++)
        {
            var memory = new KeyValuePair<string, object?>(MeterNames.MemoryType, MeterNames.MemoryTypes[type]);
            long inUse = reading.PagesInUse[type];
            yield return new(inUse, memory, new KeyValuePair<string, object?>(MeterNames.PageState, "in_use"));
            yield return new(reading.Pages[type] - inUse, memory, new KeyValuePair<string, object?>(MeterNames.PageState, "idle"));
        }
    }

    private static Measurement<long>[] CountFaults(MeterReading reading)
    {
        ref readonly devmap_stats stats = ref reading.Stats;
        const string kind = MeterNames.FaultKind;
        return
        [
            Of(stats.faults_overflow, kind, "overflow"),
            Of(stats.faults_underflow, kind, "underflow"),
            Of(stats.faults_use_after_free, kind, "use_after_free"),
            Of(stats.faults_activation, kind, "activation"),
            Of(stats.faults_driver, kind, "driver"),
            Of(stats.faults_slow_callback, kind, "slow_callback"),
            Of(stats.faults_blocked_teardown, kind, "blocked_teardown"),
            Of(stats.faults_use_after_dispose, kind, "use_after_dispose"),
        ];
    }

    private static Measurement<long>[] CountLeaks(MeterReading reading)
    {
        ref readonly devmap_stats stats = ref reading.Stats;
        const string kind = MeterNames.LeakKind;
        return
        [
            Of(stats.leaks_lost, kind, "lost"),
            Of(stats.leaks_teardown, kind, "teardown"),
            Of(stats.leaks_ops, kind, "gate_hold"),
            Of(stats.leaks_held, kind, "held_too_long"),
        ];
    }

    private void AddMaps()
    {
        UpDown("devmap.map.count", "{map}", "Maps that are not torn down.", CountMaps);
        UpDown("devmap.gate.holders", "{holder}", "Holders of the gate, which is on while there are any.", static reading =>
        [
            Of(reading.Native.gate_holders - reading.Native.gate_user_holders, MeterNames.GateHolder, "map"),
            Of(reading.Native.gate_user_holders, MeterNames.GateHolder, "user"),
        ]);
    }

    private void AddPages()
    {
        UpDown("devmap.page.count", "{page}", "Pages of maps.", CountPages);
        Count("devmap.page.activations", "{activation}", "Pages that went from idle to in use.", static reading => One(reading.Stats.activations));
        Count("devmap.page.saturations", "{page}", "Pages whose count is saturated, for a fault: they are never idle again.", static reading => One(reading.Stats.saturations));
        Count("devmap.page.refusals", "{refusal}", "References on pages that were refused.", static reading =>
        [
            Of(reading.Stats.refused_dying, MeterNames.RefusalReason, "teardown"),
            Of(reading.Stats.refused_marked, MeterNames.RefusalReason, "layout_break"),
        ]);
    }

    private void AddCallbacks()
    {
        Count("devmap.page.idle_callbacks", "{page}", "Pages that became idle and whose driver was told.", static reading => One(reading.Stats.idle_edges_managed));
        Gauge("devmap.callback.duration", "s", "How long drivers' callbacks took, of those that were timed since the start.", static reading => Quantiles(reading.Native.callbacks));
        Count("devmap.callback.timed", "{callback}", "Drivers' callbacks that were timed.", static reading => One(reading.Native.callbacks.count));
        Count<double>("devmap.callback.time", "s", "Time in drivers' callbacks that were timed.", static reading => [new(Seconds(Long(reading.Native.callbacks.sum_ns)))]);
    }

    private void AddFaults()
    {
        Count("devmap.faults", "{fault}", "Broken contracts.", CountFaults);
        Count("devmap.leaks", "{leak}", "What was not given back.", CountLeaks);
    }

    private void AddLayoutBreaks()
    {
        UpDown("devmap.layout_break.active", "{layout_break}", "Truncations and hole punches in progress.", static reading => One(reading.Stats.layout_breaks.current));
        Count("devmap.layout_break.started", "{layout_break}", "Truncations and hole punches that began.", static reading => One(reading.Stats.layout_breaks.total));
        Count("devmap.layout_break.abandoned", "{layout_break}", "Truncations and hole punches that changed nothing.", static reading =>
        [
            Of(reading.Stats.layout_break_timeouts, MeterNames.LayoutBreakOutcome, "timeout"),
            Of(reading.Stats.layout_break_cancels, MeterNames.LayoutBreakOutcome, "cancelled"),
        ]);
        Gauge("devmap.layout_break.wait.duration", "s", "How long truncations and hole punches waited for pages.", static reading => Quantiles(reading.Native.layout_breaks));
        Count("devmap.layout_break.wait.timed", "{wait}", "Waits of truncations and hole punches that were timed.", static reading => One(reading.Native.layout_breaks.count));
        Count<double>("devmap.layout_break.wait.time", "s", "Time that truncations and hole punches waited for pages.", static reading => [new(Seconds(Long(reading.Native.layout_breaks.sum_ns)))]);
    }

    private void AddFarMemory()
    {
        UpDown("devmap.far_memory.resident", "{page}", "Pages of far memory that are in memory.", static reading => One(reading.Native.migration.resident));
        UpDown("devmap.far_memory.on_device", "{page}", "Pages of far memory whose data are on a device; some are in memory too.", static reading => One(reading.Native.migration.on_device));
        Count("devmap.migrations", "{page}", "Pages of far memory whose data moved.", static reading =>
        [
            Of(reading.Native.migration.to_device, MeterNames.MigrationDirection, "to_device"),
            Of(reading.Native.migration.to_ram, MeterNames.MigrationDirection, "to_memory"),
        ]);
        Count("devmap.migration.failures", "{page}", "Pages of far memory whose data could not be moved.", static reading => One(reading.Native.migration.failed));
        Count("devmap.page_faults", "{fault}", "Page faults on far memory.", static reading =>
        [
            Of(reading.Native.migration.faults, MeterNames.PageFaultResult, "served"),
            Of(reading.Native.migration.faults_failed, MeterNames.PageFaultResult, "failed"),
        ]);
    }

    private void AddDiagnostics()
    {
        UpDown("devmap.references.tracked", "{reference}", "References that are followed.", static reading => One(reading.Native.references));
        Count("devmap.references.untracked", "{reference}", "References that should have been followed, for which there was no room.", static reading =>
            One(reading.Stats.references_untracked));
        Publish(bit => _meter.CreateObservableGauge<long>(
            "devmap.diagnostics.level",
            () => Observe(bit, static reading => new Measurement<long>[] { new(reading.Native.level) }),
            "1",
            "The process's level: 0 Off, 1 Counters, 2 Sampled, 3 Full."));
    }

    private void Count(string name, string unit, string description, Func<MeterReading, IEnumerable<Measurement<long>>> measure) =>
        Count<long>(name, unit, description, measure);

    private void Count<T>(string name, string unit, string description, Func<MeterReading, IEnumerable<Measurement<T>>> measure)
        where T : struct =>
        Publish(bit => _meter.CreateObservableCounter(name, () => Observe(bit, measure), unit, description));

    private void UpDown(string name, string unit, string description, Func<MeterReading, IEnumerable<Measurement<long>>> measure) =>
        Publish(bit => _meter.CreateObservableUpDownCounter(name, () => Observe(bit, measure), unit, description));

    private void Gauge(string name, string unit, string description, Func<MeterReading, IEnumerable<Measurement<double>>> measure) =>
        Publish(bit => _meter.CreateObservableGauge(name, () => Observe(bit, measure), unit, description));

    /// <summary>A listener hears of an instrument while it is made, and what it throws there comes out here.</summary>
    private void Publish(Action<int> create)
    {
        int bit = _instruments++;
        Debug.Assert(bit < sizeof(ulong) * 8, "One bit for each instrument.");
        try
        {
            create(bit);
        }
#pragma warning disable CA1031 // One listener's exception keeps no other listener from the other instruments.
        catch (Exception exception)
#pragma warning restore CA1031
        {
            DiagnosticEvents.ListenerFailed("MeterListener", exception);
        }
    }

    private IEnumerable<Measurement<T>> Observe<T>(int bit, Func<MeterReading, IEnumerable<Measurement<T>>> measure)
        where T : struct
    {
        try
        {
            return measure(ReadFor(1UL << bit));
        }
#pragma warning disable CA1031 // A reading that failed is no measurement; the listener has no use for the exception.
        catch (Exception)
#pragma warning restore CA1031
        {
            return [];
        }
    }

    private MeterReading ReadFor(ulong instrument)
    {
        lock (_lock)
        {
            if (_reading is null || (_answered & instrument) != 0 || Stopwatch.GetElapsedTime(_readAt) > s_maxAge)
            {
                _reading = MeterReading.Take();
                _readAt = Stopwatch.GetTimestamp();
                _answered = 0;
            }

            _answered |= instrument;
            return _reading;
        }
    }
}
