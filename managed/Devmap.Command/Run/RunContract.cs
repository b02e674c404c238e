// SPDX-License-Identifier: MIT
namespace Devmap.CommandLine.Run;

/// <summary>Something that a run promises.</summary>
/// <param name="Name">The promise.</param>
/// <param name="IsKept">Whether it was kept.</param>
/// <param name="Detail">What was seen.</param>
internal sealed record RunContract(string Name, bool IsKept, string Detail);
