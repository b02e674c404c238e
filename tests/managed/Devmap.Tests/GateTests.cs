// SPDX-License-Identifier: MIT
using Devmap.Interop;
using Xunit;

namespace Devmap.Tests;

/// <summary>The gate is on while anybody holds it.</summary>
public sealed class GateTests
{
    private readonly int _before = DevmapGate.HolderCount;

    [Fact]
    public void A_hold_lasts_until_it_is_disposed()
    {
        DevmapGateHold first = DevmapGate.Hold();
        DevmapGateHold second = DevmapGate.Hold();

        Assert.True(DevmapGate.IsEnabled);
        Assert.Equal(_before + 2, DevmapGate.HolderCount);
        first.Dispose();
        Assert.Equal(_before + 1, DevmapGate.HolderCount);
        second.Dispose();
        Assert.Equal(_before, DevmapGate.HolderCount);
    }

    [Fact]
    public void A_hold_that_is_disposed_twice_ends_once()
    {
        using DevmapGateHold other = DevmapGate.Hold();
        DevmapGateHold hold = DevmapGate.Hold();
        hold.Dispose();
        hold.Dispose();

        Assert.Equal(_before + 1, DevmapGate.HolderCount);
    }

    [Fact]
    public void The_gate_is_off_when_nobody_holds_it()
    {
        Assert.Equal(0, _before);
        Assert.False(DevmapGate.IsEnabled);
    }

    [Fact]
    public void A_map_with_a_driver_holds_the_gate()
    {
        using (DevicePageMap.Create(new() { Type = MemoryType.DevicePrivate, PageCount = 1, Driver = new CountingDriver() }))
            Assert.Equal(_before + 1, DevmapGate.HolderCount);

        Assert.Equal(_before, DevmapGate.HolderCount);
    }

    [Fact]
    public void A_map_without_a_driver_does_not_hold_the_gate()
    {
        using DevicePageMap map = DevicePageMap.Create(new() { PageCount = 1 });

        Assert.Equal(_before, DevmapGate.HolderCount);
    }

    [Fact]
    public void A_file_holds_the_gate()
    {
        using var directory = new TemporaryDirectory();
        using (DaxFile.Open(directory.KnownFile(1)))
            Assert.Equal(_before + 1, DevmapGate.HolderCount);

        Assert.Equal(_before, DevmapGate.HolderCount);
    }

    [Fact]
    public void A_disposal_that_gives_up_keeps_the_gate()
    {
        using (DevicePageMap map = DevicePageMap.Create(new() { Type = MemoryType.DevicePublic, PageCount = 1, Driver = new CountingDriver(), DisposeTimeout = TimeSpan.Zero }))
        using (map.Lease(0))
        {
            Assert.Throws<PagesBusyException>(map.Dispose);
            Assert.Equal(_before + 1, DevmapGate.HolderCount);
        }

        Assert.Equal(_before, DevmapGate.HolderCount);
    }

    [Fact]
    public void An_unbalanced_end_of_a_hold_is_told_and_changes_nothing()
    {
        Assert.Equal(0, _before);
        DevmapGateHold hold = DevmapGate.Hold();
        Assert.Equal(0, NativeMethods.devmap_pagemap_put_ops());

        Assert.Throws<InvalidOperationException>(hold.Dispose);
        Assert.Equal(0, DevmapGate.HolderCount);
        hold.Dispose();
        Assert.Equal(0, DevmapGate.HolderCount);
    }

    [Fact]
    public void Holds_of_many_threads_are_all_counted()
    {
        Crowd.Run(4, _ =>
        {
            for (int i = 0; i < 10000; i++)
            {
                using DevmapGateHold hold = DevmapGate.Hold();
                Assert.True(DevmapGate.IsEnabled);
            }
        });

        Assert.Equal(_before, DevmapGate.HolderCount);
    }
}
