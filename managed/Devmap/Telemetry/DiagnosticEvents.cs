// SPDX-License-Identifier: MIT
using System.Diagnostics;
using System.Diagnostics.Tracing;
using Devmap.Interop;
using Devmap.Native;
using Microsoft.Extensions.Logging;
using Keywords = Devmap.Telemetry.DevmapEventSource.Keywords;

namespace Devmap.Telemetry;

/// <summary>
/// Where the library says what happened: to the event source, and to the application's logger. Nothing that a listener
/// throws comes out. Called with no lock held, as listeners run right here; an event that happens inside a listener, on its
/// thread, is told to nobody, as a logger that uses the library would go round in circles.
/// </summary>
internal static class DiagnosticEvents
{
    private static ILogger? s_logger;
    private static long s_operations;

    [ThreadStatic]
    private static bool t_isTelling;

    /// <summary>Makes the meter and the event source, once the native library is there. Throws nothing.</summary>
    public static void Start()
    {
        Guard(nameof(EventListener), static () => _ = DevmapEventSource.Log.Name);
        Guard(nameof(System.Diagnostics.Metrics.MeterListener), static () => _ = DevmapMeter.Create());
    }

    public static void UseLogger(ILogger? logger) => Volatile.Write(ref s_logger, logger);

    public static void MapCreated(DevicePageMap map)
    {
        if (Wants(EventLevel.Informational, Keywords.Maps))
            ToSource((Name: map.ToString(), Map: map), static (source, it) => source.MapCreated(it.Name, it.Map.Address, it.Map.Type.ToString(), it.Map.PageCount, it.Map.PageSize));
        if (Logger(LogLevel.Debug) is { } logger)
            ToLogger(logger, map, static (logger, map) => logger.MapCreated(map.ToString(), map.Type));
    }

    public static void MapDisposed(DevicePageMap map)
    {
        if (Wants(EventLevel.Informational, Keywords.Maps))
            ToSource(map, static (source, map) => source.MapDisposed(map.ToString(), map.Address));
        if (Logger(LogLevel.Debug) is { } logger)
            ToLogger(logger, map, static (logger, map) => logger.MapDisposed(map.ToString()));
    }

    /// <param name="busy">What the disposal ends with; has a map.</param>
    public static void MapDisposeTimedOut(PagesBusyException busy)
    {
        if (Wants(EventLevel.Warning, Keywords.Maps))
            ToSource(busy, static (source, busy) => source.MapDisposeTimedOut(busy.Map!.ToString(), busy.Map.Address, busy.PageCount, busy.MapReferences));
        if (Logger(LogLevel.Warning) is { } logger)
            ToLogger(logger, busy, static (logger, busy) => logger.MapDisposeTimedOut(busy.Map!.ToString(), busy.PageCount, busy.MapReferences, busy));
    }

    /// <param name="map">The map whose level it is; null for the process's.</param>
    /// <param name="level">The level now; null for the process's.</param>
    /// <param name="before">The level before; null for the process's.</param>
    public static void LevelChanged(DevicePageMap? map, DiagnosticLevel? level, DiagnosticLevel? before)
    {
        if (!Wants(EventLevel.Informational, EventKeywords.None) && Logger(LogLevel.Information) is null)
            return;
        var it = (Subject: map?.ToString() ?? "the process", Level: NameOf(level), Before: NameOf(before));
        ToSource(it, static (source, it) => source.LevelChanged(it.Subject, it.Level, it.Before));
        if (Logger(LogLevel.Information) is { } logger)
            ToLogger(logger, it, static (logger, it) => logger.LevelChanged(it.Subject, it.Level, it.Before));
    }

    public static void GateHeld()
    {
        if (Wants(EventLevel.Informational, Keywords.Gate))
            ToSource(DevmapLibrary.GateHolders, static (source, holders) => source.GateHeld(holders));
        if (Logger(LogLevel.Debug) is { } logger)
            ToLogger(logger, DevmapLibrary.GateHolders, static (logger, holders) => logger.GateHeld(holders));
    }

    public static void GateReleased()
    {
        if (Wants(EventLevel.Informational, Keywords.Gate))
            ToSource(DevmapLibrary.GateHolders, static (source, holders) => source.GateReleased(holders));
        if (Logger(LogLevel.Debug) is { } logger)
            ToLogger(logger, DevmapLibrary.GateHolders, static (logger, holders) => logger.GateReleased(holders));
    }

