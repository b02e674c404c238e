// SPDX-License-Identifier: MIT
using System.Diagnostics.CodeAnalysis;
using System.Runtime.InteropServices;
using Devmap.Interop;
using Devmap.Native;

namespace Devmap.Benchmarks;

/// <summary>The loops of <c>tests/benchmarks/native/loops.h</c>, in one process with what C# does.</summary>
[SuppressMessage("Performance", "CA1810", Justification = "The library is loaded before its functions are looked up.")]
internal static unsafe class NativeLoops
{
    /// <summary>Environment variable with the path of <c>libdevmap_loops.so</c>.</summary>
    public const string PathVariable = "DEVMAP_BENCHMARK_LOOPS";

    /// <summary>The name by which this assembly's imports know the library.</summary>
    public const string Library = "devmap_loops";

    public static readonly delegate* unmanaged[Cdecl]<devmap_page*, void> Nothing;

    public static readonly delegate* unmanaged[Cdecl]<nint, devmap_page*, ulong, void> Calls;

    public static readonly delegate* unmanaged[Cdecl]<devmap_page**, ulong, ulong, void> Pairs;

    public static readonly delegate* unmanaged[Cdecl]<devmap_page**, ulong, ulong, void> PairsUngated;

    public static readonly delegate* unmanaged[Cdecl]<devmap_pagemap*, ulong, ulong, void> Edges;

    public static readonly delegate* unmanaged[Cdecl]<devmap_pagemap*, ulong, ulong, void> BatchEdges;

    /// <summary>The callback, its data, the pages, how many, how often.</summary>
    public static readonly delegate* unmanaged[Cdecl]<nint, void*, devmap_page**, ulong, ulong, void> Callbacks;

    /// <summary>As <see cref="Callbacks"/>.</summary>
    public static readonly delegate* unmanaged[Cdecl]<nint, void*, devmap_page**, ulong, ulong, void> BatchCallbacks;

    private static readonly nint s_handle;

    static NativeLoops()
    {
        // First the library that the Devmap layer uses: the loops then bind to it, and not to another copy of it.
        DevmapLibrary.EnsureLoaded();
        s_handle = Load();
        NativeLibrary.SetDllImportResolver(
            typeof(NativeLoops).Assembly,
            static (name, _, _) => string.Equals(name, Library, StringComparison.Ordinal) ? s_handle : 0);

        Nothing = (delegate* unmanaged[Cdecl]<devmap_page*, void>)Export("loop_nothing");
        Calls = (delegate* unmanaged[Cdecl]<nint, devmap_page*, ulong, void>)Export("loop_calls");
        Pairs = (delegate* unmanaged[Cdecl]<devmap_page**, ulong, ulong, void>)Export("loop_pairs");
        PairsUngated = (delegate* unmanaged[Cdecl]<devmap_page**, ulong, ulong, void>)Export("loop_pairs_ungated");
        Edges = (delegate* unmanaged[Cdecl]<devmap_pagemap*, ulong, ulong, void>)Export("loop_edges");
        BatchEdges = (delegate* unmanaged[Cdecl]<devmap_pagemap*, ulong, ulong, void>)Export("loop_batch_edges");
        Callbacks = (delegate* unmanaged[Cdecl]<nint, void*, devmap_page**, ulong, ulong, void>)Export(
            "loop_callbacks");
        BatchCallbacks = (delegate* unmanaged[Cdecl]<nint, void*, devmap_page**, ulong, ulong, void>)Export(
            "loop_batch_callbacks");
    }

    /// <summary>A function of the loops, or of the libdevmap that they are linked to.</summary>
    public static nint Export(string name) => NativeLibrary.GetExport(s_handle, name);

    private static nint Load()
    {
        string? path = Environment.GetEnvironmentVariable(PathVariable);
        if (string.IsNullOrEmpty(path))
            throw new InvalidOperationException($"{PathVariable} is not set: it names the libdevmap_loops.so.");
        if (!File.Exists(path))
            throw new FileNotFoundException($"{PathVariable} names '{path}', which is not there.", path);
        return NativeLibrary.Load(path);
    }
}
