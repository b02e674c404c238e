// SPDX-License-Identifier: MIT
using System.Diagnostics.CodeAnalysis;
using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;
using BenchmarkDotNet.Attributes;
using Devmap.Interop;
using Devmap.Native;

namespace Devmap.Benchmarks;

/// <summary>
/// What it costs to cross from C# to C and back: a call of a function that does nothing, a pair by such calls, and C
/// calling C#, per call.
/// </summary>
[SuppressMessage("Design", "CA1001", Justification = "The cleanup disposes of it.")]
public unsafe class BoundaryBenchmarks
{
    private const int Operations = 4096;

    private static long s_callbacks;

    private HeldPages? _held;
    private Callback? _callback;
    private devmap_page** _pages;
    private nint _thunk;
    private delegate* unmanaged[Cdecl]<devmap_page*, void> _getPage;
    private delegate* unmanaged[Cdecl]<devmap_page*, void> _putPage;
    private long _callbacksBefore;
    private long _expectedCallbacks;
    private long _thunkCalls;
    private long _expectedThunkCalls;

    [UnmanagedFunctionPointer(CallingConvention.Cdecl)]
    private delegate void Callback(devmap_page* page);

    /// <summary>
    /// Holds the pages, and finds the functions: an import without transition is bound when its caller is compiled, so
    /// the library is loaded before.
    /// </summary>
    [GlobalSetup]
    public void Setup()
    {
        _getPage = (delegate* unmanaged[Cdecl]<devmap_page*, void>)NativeLoops.Export("devmap_get_page");
        _putPage = (delegate* unmanaged[Cdecl]<devmap_page*, void>)NativeLoops.Export("devmap_put_page");
        _held = new HeldPages(MemoryType.DevicePublic);
        _pages = _held.Pages;
        _callback = OnThunk;
        _thunk = Marshal.GetFunctionPointerForDelegate(_callback);
        _callbacksBefore = s_callbacks;
    }

    /// <summary>Gives everything back.</summary>
    [GlobalCleanup]
    public void Cleanup()
    {
        GC.KeepAlive(_callback);
        _held!.Dispose();
        Checks.Equal(_expectedCallbacks, s_callbacks - _callbacksBefore, "callbacks");
        Checks.Equal(_expectedThunkCalls, _thunkCalls, "calls of the delegate");
    }

    /// <summary>C's pair.</summary>
    [Benchmark(Baseline = true, OperationsPerInvoke = Operations)]
    public void CInline() => NativeLoops.Pairs(_pages, HeldPages.Count, Operations);

    /// <summary>C#'s pair.</summary>
    [Benchmark(OperationsPerInvoke = Operations)]
    public void ManagedInline() => ManagedLoops.Pairs(_pages, HeldPages.Count, Operations);

    /// <summary>The pair by imports.</summary>
    [Benchmark(OperationsPerInvoke = Operations)]
    public void PairDllImport() => ManagedLoops.ImportPairs(_pages, HeldPages.Count, Operations);

    /// <summary>The pair by function pointers.</summary>
    [Benchmark(OperationsPerInvoke = Operations)]
    public void PairFunctionPointer()
    {
        devmap_page** pages = _pages;
        delegate* unmanaged[Cdecl]<devmap_page*, void> getPage = _getPage;
        delegate* unmanaged[Cdecl]<devmap_page*, void> putPage = _putPage;
        for (nuint i = 0; i < Operations; i++)
        {
            devmap_page* page = pages[i & (HeldPages.Count - 1)];
            getPage(page);
            putPage(page);
        }
    }

    /// <summary>A call without a boundary.</summary>
    [Benchmark(OperationsPerInvoke = Operations)]
    public void ManagedCall()
    {
        devmap_page** pages = _pages;
        for (nuint i = 0; i < Operations; i++)
            Nothing(pages[i & (HeldPages.Count - 1)]);
    }

