// SPDX-License-Identifier: MIT
namespace Devmap;

/// <summary>What a <see cref="HmmDevice"/> is made with.</summary>
public sealed class HmmDeviceOptions
{
    /// <summary>From 1 to 63 bytes of UTF-8 without a null character; null (the default) for "hmm_device" and a number.</summary>
    public string? Name { get; init; }

    /// <summary>How far page faults are to be served; by default as far as the system permits.</summary>
    public HmmFaultService Faults { get; init; } = HmmFaultService.Auto;

    /// <summary>Native threads that serve them, from 1 (the default) to 16. More of them overlap slow reads from the store.</summary>
    public int FaultThreads { get; init; } = 1;
}
