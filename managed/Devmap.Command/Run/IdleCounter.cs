// SPDX-License-Identifier: MIT
namespace Devmap.CommandLine.Run;

/// <summary>The driver of the file's pages: counts the callbacks, to be held against the idle edges that the native side counted.</summary>
internal sealed class IdleCounter : BatchPageDriver
{
    private long _pages;

    /// <summary>Pages that the driver was told of.</summary>
    public long Pages => Interlocked.Read(ref _pages);

    protected override void OnPageFree(DevicePage page) => Interlocked.Increment(ref _pages);

    protected override void OnPagesFree(ReadOnlySpan<DevicePage> pages) => Interlocked.Add(ref _pages, pages.Length);
}
