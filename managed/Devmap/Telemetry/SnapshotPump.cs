// SPDX-License-Identifier: MIT
using System.Diagnostics.Tracing;
using System.Globalization;

namespace Devmap.Telemetry;

/// <summary>Takes snapshots for sessions that ask for them, one after the other, on the thread pool; nothing else.</summary>
internal sealed class SnapshotPump
{
    /// <summary>A session's argument: milliseconds from one snapshot to the next.</summary>
    public const string IntervalArgument = "SnapshotIntervalMilliseconds";

    /// <summary>Characters of a part: with its other fields well below what an event may have.</summary>
    public const int MaxPart = 16_000;

    private const int DefaultInterval = 1000;
    private const int MinInterval = 100;
    private const int MaxInterval = 60_000;

    // A few pages in use by name at every level, so that who watches sees which they are.
    private static readonly SnapshotOptions s_options = new() { BusyPageLimit = 64 };

    private readonly Lock _lock = new();
    private Timer? _timer;
    private int _interval;
    private long _sequence;

    public bool IsRunning
    {
        get
        {
            lock (_lock)
                return _timer is not null;
        }
    }

    /// <summary>Begins with the first session that asks, and ends with the last. Of several, the shortest interval holds.</summary>
    public void Follow(DevmapEventSource source, EventCommandEventArgs command)
    {
        lock (_lock)
        {
            if (!IsWanted(source))
            {
                Stop();
                return;
            }

            int? interval = IntervalOf(command.Arguments);
            if (_timer is not null)
            {
                _interval = Math.Min(_interval, interval ?? MaxInterval);
                return;
            }

            _interval = interval ?? DefaultInterval;
            _timer = Start(source);
        }
    }

    /// <summary>Cuts a snapshot's JSON into parts; there is at least one.</summary>
    public static string[] Cut(string json)
    {
        string[] parts = new string[Math.Max(1, (json.Length + MaxPart - 1) / MaxPart)];
        for (int i = 0; i < parts.Length; i++)
            parts[i] = json.Substring(i * MaxPart, Math.Min(MaxPart, json.Length - (i * MaxPart)));
        return parts;
    }

    /// <summary>The interval that a session asks for, within the bounds; null where it names none, or no number.</summary>
    public static int? IntervalOf(IDictionary<string, string?>? arguments) =>
        arguments is not null && arguments.TryGetValue(IntervalArgument, out string? text)
        && long.TryParse(text, NumberStyles.AllowLeadingSign, CultureInfo.InvariantCulture, out long interval)
            ? (int)Math.Clamp(interval, MinInterval, MaxInterval)
            : null;

    private static bool IsWanted(DevmapEventSource source) => source.IsEnabled(EventLevel.Informational, DevmapEventSource.Keywords.Snapshots);

    private Timer Start(DevmapEventSource source)
    {
        // The session's flow is none of the snapshots': without, its values would live as long as the timer.
        bool flows = !ExecutionContext.IsFlowSuppressed();
        if (flows)
            ExecutionContext.SuppressFlow();
        try
        {
            Timer? timer = null;
            timer = new Timer(_ => Tick(source, timer!));
            timer.Change(0, Timeout.Infinite);
            return timer;
        }
        finally
        {
            if (flows)
                ExecutionContext.RestoreFlow();
        }
    }

    private void Stop()
    {
        _timer?.Dispose();
        _timer = null;
    }

    private void Tick(DevmapEventSource source, Timer timer)
    {
        try
        {
            Write(source);
        }
#pragma warning disable CA1031 // A snapshot that failed, for want of memory or by a listener, is one that is missing.
        catch (Exception)
#pragma warning restore CA1031
        {
        }

        lock (_lock)
        {
            if (_timer != timer)
                return;
            if (IsWanted(source))
                timer.Change(_interval, Timeout.Infinite);
            else
                Stop();
        }
    }

    private void Write(DevmapEventSource source)
    {
        string[] parts = Cut(DevmapDiagnostics.Capture(s_options).ToJson());
        long sequence = Interlocked.Increment(ref _sequence);
        for (int i = 0; i < parts.Length; i++)
            source.Snapshot(sequence, i, parts.Length, parts[i]);
    }
}
