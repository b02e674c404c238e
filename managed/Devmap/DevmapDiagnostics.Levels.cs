// SPDX-License-Identifier: MIT
using System.Collections.Frozen;
using Devmap.Interop;
using Devmap.Native;
using Devmap.Telemetry;

namespace Devmap;

/// <content>How much is noted, and what is made of it.</content>
public static unsafe partial class DevmapDiagnostics
{
    private static readonly Lock s_settings = new();
    private static TimeSpan s_callbackTimeLimit = TimeSpan.FromTicks(NativeMethods.DEVMAP_CALLBACK_LIMIT_NS / 100);
    private static FrozenSet<DevmapFaultKind> s_fatalFaults = [];

    /// <summary>
    /// How much the library notes, <see cref="DiagnosticLevel.Counters"/> at the start; maps may differ
    /// (<see cref="DevicePageMap.DiagnosticLevel"/>). May be changed at any time; a page in use is followed from when it is next
    /// taken while idle, and one that is followed stays so until it is idle.
    /// </summary>
    /// <exception cref="ArgumentOutOfRangeException">No level.</exception>
    /// <exception cref="DevmapLoadException">The native library could not be loaded.</exception>
    public static DiagnosticLevel Level
    {
        get
        {
            DevmapLibrary.EnsureLoaded();
            return ProcessLevel.Level;
        }

        set
        {
            ThrowIfUnknown(value);
            DevmapLibrary.EnsureLoaded();
            DiagnosticLevel before = ProcessLevel.Change(value);
            if (before != value)
                DiagnosticEvents.LevelChanged(null, value, before);
        }
    }

    /// <summary>
    /// Kinds of fault that end the process: <see cref="Fault"/> is raised, the fault printed to stderr, and the process aborted.
    /// None unless asked.
    /// </summary>
    /// <exception cref="ArgumentNullException">The set is null.</exception>
    /// <exception cref="ArgumentOutOfRangeException">It holds what is no kind.</exception>
    /// <exception cref="DevmapLoadException">The native library could not be loaded.</exception>
    public static IReadOnlySet<DevmapFaultKind> FatalFaults
    {
        get
        {
            lock (s_settings)
                return s_fatalFaults;
        }

        set
        {
            ArgumentNullException.ThrowIfNull(value);
            uint kinds = 0;
            foreach (DevmapFaultKind kind in value)
            {
                if (!Enum.IsDefined(kind))
                    throw new ArgumentOutOfRangeException(nameof(value), kind, $"{kind} is no kind of fault.");
                kinds |= 1u << (int)kind;
            }

            DevmapLibrary.EnsureLoaded();
            lock (s_settings)
            {
                int result = NativeMethods.devmap_set_fatal_faults(kinds);
                if (result != 0)
                    throw NativeError.Create(result, $"Setting {nameof(FatalFaults)}");
                s_fatalFaults = value.ToFrozenSet();
            }
        }
    }

    /// <summary>
    /// How long a driver's callback may take before it is a <see cref="DevmapFaultKind.SlowCallback"/>, of those that are timed: one
    /// in 256, and at <see cref="DiagnosticLevel.Full"/> all. 100 ms unless set; zero or
    /// <see cref="Timeout.InfiniteTimeSpan"/> is no limit.
    /// </summary>
    /// <exception cref="ArgumentOutOfRangeException">Negative, but not infinite.</exception>
    /// <exception cref="DevmapLoadException">The native library could not be loaded.</exception>
    public static TimeSpan CallbackTimeLimit
    {
        get
        {
            lock (s_settings)
                return s_callbackTimeLimit;
        }

        set
        {
            Timeouts.Validate(value);
            DevmapLibrary.EnsureLoaded();
            lock (s_settings)
            {
                NativeMethods.devmap_set_callback_limit(value == Timeout.InfiniteTimeSpan ? 0 : (ulong)Timeouts.ToNanoseconds(value));
                s_callbackTimeLimit = value;
            }
        }
    }

    /// <summary>
    /// How long references may be held before they are a <see cref="DevmapFaultKind.HeldTooLong"/>, each once, of those that are
    /// followed; null, the default, for any time. Looked at every quarter of it, but at most once a second, and at least daily.
    /// </summary>
    /// <exception cref="ArgumentOutOfRangeException">Not positive.</exception>
    /// <exception cref="DevmapLoadException">The native library could not be loaded.</exception>
    public static TimeSpan? HeldTooLongAfter
    {
        get => HeldReferences.Limit;
        set
        {
            if (value is { } limit)
                ArgumentOutOfRangeException.ThrowIfLessThanOrEqual(limit, TimeSpan.Zero, nameof(value));
            DevmapLibrary.EnsureLoaded();
            HeldReferences.Limit = value;
        }
    }

    internal static void ThrowIfUnknown(DiagnosticLevel level)
    {
        if (!Enum.IsDefined(level))
            throw new ArgumentOutOfRangeException(nameof(level), level, $"{level} is no level.");
    }
}
