// SPDX-License-Identifier: MIT
namespace Devmap.Benchmarks.Suite;

/// <summary>What one tool said of one series in one round.</summary>
/// <param name="Series">What was measured.</param>
/// <param name="Tool">What measured it.</param>
/// <param name="Unit">Of the value, for one operation.</param>
/// <param name="Value">The figure.</param>
/// <param name="AllocatedBytes">Managed bytes that an operation allocates, where the tool counts them.</param>
internal sealed record Sample(string Series, string Tool, string Unit, double Value, long? AllocatedBytes = null);
