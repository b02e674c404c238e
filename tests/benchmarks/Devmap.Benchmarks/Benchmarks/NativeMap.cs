// SPDX-License-Identifier: MIT
using Devmap.Interop;

namespace Devmap.Benchmarks;

/// <summary>A managed map whose driver is C's, made without the Devmap layer.</summary>
internal sealed unsafe class NativeMap : IDisposable
{
    public NativeMap(int pageCount)
    {
        // loop_nothing takes the page, and page_free is called with the data after it: an argument in a register that
        // the function does not look at, by the C calling conventions of x86-64 and arm64.
        var ops = new devmap_pagemap_ops
        {
            page_free = (delegate* unmanaged[Cdecl]<devmap_page*, void*, void>)(nint)NativeLoops.Nothing,
        };
        var config = new devmap_pagemap_config
        {
            size = (uint)sizeof(devmap_pagemap_config),
            type = (int)devmap_memory_type.DEVMAP_MEMORY_DEVICE_PUBLIC,
            backing = (int)devmap_backing.DEVMAP_BACKING_RESERVED,
            length = (ulong)pageCount * 4096,
            ops = &ops,
        };
        devmap_pagemap* map;
        Checks.Zero(NativeMethods.devmap_memremap_pages(&config, &map), nameof(NativeMethods.devmap_memremap_pages));
        Pointer = map;
    }

    public devmap_pagemap* Pointer { get; }

    public void Dispose()
    {
        int result = NativeMethods.devmap_memunmap_pages(Pointer, 0, null, null);
        Checks.Zero(result, nameof(NativeMethods.devmap_memunmap_pages));
        Checks.Zero(NativeMethods.devmap_pagemap_free(Pointer), nameof(NativeMethods.devmap_pagemap_free));
    }
}
