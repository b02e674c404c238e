// SPDX-License-Identifier: MIT
using System.Diagnostics;
using System.Diagnostics.CodeAnalysis;
using Devmap.Interop;
using Devmap.Native;
using Devmap.Telemetry;

namespace Devmap;

public sealed unsafe partial class DevicePageMap
{
    /// <summary>
    /// Tears the map down: takes no new leases, waits until every page is idle and every callback has returned, then gives
    /// the memory back. A file's map closes its file. Again on a torn-down map it does nothing.
    /// </summary>
    /// <exception cref="PagesBusyException">
    /// Pages stayed in use for the map's dispose timeout. Nothing is torn down, but the map takes no new leases: dispose it
    /// again when they are back, or <see cref="Resume"/> it.
    /// </exception>
    /// <exception cref="InvalidOperationException">Called from one of the map's own callbacks, whose end it would wait for.</exception>
    [SuppressMessage("Usage", "CA1816", Justification = "The finalizer frees what this leaves for late callers.")]
    public void Dispose() => TearDown(_disposeTimeout);

    /// <summary>As <see cref="Dispose"/>, without blocking the caller while pages are in use.</summary>
    /// <exception cref="PagesBusyException">As <see cref="Dispose"/>.</exception>
    /// <exception cref="InvalidOperationException">As <see cref="Dispose"/>.</exception>
    [SuppressMessage("Usage", "CA1816", Justification = "The finalizer frees what this leaves for late callers.")]
    public ValueTask DisposeAsync()
    {
        if (_backing.EndsByWaiting && !_detached)
            return new ValueTask(BlockingWait.RunAsync(() => TearDown(_disposeTimeout)));

        // Most maps are idle by now: ask once, and give the wait a thread of its own only if there is something to wait for.
        if (TryTearDown(TimeSpan.Zero, out Exception? error))
            return ValueTask.CompletedTask;
        if (error is not PagesBusyException || _disposeTimeout == TimeSpan.Zero)
        {
            TellTimedOut(error);
            return ValueTask.FromException(error!);
        }

        return new ValueTask(BlockingWait.RunAsync(() => TearDown(_disposeTimeout)));
    }

    /// <summary>Reopens a map whose disposal ended in <see cref="PagesBusyException"/>; does nothing to a live one.</summary>
    /// <exception cref="ObjectDisposedException">The map is torn down.</exception>
    /// <exception cref="InvalidOperationException">Another thread is tearing it down.</exception>
    public void Resume()
    {
        ThrowIfDisposed();
        int result = NativeMethods.devmap_pagemap_resume(Pointer);
        GC.KeepAlive(this);
        if (result != 0)
            throw LeaseError(result);
    }

    /// <summary>
    /// Begins to go through the pages for a snapshot, for which the native side holds the map. Not beside a teardown: one without
    /// patience would find the map held, by nobody whom its caller knows.
    /// </summary>
    /// <returns>Whether it began; then <see cref="EndReading"/> ends it.</returns>
    internal bool TryBeginReading()
    {
        // A full barrier, as in Unmap: one of the two sees the other.
        Interlocked.Increment(ref _reading);
        if (Volatile.Read(ref _unmapping) == 0)
            return true;
        EndReading();
        return false;
    }

    internal void EndReading() => Interlocked.Decrement(ref _reading);

    private static void TellTimedOut(Exception? error)
    {
        if (error is PagesBusyException busy)
            DiagnosticEvents.MapDisposeTimedOut(busy);
    }

    private void TearDown(TimeSpan timeout)
    {
        if (TryTearDown(timeout, out Exception? error))
            return;
        TellTimedOut(error);
        throw error!;
    }

