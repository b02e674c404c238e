// SPDX-License-Identifier: MIT
using System.Collections.Concurrent;
using System.Diagnostics.Tracing;
using Xunit;

namespace Devmap.Tests.Telemetry;

/// <summary>The events while it is not disposed.</summary>
internal sealed class EventLog : EventListener
{
    private readonly ConcurrentQueue<EventWrittenEventArgs> _events = new();
    private readonly Action<EventWrittenEventArgs>? _act;

    public EventLog(EventLevel level = EventLevel.Verbose, long keywords = 0x7f, IDictionary<string, string?>? arguments = null, Action<EventWrittenEventArgs>? act = null)
    {
        Assert.True(DevmapDiagnostics.LoadReport.IsLoaded);
        _act = act;
        EnableEvents(Source, level, (EventKeywords)keywords, arguments);
    }

    public static EventSource Source => EventSource.GetSources().Single(source => source.Name == "Devmap");

    public IReadOnlyCollection<EventWrittenEventArgs> Events => _events;

    /// <summary>The events as text: name, then payload values.</summary>
    public IEnumerable<string> Texts => _events.Select(TextOf);

    public static string TextOf(EventWrittenEventArgs happened) =>
        FormattableString.Invariant($"{happened.EventName}: {string.Join(" | ", happened.Payload!.Select(value => FormattableString.Invariant($"{value}")))}");

    protected override void OnEventWritten(EventWrittenEventArgs eventData)
    {
        _events.Enqueue(eventData);
        _act?.Invoke(eventData);
    }
}
