// SPDX-License-Identifier: MIT
using Devmap.Interop;

namespace Devmap;

/// <summary>What a page map's memory is. The values are those of the kernel's <c>enum memory_type</c>.</summary>
public enum MemoryType
{
    /// <summary>Device memory without a driver: nobody hears of its idle pages.</summary>
    DeviceHost = devmap_memory_type.DEVMAP_MEMORY_DEVICE_HOST,

    /// <summary>Device memory that the CPU cannot address: leases have no <see cref="PageLease.Span"/>.</summary>
    DevicePrivate = devmap_memory_type.DEVMAP_MEMORY_DEVICE_PRIVATE,

    /// <summary>Device memory that the CPU can address.</summary>
    DevicePublic = devmap_memory_type.DEVMAP_MEMORY_DEVICE_PUBLIC,

    /// <summary>A file's pages, while a <see cref="DaxFile"/> claims them. Not a type to create a map with.</summary>
    FsDax = devmap_memory_type.DEVMAP_MEMORY_DEVICE_FS_DAX,
}