    private bool TryTearDown(TimeSpan timeout, out Exception? error)
    {
        devmap_busy_page* pages = stackalloc devmap_busy_page[PagesBusyException.MaxNamed];
        var report = new devmap_busy_report { pages = pages, capacity = PagesBusyException.MaxNamed };
        int result = UnmapInTurn(timeout, &report);
        error = result switch
        {
            0 or -NativeError.ENODEV => null,
            -NativeError.EBUSY => new PagesBusyException(
                $"Disposing {this}",
                this,
                ToBusyPages(new ReadOnlySpan<devmap_busy_page>(pages, PagesBusyException.MaxNamed), report.nr_pages),
                (long)report.nr_pages,
                (long)report.nr_references),
            _ => NativeError.Create(result, $"Disposing {this}"),
        };
        return error is null;
    }

    /// <summary>Waits while another thread tears the map down, and then finds it done or tries.</summary>
    private int UnmapInTurn(TimeSpan timeout, devmap_busy_report* report)
    {
        long started = Stopwatch.GetTimestamp();

        // Nothing native any more: the handle may be another map's, once this object was finalized.
        if (_detached)
            return 0;
        if (!_teardown.Wait(TimeSpan.Zero))
        {
            // The driver's OnDetached disposes the map that it is detached from.
            if (_detachingThread == Environment.CurrentManagedThreadId)
                return 0;

            // Asks once out of turn: inside one of the map's own callbacks, waiting for the turn would be waiting for itself.
            int asked = Unmap(TimeSpan.Zero, report);
            if (asked == -NativeError.EDEADLK)
                return asked;

            // Who tore the map down sees the driver detached, however long the turn takes to come: its holder no longer waits
            // for pages.
            TimeSpan patience = asked == 0 ? Timeout.InfiniteTimeSpan : Timeouts.ForWait(Timeouts.Left(timeout, started));
            if (!_teardown.Wait(patience))
                return asked == -NativeError.ENODEV ? asked : -NativeError.EBUSY;
        }

        bool isEnd = false;
        try
        {
            if (_detached)
                return 0;
            int result = UnmapNow(timeout, started, report);
            if (result is 0 or -NativeError.ENODEV)
                isEnd = Detach();
            return result;
        }
        finally
        {
            _teardown.Release();
            if (isEnd)
                DiagnosticEvents.MapDisposed(this);
        }
    }

    private int UnmapNow(TimeSpan timeout, long started, devmap_busy_report* report)
    {
        var spin = default(SpinWait);
        while (true)
        {
            TimeSpan left = Timeouts.Left(timeout, started);
            int result = Unmap(left, report);
            if (result != -NativeError.EALREADY)
                return result;

            // Met the moment in which another thread asks out of turn, or native code that tears the map down by its handle.
            if (left == TimeSpan.Zero && spin.NextSpinWillYield)
                return -NativeError.EBUSY;
            spin.SpinOnce();
        }
    }

    private int Unmap(TimeSpan timeout, devmap_busy_report* report)
    {
        long nanoseconds = Timeouts.ToNanoseconds(timeout);
        Interlocked.Increment(ref _unmapping);
        try
        {
            // Of snapshots, which call nobody back and wait for nothing.
            SpinWait.SpinUntil(() => Volatile.Read(ref _reading) == 0);
            int result = _backing.Unmap(Pointer, nanoseconds, report);
            if (result is 0 or -NativeError.ENODEV)
                _disposed = true;
            GC.KeepAlive(this);
            return result;
        }
        finally
        {
            Interlocked.Decrement(ref _unmapping);
        }
    }

    /// <summary>Ends what the native side held of this object; once, by the thread whose turn it is.</summary>
    /// <returns>Whether it was there to be ended.</returns>
    private bool Detach()
    {
        if (!_self.IsAllocated)
            return false;
        ManagedMaps.Remove(this);
        _item?.End();
        _self.Free();
        DisposedMaps.Add();
        _detachingThread = Environment.CurrentManagedThreadId;
        try
        {
            _backing.OnUnmapped();
            Driver?.OnDetached(this);
        }
#pragma warning disable CA1031 // A driver that throws here must not leave a map half disposed.
        catch (Exception exception)
#pragma warning restore CA1031
        {
            FaultReporter.ReportDriver(null, exception);
        }
        finally
        {
            _detachingThread = 0;
            _detached = true;
        }

        return true;
    }
}
