// SPDX-License-Identifier: MIT
using Xunit;

namespace Devmap.Tests;

/// <summary>Devices: what they serve, and how they end.</summary>
public sealed class HmmDeviceTests
{
    [Fact]
    public void A_device_has_its_name()
    {
        using HmmDevice named = new(new() { Name = "näher" });
        using HmmDevice one = new();
        using HmmDevice other = new();

        Assert.Equal("näher", named.Name);
        Assert.StartsWith("hmm_device", one.Name, StringComparison.Ordinal);
        Assert.NotEqual(one.Name, other.Name);
        Assert.Equal("device 'näher'", named.ToString());
    }

    [Theory]
    [InlineData("")]
    [InlineData("a\0b")]
    [InlineData("1234567890123456789012345678901234567890123456789012345678901234")]
    public void A_name_is_1_to_63_bytes(string name) => Assert.Throws<ArgumentException>(() => new HmmDevice(new() { Name = name }));

    [Theory]
    [InlineData(0)]
    [InlineData(17)]
    public void Threads_are_1_to_16(int threads) =>
        Assert.Throws<ArgumentOutOfRangeException>(() => new HmmDevice(new() { FaultThreads = threads }));

    [Fact]
    public void A_fault_service_is_one_of_those_there_are() =>
        Assert.Throws<ArgumentOutOfRangeException>(() => new HmmDevice(new() { Faults = (HmmFaultService)4 }));

    [Fact]
    public void A_device_says_what_it_serves_and_what_would_make_it_all()
    {
        using HmmDevice device = new(new() { FaultThreads = 16 });

        Assert.InRange(device.Faults, HmmFaultService.None, HmmFaultService.All);
        Assert.Equal(device.Faults == HmmFaultService.All, device.FaultsAdvice is null);
        using HmmDevice none = new(new() { Faults = HmmFaultService.None });
        Assert.Equal(HmmFaultService.None, none.Faults);
    }

    [Theory]
    [InlineData(HmmFaultService.User)]
    [InlineData(HmmFaultService.All)]
    public void What_is_not_permitted_says_how_to_permit_it(HmmFaultService faults)
    {
        try
        {
            using HmmDevice device = new(new() { Faults = faults });
            Assert.Equal(faults, device.Faults);
        }
        catch (Exception exception) when (exception is UnauthorizedAccessException or PlatformNotSupportedException)
        {
            using HmmDevice device = new();
            Assert.Contains(device.FaultsAdvice!, exception.Message, StringComparison.Ordinal);
        }
    }

    [Fact]
    public void A_device_may_go_before_its_far_memory()
    {
        var device = new HmmDevice();
        using FarMemory memory = FarMemory.Create(device, 65536, new() { Store = FarStore.Plain });
        device.Dispose();
        device.Dispose();

        FarMemories.Fill(memory);
        memory.ResidentLimit = 4096;
        FarMemories.Verify(memory);
        Assert.Throws<ObjectDisposedException>(() => FarMemory.Create(device, 65536));
    }

    [Fact]
    public void A_device_is_disposed_while_others_use_it()
    {
        for (int round = 0; round < 50; round++)
        {
            var device = new HmmDevice();
            Crowd.Run(3, member =>
            {
                if (member == 0)
                {
                    device.Dispose();
                    return;
                }

                try
                {
                    using FarMemory memory = FarMemory.Create(device, 65536, new() { Store = FarStore.Plain });
                    memory.Lease(0, 100).Dispose();
                }
                catch (ObjectDisposedException)
                {
                    // It was faster.
                }
            });
        }
    }
}
