// SPDX-License-Identifier: MIT
using Devmap.Interop;

namespace Devmap.Native;

/// <summary>Looks from time to time for references that are held for too long.</summary>
internal static class HeldReferences
{
    private const int LooksPerLimit = 4;

    private static readonly TimeSpan s_shortest = TimeSpan.FromSeconds(1);
    private static readonly TimeSpan s_longest = TimeSpan.FromDays(1);
    private static readonly Lock s_lock = new();
    private static Timer? s_timer;
    private static TimeSpan? s_limit;

    /// <summary>How long is too long; null for no looking.</summary>
    public static TimeSpan? Limit
    {
        get
        {
            lock (s_lock)
                return s_limit;
        }

        set
        {
            lock (s_lock)
            {
                s_timer?.Dispose();
                s_timer = value is { } limit ? Start(Period(limit)) : null;
                s_limit = value;
            }
        }
    }

    /// <summary>A quarter of the limit, but no less than a second.</summary>
    public static TimeSpan Period(TimeSpan limit)
    {
        TimeSpan quarter = limit / LooksPerLimit;
        return quarter < s_shortest ? s_shortest : quarter > s_longest ? s_longest : quarter;
    }

    private static Timer Start(TimeSpan period)
    {
        // Without the caller's context, which the timer would keep alive.
        using AsyncFlowControl? flow = ExecutionContext.IsFlowSuppressed() ? null : ExecutionContext.SuppressFlow();
        return new Timer(static _ => Look(), null, period, period);
    }

    private static void Look()
    {
        try
        {
            if (Limit is { } limit)
                _ = NativeMethods.devmap_report_held((ulong)Timeouts.ToNanoseconds(limit));
        }
#pragma warning disable CA1031 // Nobody is there to catch it, and the process is not to end of it.
        catch (Exception)
#pragma warning restore CA1031
        {
            // The next look may do better.
        }
    }
}
