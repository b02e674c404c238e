// SPDX-License-Identifier: MIT
using System.Globalization;
using Devmap.Interop;
using Devmap.Native;
using Devmap.Telemetry;

namespace Devmap;

/// <content>Changes of the file that wait for its readers.</content>
public sealed unsafe partial class DaxFile
{
    private delegate int Change(long timeoutNanoseconds, devmap_cancel* cancel);

    /// <summary>
    /// Sets the file's length. Growing is in place and waits for nobody; the new bytes read as zeros and take no space until
    /// they are written. Shrinking keeps new leases off the pages it takes away, from the one with the new end in it, waits
    /// for those who hold them, and for nobody else. On any failure the file is as it was. Blocks.
    /// </summary>
    /// <param name="length">From 0 to <see cref="Capacity"/>.</param>
    /// <param name="timeout">How long to wait for leases and for other changes.</param>
    /// <param name="cancellationToken">Ends the wait.</param>
    /// <exception cref="ArgumentOutOfRangeException">The length is negative or beyond the capacity, or the timeout negative.</exception>
    /// <exception cref="PagesBusyException">The pages stayed in use for the timeout.</exception>
    /// <exception cref="OperationCanceledException">Cancelled.</exception>
    /// <exception cref="UnauthorizedAccessException">The file is open for reading.</exception>
    /// <exception cref="IOException">Somebody else changed the file's length, or the system failed.</exception>
    /// <exception cref="InvalidOperationException">Called from a callback of the file's own driver.</exception>
    /// <exception cref="ObjectDisposedException">The file is disposed, or being disposed.</exception>
    public void SetLength(long length, TimeSpan timeout, CancellationToken cancellationToken = default)
    {
        long old = ValidateLength(length, timeout);
        Run(SetLengthTo(length), "Setting the length", length, old - length, timeout, cancellationToken);
    }

    /// <summary>As <see cref="SetLength"/>, without blocking the caller while leases are out.</summary>
    /// <param name="length">From 0 to <see cref="Capacity"/>.</param>
    /// <param name="timeout">How long to wait for leases and for other changes.</param>
    /// <param name="cancellationToken">Ends the wait.</param>
    /// <exception cref="ArgumentOutOfRangeException">The length is negative or beyond the capacity, or the timeout negative.</exception>
    /// <exception cref="PagesBusyException">The pages stayed in use for the timeout.</exception>
    /// <exception cref="OperationCanceledException">Cancelled.</exception>
    /// <exception cref="UnauthorizedAccessException">The file is open for reading.</exception>
    /// <exception cref="IOException">Somebody else changed the file's length, or the system failed.</exception>
    /// <exception cref="InvalidOperationException">Called from a callback of the file's own driver.</exception>
    /// <exception cref="ObjectDisposedException">The file is disposed, or being disposed.</exception>
    public Task SetLengthAsync(long length, TimeSpan timeout, CancellationToken cancellationToken = default)
    {
        long old = ValidateLength(length, timeout);
        return RunAsync(SetLengthTo(length), "Setting the length", length, old - length, timeout, cancellationToken);
    }

    /// <summary>
    /// Gives the blocks of a range back: it reads as zeros afterwards, and the file's length stays. Waits for those who hold
    /// pages that the range touches, and for nobody else. On any failure the file is as it was. Blocks.
    /// </summary>
    /// <param name="offset">Offset of the first byte.</param>
    /// <param name="length">Number of bytes, at least 1.</param>
    /// <param name="timeout">How long to wait for leases and for other changes.</param>
    /// <param name="cancellationToken">Ends the wait.</param>
    /// <exception cref="ArgumentOutOfRangeException">The range is not all in the file, or the timeout negative.</exception>
    /// <exception cref="PagesBusyException">The pages stayed in use for the timeout.</exception>
    /// <exception cref="OperationCanceledException">Cancelled.</exception>
    /// <exception cref="UnauthorizedAccessException">The file is open for reading.</exception>
    /// <exception cref="IOException">Somebody else changed the file's length, or the system failed.</exception>
    /// <exception cref="PlatformNotSupportedException">The file system cannot punch holes.</exception>
    /// <exception cref="InvalidOperationException">Called from a callback of the file's own driver.</exception>
    /// <exception cref="ObjectDisposedException">The file is disposed, or being disposed.</exception>
    public void PunchHole(long offset, long length, TimeSpan timeout, CancellationToken cancellationToken = default)
    {
        ValidateHole(offset, length, timeout);
        Run(Punch(offset, length), "Punching a hole", offset, length, timeout, cancellationToken);
    }