    /// <summary>An import.</summary>
    [Benchmark(OperationsPerInvoke = Operations)]
    public void DllImportNothing()
    {
        devmap_page** pages = _pages;
        for (nuint i = 0; i < Operations; i++)
            Imports.Nothing(pages[i & (HeldPages.Count - 1)]);
    }

    /// <summary>An import that leaves the thread in the garbage collector's way.</summary>
    [Benchmark(OperationsPerInvoke = Operations)]
    public void DllImportSuppressed()
    {
        devmap_page** pages = _pages;
        for (nuint i = 0; i < Operations; i++)
            Imports.NothingSuppressed(pages[i & (HeldPages.Count - 1)]);
    }

    /// <summary>A function pointer.</summary>
    [Benchmark(OperationsPerInvoke = Operations)]
    public void FunctionPointer()
    {
        devmap_page** pages = _pages;
        delegate* unmanaged[Cdecl]<devmap_page*, void> nothing = NativeLoops.Nothing;
        for (nuint i = 0; i < Operations; i++)
            nothing(pages[i & (HeldPages.Count - 1)]);
    }

    /// <summary>A function pointer that leaves the thread in the garbage collector's way.</summary>
    [Benchmark(OperationsPerInvoke = Operations)]
    public void FunctionPointerSuppressed()
    {
        devmap_page** pages = _pages;
        var nothing = (delegate* unmanaged[Cdecl, SuppressGCTransition]<devmap_page*, void>)(nint)NativeLoops.Nothing;
        for (nuint i = 0; i < Operations; i++)
            nothing(pages[i & (HeldPages.Count - 1)]);
    }

    /// <summary>C calls a static C# method by its address.</summary>
    [Benchmark(OperationsPerInvoke = Operations)]
    public void CallbackUnmanagedCallersOnly()
    {
        NativeLoops.Calls((nint)(delegate* unmanaged[Cdecl]<devmap_page*, void>)&OnCallback, *_pages, Operations);
        _expectedCallbacks += Operations;
    }

    /// <summary>C calls a delegate.</summary>
    [Benchmark(OperationsPerInvoke = Operations)]
    public void CallbackDelegateThunk()
    {
        NativeLoops.Calls(_thunk, *_pages, Operations);
        _expectedThunkCalls += Operations;
    }

    /// <summary>C calls C.</summary>
    [Benchmark(OperationsPerInvoke = Operations)]
    public void CallbackNative() => NativeLoops.Calls((nint)NativeLoops.Nothing, *_pages, Operations);

    /// <summary>The driver's callback, called by C#: what an edge met in C# saves the crossings for.</summary>
    [Benchmark(OperationsPerInvoke = Operations)]
    public void DispatchDirect()
    {
        devmap_page** pages = _pages;
        void* data = _held!.Map.Owner;
        for (nuint i = 0; i < Operations; i++)
            DriverCallbacks.Dispatch(pages[i & (HeldPages.Count - 1)], data);
        _held.ExpectedCalls += Operations;
    }

    [MethodImpl(MethodImplOptions.NoInlining)]
    private static void Nothing(devmap_page* page)
    {
    }

    // Counts, so that the cleanup can tell that it was called.
    [UnmanagedCallersOnly(CallConvs = [typeof(CallConvCdecl)])]
    private static void OnCallback(devmap_page* page) => s_callbacks++;

    private void OnThunk(devmap_page* page) => _thunkCalls++;

    private static class Imports
    {
        private const string EntryPoint = "loop_nothing";
        private const CallingConvention Convention = CallingConvention.Cdecl;

        [DllImport(NativeLoops.Library, EntryPoint = EntryPoint, CallingConvention = Convention, ExactSpelling = true)]
        public static extern void Nothing(devmap_page* page);

        [DllImport(NativeLoops.Library, EntryPoint = EntryPoint, CallingConvention = Convention, ExactSpelling = true)]
        [SuppressGCTransition]
        public static extern void NothingSuppressed(devmap_page* page);
    }
}
