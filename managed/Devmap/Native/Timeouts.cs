// SPDX-License-Identifier: MIT
using System.Diagnostics;
using System.Runtime.CompilerServices;
using Devmap.Interop;

namespace Devmap.Native;

/// <summary>.NET's timeouts in the native side's terms.</summary>
internal static class Timeouts
{
    private const long NanosecondsPerTick = 100;

    public static void Validate(TimeSpan timeout, [CallerArgumentExpression(nameof(timeout))] string? name = null)
    {
        if (timeout < TimeSpan.Zero && timeout != Timeout.InfiniteTimeSpan)
            throw new ArgumentOutOfRangeException(name, timeout, "A timeout is zero, positive, or Timeout.InfiniteTimeSpan.");
    }

    public static long ToNanoseconds(TimeSpan timeout)
    {
        if (timeout == Timeout.InfiniteTimeSpan)
            return NativeMethods.DEVMAP_WAIT_FOREVER;
        return timeout.Ticks > long.MaxValue / NanosecondsPerTick ? long.MaxValue : timeout.Ticks * NanosecondsPerTick;
    }

    /// <summary>A timeout as .NET's own waits take it: longer than they can wait is for ever.</summary>
    public static TimeSpan ForWait(TimeSpan timeout) => timeout.TotalMilliseconds > int.MaxValue ? Timeout.InfiniteTimeSpan : timeout;

    /// <summary>What is left of <paramref name="timeout"/> since <paramref name="started"/>, a timestamp of <see cref="Stopwatch"/>.</summary>
    public static TimeSpan Left(TimeSpan timeout, long started)
    {
        if (timeout == Timeout.InfiniteTimeSpan)
            return timeout;
        TimeSpan left = timeout - Stopwatch.GetElapsedTime(started);
        return left > TimeSpan.Zero ? left : TimeSpan.Zero;
    }
}
