// SPDX-License-Identifier: MIT
using Microsoft.Extensions.Logging;

namespace Devmap.Telemetry;

/// <summary>The events as log messages, with the same ids and names.</summary>
internal static partial class LogMessages
{
    [LoggerMessage(EventIds.MapCreated, LogLevel.Debug, "{Map} created: type {MemoryType}")]
    public static partial void MapCreated(this ILogger logger, string map, MemoryType memoryType);

    [LoggerMessage(EventIds.MapDisposed, LogLevel.Debug, "{Map} disposed")]
    public static partial void MapDisposed(this ILogger logger, string map);

    [LoggerMessage(EventIds.MapDisposeTimedOut, LogLevel.Warning, "Disposing {Map} timed out with {BusyPages} pages in use and {MapReferences} references on the map itself")]
    public static partial void MapDisposeTimedOut(this ILogger logger, string map, long busyPages, long mapReferences, Exception exception);

    [LoggerMessage(EventIds.LevelChanged, LogLevel.Information, "The diagnostic level of {Subject} is {Level}; it was {Before}")]
    public static partial void LevelChanged(this ILogger logger, string subject, string level, string before);

    [LoggerMessage(EventIds.GateHeld, LogLevel.Debug, "The gate was held; it has {Holders} holders")]
    public static partial void GateHeld(this ILogger logger, int holders);

    [LoggerMessage(EventIds.GateReleased, LogLevel.Debug, "The gate was released; it has {Holders} holders")]
    public static partial void GateReleased(this ILogger logger, int holders);

    [LoggerMessage(EventIds.Misuse, LogLevel.Error, "{Kind}, page {Page}, count {Count}: {Reason}")]
    public static partial void Misuse(this ILogger logger, DevmapFaultKind kind, long? page, int count, string reason, Exception? exception);

    [LoggerMessage(EventIds.Leak, LogLevel.Warning, "{Kind}, page {Page}, count {Count}: {Reason}")]
    public static partial void Leak(this ILogger logger, DevmapFaultKind kind, long? page, int count, string reason, Exception? exception);

    [LoggerMessage(EventIds.LayoutBreakStart, LogLevel.Debug, "{Change} of {File} began: {Length} bytes from {Offset} (operation {Operation})")]
    public static partial void LayoutBreakStart(this ILogger logger, string change, string file, long length, long offset, long operation);

    [LoggerMessage(EventIds.LayoutBreakStop, LogLevel.Debug, "{Change} of {File} ended: {Outcome} after {DurationMilliseconds} ms (operation {Operation})")]
    public static partial void LayoutBreakStop(this ILogger logger, string change, string file, string outcome, double durationMilliseconds, long operation);

    [LoggerMessage(EventIds.PageRefused, LogLevel.Trace, "{PageCount} pages of {Map} from {FirstPage} were refused: {Reason}")]
    public static partial void PageRefused(this ILogger logger, long pageCount, string map, long firstPage, string reason);

    [LoggerMessage(EventIds.LeaseTracked, LogLevel.Trace, "Lease {Lease} of {PageCount} pages of {Map} from {FirstPage}, taken by stack {Stack}")]
    public static partial void LeaseTracked(this ILogger logger, long lease, long pageCount, string map, long firstPage, long stack);

    [LoggerMessage(EventIds.LeaseReleased, LogLevel.Trace, "Lease {Lease} ended after {HeldMilliseconds} ms")]
    public static partial void LeaseReleased(this ILogger logger, long lease, double heldMilliseconds);

    [LoggerMessage(EventIds.FarPageFailed, LogLevel.Error, "{Operation} of page {Page} of {Map} failed")]
    public static partial void FarPageFailed(this ILogger logger, string operation, long page, string map, Exception exception);

    [LoggerMessage(EventIds.ListenerFailed, LogLevel.Warning, "A listener ({Listener}) threw")]
    public static partial void ListenerFailed(this ILogger logger, string listener, Exception exception);
}
