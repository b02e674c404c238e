// SPDX-License-Identifier: MIT
using Devmap.Interop;

namespace Devmap.Native;

/// <summary>The process's level: the native side's, which is <see cref="DiagnosticLevel.Full"/> while leak scopes are open.</summary>
internal static class ProcessLevel
{
    private static readonly Lock s_lock = new();
    private static int s_scopes;

    // What is asked for, while scopes are open.
    private static DiagnosticLevel s_level;

    public static DiagnosticLevel Level
    {
        get
        {
            lock (s_lock)
                return Asked;
        }
    }

    private static DiagnosticLevel Asked => s_scopes > 0 ? s_level : (DiagnosticLevel)NativeMethods.devmap_get_level();

    /// <summary>Asks for a level.</summary>
    /// <returns>What was asked for before.</returns>
    public static DiagnosticLevel Change(DiagnosticLevel level)
    {
        lock (s_lock)
        {
            DiagnosticLevel before = Asked;
            if (s_scopes > 0)
                s_level = level;
            else
                Set(level);
            return before;
        }
    }

    /// <summary>Whether misuse and leaks are reported.</summary>
    public static bool Reports => NativeMethods.devmap_get_level() >= (int)DiagnosticLevel.Counters;

    /// <summary>Whether where things are taken is noted.</summary>
    public static bool IsFull => NativeMethods.devmap_get_level() >= (int)DiagnosticLevel.Full;

    /// <summary>A scope began.</summary>
    public static void Raise()
    {
        lock (s_lock)
        {
            if (s_scopes == 0)
            {
                var before = (DiagnosticLevel)NativeMethods.devmap_get_level();
                Set(DiagnosticLevel.Full);
                s_level = before;
            }

            // Last, as setting the level may fail for want of memory: then there is no scope.
            s_scopes++;
        }
    }

    /// <summary>A scope ended.</summary>
    public static void Lower()
    {
        lock (s_lock)
        {
            if (--s_scopes == 0)
                Set(s_level);
        }
    }

    private static void Set(DiagnosticLevel level)
    {
        int result = NativeMethods.devmap_set_level((int)level);
        if (result != 0)
            throw NativeError.Create(result, $"Setting the level to {level}");
    }
}
