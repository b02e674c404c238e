// SPDX-License-Identifier: MIT
namespace Devmap.Telemetry;

/// <summary>Ids of the events, of <see cref="DevmapEventSource"/> and of log messages alike. None is ever changed or used again.</summary>
internal static class EventIds
{
    public const int MapCreated = 1;
    public const int MapDisposed = 2;
    public const int MapDisposeTimedOut = 3;
    public const int LevelChanged = 4;
    public const int GateHeld = 5;
    public const int GateReleased = 6;
    public const int Misuse = 7;
    public const int Leak = 8;
    public const int LayoutBreakStart = 9;
    public const int LayoutBreakStop = 10;
    public const int PageRefused = 11;
    public const int LeaseTracked = 12;
    public const int LeaseReleased = 13;
    public const int FarPageFailed = 14;
    public const int ListenerFailed = 15;
    public const int Snapshot = 40;
}
