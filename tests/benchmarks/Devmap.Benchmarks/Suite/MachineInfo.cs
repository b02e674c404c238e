// SPDX-License-Identifier: MIT
namespace Devmap.Benchmarks.Suite;

/// <summary>What the figures were measured on.</summary>
internal sealed record MachineInfo
{
    public required string Cpu { get; init; }

    public required int Cores { get; init; }

    /// <summary>As "L1d 48 KiB".</summary>
    public required IReadOnlyList<string> Caches { get; init; }

    public required long MemoryBytes { get; init; }

    public required string Kernel { get; init; }

    public required string Distribution { get; init; }

    /// <summary>What compiled the native side.</summary>
    public required string Compiler { get; init; }

    /// <summary>CMake's build type.</summary>
    public required string BuildType { get; init; }

    public required string Dotnet { get; init; }

    public required bool Virtualised { get; init; }

    /// <summary>Who sets the processor's frequency.</summary>
    public required string Governor { get; init; }
}
