// SPDX-License-Identifier: MIT
namespace Devmap.Benchmarks.Suite;

/// <summary>Series that the report shows side by side, each against the first one.</summary>
/// <param name="Group">The report's group that it belongs to.</param>
/// <param name="Title">What is compared.</param>
/// <param name="Per">What one operation is.</param>
/// <param name="Rows">The baseline, and what is held against it.</param>
internal sealed record Section(string Group, string Title, string Per, IReadOnlyList<Row> Rows)
{
    public Row Baseline => Rows[0];
}
