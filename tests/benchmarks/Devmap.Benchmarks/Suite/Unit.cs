// SPDX-License-Identifier: MIT
namespace Devmap.Benchmarks.Suite;

/// <summary>The units of figures.</summary>
internal static class Unit
{
    public const string Nanoseconds = "ns";
    public const string Instructions = "instructions";
    public const string Bytes = "bytes";
    public const string Ratio = "ratio";
    public const string Kibibytes = "KiB";
}