    /// <summary>As <see cref="PunchHole"/>, without blocking the caller while leases are out.</summary>
    /// <param name="offset">Offset of the first byte.</param>
    /// <param name="length">Number of bytes, at least 1.</param>
    /// <param name="timeout">How long to wait for leases and for other changes.</param>
    /// <param name="cancellationToken">Ends the wait.</param>
    /// <exception cref="ArgumentOutOfRangeException">The range is not all in the file, or the timeout negative.</exception>
    /// <exception cref="PagesBusyException">The pages stayed in use for the timeout.</exception>
    /// <exception cref="OperationCanceledException">Cancelled.</exception>
    /// <exception cref="UnauthorizedAccessException">The file is open for reading.</exception>
    /// <exception cref="IOException">Somebody else changed the file's length, or the system failed.</exception>
    /// <exception cref="PlatformNotSupportedException">The file system cannot punch holes.</exception>
    /// <exception cref="InvalidOperationException">Called from a callback of the file's own driver.</exception>
    /// <exception cref="ObjectDisposedException">The file is disposed, or being disposed.</exception>
    public Task PunchHoleAsync(long offset, long length, TimeSpan timeout, CancellationToken cancellationToken = default)
    {
        ValidateHole(offset, length, timeout);
        return RunAsync(Punch(offset, length), "Punching a hole", offset, length, timeout, cancellationToken);
    }

    private void ValidateHole(long offset, long length, TimeSpan timeout)
    {
        ArgumentOutOfRangeException.ThrowIfNegative(offset);
        ArgumentOutOfRangeException.ThrowIfNegativeOrZero(length);
        if (offset > Capacity || length > Capacity - offset)
            throw LeaseError(-NativeError.ERANGE, offset, length);
        Timeouts.Validate(timeout);
    }

    private long ValidateLength(long length, TimeSpan timeout)
    {
        ArgumentOutOfRangeException.ThrowIfNegative(length);
        if (length > Capacity)
            throw new ArgumentOutOfRangeException(nameof(length), length, $"{this} was opened with a capacity of {Capacity} bytes.");
        Timeouts.Validate(timeout);
        return Length;
    }

    private Change SetLengthTo(long length) => (timeout, cancel) =>
        NativeMethods.devmap_dax_file_set_length(_file, Map.Owner, (ulong)length, timeout, cancel);

    private Change Punch(long offset, long length) => (timeout, cancel) =>
        NativeMethods.devmap_dax_file_punch_hole(_file, Map.Owner, (ulong)offset, (ulong)length, timeout, cancel);

    private void Run(Change change, string what, long offset, long length, TimeSpan timeout, CancellationToken token)
    {
        token.ThrowIfCancellationRequested();
        LayoutBreak? told = Began(what, offset, length);
        int result = Execute(change, timeout, token);
        Ended(told, result);
        if (result != 0)
            throw ErrorOf(result, what, offset, length, token);
    }

    /// <summary>Tells of a change that waits for readers; growing does not.</summary>
    private LayoutBreak? Began(string what, long offset, long length) =>
        length > 0 ? DiagnosticEvents.LayoutBreakStart(this, what, offset, length) : null;