    /// <summary>A misuse, or a leak.</summary>
    public static void Fault(DevmapFaultEventArgs fault)
    {
        if ((int)fault.Kind >= (int)devmap_fault_kind.DEVMAP_FAULT_LEAK_LOST)
        {
            if (Wants(EventLevel.Warning, Keywords.Leaks))
                ToSource(fault, static (source, fault) => source.Leak(fault.Kind.ToString(), fault.Message, fault.PageIndex ?? -1, fault.PageCount));
            if (Logger(LogLevel.Warning) is { } logger)
                ToLogger(logger, fault, static (logger, fault) => logger.Leak(fault.Kind, fault.PageIndex, fault.PageCount, fault.Message, fault.Exception));
        }
        else
        {
            if (Wants(EventLevel.Error, Keywords.Misuse))
            {
                ToSource(fault, static (source, fault) => source.Misuse(
                    fault.Kind.ToString(), fault.Message, fault.PageIndex ?? -1, fault.PageCount, fault.Exception?.GetType().ToString() ?? string.Empty));
            }

            if (Logger(LogLevel.Error) is { } logger)
                ToLogger(logger, fault, static (logger, fault) => logger.Misuse(fault.Kind, fault.PageIndex, fault.PageCount, fault.Message, fault.Exception));
        }
    }

    /// <returns>What <see cref="LayoutBreakStop"/> is to be given.</returns>
    public static LayoutBreak LayoutBreakStart(DaxFile file, string change, long offset, long length)
    {
        var it = new LayoutBreak(Interlocked.Increment(ref s_operations), file, change, Stopwatch.GetTimestamp());
        if (Wants(EventLevel.Informational, Keywords.Layout))
            ToSource((it, offset, length), static (source, all) => source.LayoutBreakStart(all.it.Operation, all.it.File.ToString(), all.it.Change, all.offset, all.length));
        if (Logger(LogLevel.Debug) is { } logger)
            ToLogger(logger, (it, offset, length), static (logger, all) => logger.LayoutBreakStart(all.it.Change, all.it.File.ToString(), all.length, all.offset, all.it.Operation));
        return it;
    }

    /// <param name="it">What <see cref="LayoutBreakStart"/> answered.</param>
    /// <param name="result">The native result.</param>
    public static void LayoutBreakStop(LayoutBreak it, int result)
    {
        if (Wants(EventLevel.Informational, Keywords.Layout))
        {
            ToSource((it, result), static (source, all) => source.LayoutBreakStop(
                all.it.Operation, all.it.File.ToString(), all.it.Change, LayoutBreak.OutcomeOf(all.result), all.it.Elapsed.TotalMilliseconds));
        }

        if (Logger(LogLevel.Debug) is { } logger)
        {
            ToLogger(logger, (it, result), static (logger, all) => logger.LayoutBreakStop(
                all.it.Change, all.it.File.ToString(), LayoutBreak.OutcomeOf(all.result), all.it.Elapsed.TotalMilliseconds, all.it.Operation));
        }
    }

    /// <param name="map">The map.</param>
    /// <param name="firstPage">Index of the first page that was asked for.</param>
    /// <param name="pageCount">How many were.</param>
    /// <param name="result">The native result: only those that a marked page or a dying map has are told.</param>
    public static void PageRefused(DevicePageMap map, long firstPage, long pageCount, int result)
    {
        if (result is not (-NativeError.EAGAIN or -NativeError.ENODEV))
            return;
        var it = (Map: map, First: firstPage, Count: pageCount, Reason: result == -NativeError.EAGAIN ? "layout_break" : "teardown");
        if (Wants(EventLevel.Verbose, Keywords.Pages))
            ToSource(it, static (source, it) => source.PageRefused(it.Map.ToString(), it.First, it.Count, it.Reason));
        if (Logger(LogLevel.Trace) is { } logger)
            ToLogger(logger, it, static (logger, it) => logger.PageRefused(it.Count, it.Map.ToString(), it.First, it.Reason));
    }

