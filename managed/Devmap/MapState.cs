// SPDX-License-Identifier: MIT
using Devmap.Interop;

namespace Devmap;

/// <summary>Whether a map takes users.</summary>
public enum MapState
{
    /// <summary>It does.</summary>
    Live = devmap_map_state.DEVMAP_MAP_LIVE,

    /// <summary>It is being disposed, or its disposal ended with pages in use.</summary>
    Dying = devmap_map_state.DEVMAP_MAP_DYING,
}
