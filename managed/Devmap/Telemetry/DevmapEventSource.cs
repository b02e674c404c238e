// SPDX-License-Identifier: MIT
using System.Diagnostics.Tracing;

namespace Devmap.Telemetry;

/// <summary>
/// The events. Their ids, names, payloads, levels and keywords are what tools rely on: new ones are added, none is changed.
/// Everything is written through <see cref="DiagnosticEvents"/>, which asks first whether anybody listens.
/// </summary>
[EventSource(Name = SourceName)]
internal sealed class DevmapEventSource : EventSource
{
    public const string SourceName = "Devmap";

    /// <summary>The source: made when the native library is loaded, so that sessions find it.</summary>
    public static readonly DevmapEventSource Log = new();

    // There before the base class's constructor runs, which tells of sessions that were there first.
    private readonly SnapshotPump _snapshots = new();

    private DevmapEventSource()
    {
    }

    /// <summary>Whether a session that wants snapshots is there.</summary>
    public bool TakesSnapshots => _snapshots.IsRunning;

    [Event(EventIds.MapCreated, Level = EventLevel.Informational, Keywords = Keywords.Maps, Message = "{0} created: {3} pages of {4} bytes, {2}")]
    public void MapCreated(string map, long address, string memoryType, long pageCount, int pageSize) =>
        WriteEvent(EventIds.MapCreated, map, address, memoryType, pageCount, pageSize);

    [Event(EventIds.MapDisposed, Level = EventLevel.Informational, Keywords = Keywords.Maps, Message = "{0} disposed")]
    public void MapDisposed(string map, long address) => WriteEvent(EventIds.MapDisposed, map, address);

    [Event(EventIds.MapDisposeTimedOut, Level = EventLevel.Warning, Keywords = Keywords.Maps, Message = "Disposing {0} timed out with {2} pages in use and {3} references on the map itself")]
    public void MapDisposeTimedOut(string map, long address, long busyPages, long mapReferences) =>
        WriteEvent(EventIds.MapDisposeTimedOut, map, address, busyPages, mapReferences);

    [Event(EventIds.LevelChanged, Level = EventLevel.Informational, Message = "Level of {0}: {1}, was {2}")]
    public void LevelChanged(string subject, string level, string before) => WriteEvent(EventIds.LevelChanged, subject, level, before);

    [Event(EventIds.GateHeld, Level = EventLevel.Informational, Keywords = Keywords.Gate, Message = "The gate was held: {0} holders")]
    public void GateHeld(int holders) => WriteEvent(EventIds.GateHeld, holders);

    [Event(EventIds.GateReleased, Level = EventLevel.Informational, Keywords = Keywords.Gate, Message = "The gate was released: {0} holders")]
    public void GateReleased(int holders) => WriteEvent(EventIds.GateReleased, holders);

    [Event(EventIds.Misuse, Level = EventLevel.Error, Keywords = Keywords.Misuse, Message = "{0}, page {2}: {1}")]
    public void Misuse(string kind, string message, long page, int count, string exceptionType) =>
        WriteEvent(EventIds.Misuse, kind, message, page, count, exceptionType);

    [Event(EventIds.Leak, Level = EventLevel.Warning, Keywords = Keywords.Leaks, Message = "{0}, page {2}: {1}")]
    public void Leak(string kind, string message, long page, int count) => WriteEvent(EventIds.Leak, kind, message, page, count);

    // Start and stop may be on two threads, and are told apart by their number: activities would nest what does not.
    [Event(EventIds.LayoutBreakStart, Level = EventLevel.Informational, Keywords = Keywords.Layout, ActivityOptions = EventActivityOptions.Disable, Message = "{2} of {1} from {3}, {4} bytes")]
    public void LayoutBreakStart(long operation, string file, string change, long offset, long length) =>
        WriteEvent(EventIds.LayoutBreakStart, operation, file, change, offset, length);

    [Event(EventIds.LayoutBreakStop, Level = EventLevel.Informational, Keywords = Keywords.Layout, ActivityOptions = EventActivityOptions.Disable, Message = "{2} of {1}: {3} after {4} ms")]
    public void LayoutBreakStop(long operation, string file, string change, string outcome, double durationMilliseconds) =>
        WriteEvent(EventIds.LayoutBreakStop, operation, file, change, outcome, durationMilliseconds);

    [Event(EventIds.PageRefused, Level = EventLevel.Verbose, Keywords = Keywords.Pages, Message = "Pages {1} to {1} + {2} of {0} were refused: {3}")]
    public void PageRefused(string map, long firstPage, long pageCount, string reason) =>
        WriteEvent(EventIds.PageRefused, map, firstPage, pageCount, reason);

    [Event(EventIds.LeaseTracked, Level = EventLevel.Verbose, Keywords = Keywords.Pages, Message = "Lease {0} of {3} pages of {1} from {2}")]
    public void LeaseTracked(long lease, string map, long firstPage, long pageCount, long stack) =>
        WriteEvent(EventIds.LeaseTracked, lease, map, firstPage, pageCount, stack);

    [Event(EventIds.LeaseReleased, Level = EventLevel.Verbose, Keywords = Keywords.Pages, Message = "Lease {0} ended after {1} ms")]
    public void LeaseReleased(long lease, double heldMilliseconds) => WriteEvent(EventIds.LeaseReleased, lease, heldMilliseconds);

    [Event(EventIds.FarPageFailed, Level = EventLevel.Error, Keywords = Keywords.Far, Message = "{2} of page {1} of {0} failed: {3}")]
    public void FarPageFailed(string map, long page, string operation, string error) =>
        WriteEvent(EventIds.FarPageFailed, map, page, operation, error);

    [Event(EventIds.ListenerFailed, Level = EventLevel.Warning, Keywords = Keywords.Misuse, Message = "A listener ({0}) threw {1}: {2}")]
    public void ListenerFailed(string listener, string exceptionType, string message) =>
        WriteEvent(EventIds.ListenerFailed, listener, exceptionType, message);

    /// <summary>A part of a <see cref="DevmapSnapshot"/>: the parts with one sequence number, in their order, are its JSON.</summary>
    [Event(EventIds.Snapshot, Level = EventLevel.Informational, Keywords = Keywords.Snapshots)]
    public void Snapshot(long sequence, int part, int parts, string json) => WriteEvent(EventIds.Snapshot, sequence, part, parts, json);

    /// <inheritdoc/>
    protected override void OnEventCommand(EventCommandEventArgs command) => _snapshots.Follow(this, command);

    /// <summary>What an event is about; a session asks for any of them.</summary>
    public static class Keywords
    {
        public const EventKeywords Maps = (EventKeywords)0x01;
        public const EventKeywords Gate = (EventKeywords)0x02;
        public const EventKeywords Misuse = (EventKeywords)0x04;
        public const EventKeywords Leaks = (EventKeywords)0x08;
        public const EventKeywords Layout = (EventKeywords)0x10;
        public const EventKeywords Pages = (EventKeywords)0x20;
        public const EventKeywords Far = (EventKeywords)0x40;
        public const EventKeywords Snapshots = (EventKeywords)0x80;
    }
}