    /// <param name="lease">A number that no other lease has.</param>
    /// <param name="map">The map.</param>
    /// <param name="firstPage">Index of the first page.</param>
    /// <param name="pageCount">How many pages.</param>
    /// <param name="stack">The number of the stack that took it.</param>
    public static void LeaseTracked(long lease, DevicePageMap map, long firstPage, long pageCount, long stack)
    {
        var it = (Lease: lease, Map: map, First: firstPage, Count: pageCount, Stack: stack);
        if (Wants(EventLevel.Verbose, Keywords.Pages))
            ToSource(it, static (source, it) => source.LeaseTracked(it.Lease, it.Map.ToString(), it.First, it.Count, it.Stack));
        if (Logger(LogLevel.Trace) is { } logger)
            ToLogger(logger, it, static (logger, it) => logger.LeaseTracked(it.Lease, it.Count, it.Map.ToString(), it.First, it.Stack));
    }

    /// <param name="lease">As <see cref="LeaseTracked"/> was given it.</param>
    /// <param name="held">How long it was held.</param>
    public static void LeaseReleased(long lease, TimeSpan held)
    {
        if (Wants(EventLevel.Verbose, Keywords.Pages))
            ToSource((lease, held), static (source, it) => source.LeaseReleased(it.lease, it.held.TotalMilliseconds));
        if (Logger(LogLevel.Trace) is { } logger)
            ToLogger(logger, (lease, held), static (logger, it) => logger.LeaseReleased(it.lease, it.held.TotalMilliseconds));
    }

    public static void FarPageFailed(DevicePageMap map, long page, string operation, Exception error)
    {
        var it = (Map: map, Page: page, Operation: operation, Error: error);
        if (Wants(EventLevel.Error, Keywords.Far))
            ToSource(it, static (source, it) => source.FarPageFailed(it.Map.ToString(), it.Page, it.Operation, it.Error.Message));
        if (Logger(LogLevel.Error) is { } logger)
            ToLogger(logger, it, static (logger, it) => logger.FarPageFailed(it.Operation, it.Page, it.Map.ToString(), it.Error));
    }

    /// <param name="listener">What kind of listener.</param>
    /// <param name="exception">What it threw.</param>
    public static void ListenerFailed(string listener, Exception exception)
    {
        ListenerFailedToSource(listener, exception);
        if (Logger(LogLevel.Warning) is { } logger)
            ToLogger(logger, (listener, exception), static (logger, it) => logger.ListenerFailed(it.listener, it.exception));
    }

    private static void ListenerFailedToSource(string listener, Exception exception)
    {
        if (Wants(EventLevel.Warning, Keywords.Misuse))
            ToSource((listener, exception), static (source, it) => source.ListenerFailed(it.listener, it.exception.GetType().ToString(), it.exception.Message));
    }

    private static string NameOf(DiagnosticLevel? level) => level?.ToString() ?? "the process's";

    private static bool Wants(EventLevel level, EventKeywords keywords) => !t_isTelling && DevmapEventSource.Log.IsEnabled(level, keywords);

    /// <summary>The logger, where it takes messages of the level.</summary>
    private static ILogger? Logger(LogLevel level)
    {
        if (t_isTelling || Volatile.Read(ref s_logger) is not { } logger)
            return null;
        t_isTelling = true;
        try
        {
            return logger.IsEnabled(level) ? logger : null;
        }
#pragma warning disable CA1031 // As below.
        catch (Exception)
#pragma warning restore CA1031
        {
            FaultReporter.CountListenerException();
            return null;
        }
        finally
        {
            t_isTelling = false;
        }
    }

    private static void ToSource<T>(T it, Action<DevmapEventSource, T> write) =>
        Tell((it, write), static all => all.write(DevmapEventSource.Log, all.it), isSource: true);

    private static void ToLogger<T>(ILogger logger, T it, Action<ILogger, T> write) => Tell((logger, it, write), static all => all.write(all.logger, all.it));

    private static void Tell<T>(T it, Action<T> tell, bool isSource = false)
    {
        Exception? thrown = null;
        t_isTelling = true;
        try
        {
            tell(it);
        }
#pragma warning disable CA1031 // A listener's exception is no part of what the library was doing.
        catch (Exception exception)
#pragma warning restore CA1031
        {
            thrown = exception;
        }
        finally
        {
            t_isTelling = false;
        }

        if (thrown is null)
            return;
        FaultReporter.CountListenerException();
        if (!isSource)
            ListenerFailedToSource(nameof(ILogger), thrown);
    }

    private static void Guard(string listener, Action start)
    {
        try
        {
            start();
        }
#pragma warning disable CA1031 // Loading the library fails for no listener.
        catch (Exception exception)
#pragma warning restore CA1031
        {
            Console.Error.WriteLine($"devmap: {listener}: {exception.Message}");
        }
    }
}
