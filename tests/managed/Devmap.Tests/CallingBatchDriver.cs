// SPDX-License-Identifier: MIT
namespace Devmap.Tests;

/// <summary>Does what the test says.</summary>
internal sealed class CallingBatchDriver(Action<DevicePage[]> onPagesFree, Action<DevicePage> onPageFree) : BatchPageDriver
{
    protected internal override void OnPageFree(DevicePage page) => onPageFree(page);

    protected internal override void OnPagesFree(ReadOnlySpan<DevicePage> pages) => onPagesFree(pages.ToArray());
}
