// SPDX-License-Identifier: MIT
using Devmap.Interop;
using Devmap.Telemetry;

namespace Devmap.Native;

/// <summary>
/// The thread on which an observer hears of a far memory's events. It waits for them in native code, where it keeps no
/// garbage collection waiting.
/// </summary>
internal sealed unsafe class FarObserverThread : IDisposable
{
    private const int BatchSize = 64;
    private const int NanosecondsPerTick = 100;

    private readonly CancellationTokenSource _stop = new();
    private readonly NativeCancellation _cancellation;
    private readonly DevicePageMap _map;
    private readonly devmap_hmm_range* _range;
    private readonly FarMemoryObserver _observer;
    private readonly Thread _thread;

    private FarObserverThread(DevicePageMap map, devmap_hmm_range* range, FarMemoryObserver observer)
    {
        _map = map;
        _range = range;
        _observer = observer;
        _cancellation = new NativeCancellation(_stop.Token);
        _thread = new Thread(Run) { IsBackground = true, Name = "devmap observer" };
    }

    public bool IsCurrent => Thread.CurrentThread == _thread;

    public static FarObserverThread Start(DevicePageMap map, devmap_hmm_range* range, FarMemoryObserver observer)
    {
        var thread = new FarObserverThread(map, range, observer);
        try
        {
            thread._thread.Start();
        }
        catch
        {
            thread.Free();
            throw;
        }

        return thread;
    }

    /// <summary>Waits until the observer has heard of every event. Nothing adds more of them by now.</summary>
    public void Dispose()
    {
        _stop.Cancel();
        _thread.Join();
        Free();
    }

    private void Free()
    {
        _cancellation.Dispose();
        _stop.Dispose();
    }

    private void Run()
    {
        devmap_hmm_event* events = stackalloc devmap_hmm_event[BatchSize];
        while (true)
        {
            ulong lost;
            int count = NativeMethods.devmap_hmm_range_wait_events(
                _range, events, BatchSize, NativeMethods.DEVMAP_WAIT_FOREVER, _cancellation.Pointer, &lost);
            if (count < 0)
                break;
            if (lost > 0)
                TellLost((long)lost);
            for (int i = 0; i < count; i++)
                Tell(in events[i]);
        }

        // The range's handle is freed with the map.
        GC.KeepAlive(_map);
    }

    private void TellLost(long events)
    {
        try
        {
            _observer.OnLost(events);
        }
#pragma warning disable CA1031 // An observer's exception ends nobody else's work.
        catch (Exception exception)
#pragma warning restore CA1031
        {
            FaultReporter.ReportObserver(exception);
        }
    }

    private void Tell(in devmap_hmm_event happened)
    {
        try
        {
            TellCore(in happened);
        }
#pragma warning disable CA1031 // As above.
        catch (Exception exception)
#pragma warning restore CA1031
        {
            FaultReporter.ReportObserver(exception);
        }
    }

    private void TellCore(in devmap_hmm_event happened)
    {
        IOException? error = happened.error == 0 ? null : NativeError.System(happened.error, $"Page {happened.first_page} of {_map}");
        var duration = TimeSpan.FromTicks(happened.duration_ns / NanosecondsPerTick);
        if (happened.kind == (int)devmap_hmm_event_kind.DEVMAP_HMM_EVENT_FAULT)
        {
            bool isWrite = ((devmap_hmm_fault_flag)happened.flags).HasFlag(devmap_hmm_fault_flag.DEVMAP_HMM_FAULT_WRITE);
            if (error is not null)
                DiagnosticEvents.FarPageFailed(_map, (long)happened.first_page, "Fault", error);
            _observer.OnFault(new FarFault((long)happened.first_page, isWrite, happened.time_ns, duration, error));
        }
        else
        {
            bool isEviction = happened.kind == (int)devmap_hmm_event_kind.DEVMAP_HMM_EVENT_TO_DEVICE;
            if (error is not null)
                DiagnosticEvents.FarPageFailed(_map, (long)happened.first_page, isEviction ? "Eviction" : "Prefetch", error);
            _observer.OnMigrated(new FarMigrationEvent(
                isEviction, (long)happened.first_page, (long)happened.nr_pages, happened.time_ns, duration, error));
        }
    }
}
