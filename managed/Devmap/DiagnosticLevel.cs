// SPDX-License-Identifier: MIT
using Devmap.Interop;

namespace Devmap;

/// <summary>How much the library notes. Each level notes what those before it do.</summary>
public enum DiagnosticLevel
{
    /// <summary>Only <see cref="DevmapStatistics"/>.</summary>
    Off = devmap_level.DEVMAP_LEVEL_OFF,

    /// <summary>The default: times one callback in 256, and reports misuse and lost holds of the gate.</summary>
    Counters = devmap_level.DEVMAP_LEVEL_COUNTERS,

    /// <summary>Follows the references of one activation in 128, on each thread: who took them, when, and where.</summary>
    Sampled = devmap_level.DEVMAP_LEVEL_SAMPLED,

    /// <summary>Follows all references, and times all callbacks.</summary>
    Full = devmap_level.DEVMAP_LEVEL_FULL,
}
