// SPDX-License-Identifier: MIT
using System.Collections.Concurrent;
using Devmap.Interop;

namespace Devmap.Native;

/// <summary>
/// The maps that are not torn down, by their handles, for what the native side tells of them. It keeps nothing alive: the native
/// side holds such a map too.
/// </summary>
internal static unsafe class ManagedMaps
{
    private static readonly ConcurrentDictionary<nint, DevicePageMap> s_maps = new();

    public static void Add(DevicePageMap map) => s_maps[(nint)map.Pointer] = map;

    /// <summary>Before its handle can be freed, and be another map's.</summary>
    public static void Remove(DevicePageMap map) => s_maps.TryRemove(KeyValuePair.Create((nint)map.Pointer, map));

    public static DevicePageMap? Find(devmap_pagemap* map) => s_maps.GetValueOrDefault((nint)map);
}
