// SPDX-License-Identifier: MIT
namespace Devmap.Benchmarks.Suite;

/// <summary>A series as the report shows it.</summary>
/// <param name="Series">Its name.</param>
/// <param name="Label">What it is, in words.</param>
internal sealed record Row(string Series, string Label);
