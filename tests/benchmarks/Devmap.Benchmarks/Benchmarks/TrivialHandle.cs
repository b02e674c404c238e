// SPDX-License-Identifier: MIT
using System.Runtime.InteropServices;

namespace Devmap.Benchmarks;

/// <summary>.NET's own counted reference, on nothing.</summary>
internal sealed class TrivialHandle : SafeHandle
{
    private static long s_released;

    public TrivialHandle()
        : base(0, ownsHandle: true) => SetHandle(1);

    public override bool IsInvalid => handle == 0;

    public static SafeHandle[] Make(int count) =>
        [.. Enumerable.Range(0, count).Select(static _ => new TrivialHandle())];

    /// <summary>Ends handles, which is their last reference unless the benchmark lost one.</summary>
    public static void End(SafeHandle[] handles)
    {
        long before = s_released;
        foreach (SafeHandle one in handles)
            one.Dispose();
        Checks.Equal(handles.Length, s_released - before, "handles released");
    }

    protected override bool ReleaseHandle()
    {
        s_released++;
        return true;
    }
}
