// SPDX-License-Identifier: MIT
namespace Devmap.Benchmarks.Suite;

/// <summary>Series over a number that grows.</summary>
/// <param name="Group">The report's group that it belongs to.</param>
/// <param name="Title">What grows.</param>
/// <param name="Per">What one operation is.</param>
/// <param name="Axis">What the number counts.</param>
/// <param name="Lines">Each with a star in its series' name, where the number stands.</param>
internal sealed record Curve(string Group, string Title, string Per, string Axis, IReadOnlyList<Row> Lines);