    private static void Ended(LayoutBreak? told, int result)
    {
        if (told is { } layoutBreak)
            DiagnosticEvents.LayoutBreakStop(layoutBreak, result);
    }

    /// <summary>
    /// Tries at once, and gives the wait a thread of its own if there is something to wait for. Where pages are in use it is not
    /// tried first: that would be a layout break that timed out, and the wait another one.
    /// </summary>
    private Task RunAsync(Change change, string what, long offset, long length, TimeSpan timeout, CancellationToken token)
    {
        if (token.IsCancellationRequested)
            return Task.FromCanceled(token);
        LayoutBreak? told = Began(what, offset, length);
        int result = timeout != TimeSpan.Zero && IsInUse(offset, length) ? -NativeError.ETIMEDOUT : Execute(change, TimeSpan.Zero, token);
        if (result == -NativeError.ETIMEDOUT && timeout != TimeSpan.Zero)
            return FinishAsync(change, told, what, offset, length, timeout, token);
        Ended(told, result);
        if (result == -NativeError.ECANCELED)
            return Task.FromCanceled(token);
        return result == 0 ? Task.CompletedTask : Task.FromException(ErrorOf(result, what, offset, length, token));
    }

    /// <summary>Whether a page of a range is in use now; of a range that is none, false.</summary>
    private unsafe bool IsInUse(long offset, long length)
    {
        long first = offset / Map.PageSize;
        long end = (offset + length + Map.PageSize - 1) / Map.PageSize;
        ulong busy = 0;

        // In a callback of the file's own, to wait is refused, not put off.
        int result = length > 0 && offset >= 0 && end <= Map.PageCount && !NativeMethods.devmap_pagemap_in_callback(Map.Pointer)
            ? NativeMethods.devmap_pagemap_busy_pages(Map.Pointer, (ulong)first, (ulong)(end - first), null, 0, &busy)
            : 0;
        GC.KeepAlive(Map);
        return result == 0 && busy > 0;
    }

    private int Execute(Change change, TimeSpan timeout, CancellationToken token)
    {
        using var cancellation = new NativeCancellation(token);
        int result = change(Timeouts.ToNanoseconds(timeout), cancellation.Pointer);
        GC.KeepAlive(Map);
        return result;
    }

    private Exception ErrorOf(int result, string what, long offset, long length, CancellationToken token) => result switch
    {
        -NativeError.ETIMEDOUT => TimedOut(what, offset, length),
        -NativeError.ECANCELED => new OperationCanceledException($"{what} of {this} was cancelled; the file is as it was.", token),
        -NativeError.ERANGE => LeaseError(result, offset, length),
        _ => ChangeError(result, what),
    };

    private PagesBusyException TimedOut(string what, long offset, long length)
    {
        long first = offset / Map.PageSize;
        long last = Math.Min((offset + Math.Max(length, 1) - 1) / Map.PageSize, Map.PageCount - 1);
        IReadOnlyList<BusyPage> pages = [];
        long total = 0;

        // Growing waits for no page, only for another change.
        if (length > 0)
            pages = Map.GetBusyPages(first, last - first + 1, PagesBusyException.MaxNamed, out total);
        return new PagesBusyException(string.Create(CultureInfo.InvariantCulture, $"{what} ({offset}) of {this}"), Map, pages, total, 0);
    }

    private Exception ChangeError(int result, string what) => result switch
    {
        -NativeError.ENODEV => Map.LeaseError(result),
        -NativeError.EACCES => new UnauthorizedAccessException($"{this} is open for reading."),

        // Not the claim's, which is this object's: the file is sealed, immutable or only for appending.
        -NativeError.EPERM => new UnauthorizedAccessException($"{what} of {this} is not permitted."),
        -NativeError.ESTALE => NativeError.Io(result, $"{what} of {this}"),
        -NativeError.EFBIG or -NativeError.EINVAL => NativeError.Io(result, $"{what} of {this}"),
        _ => NativeError.Create(result, $"{what} of {this}"),
    };
}
