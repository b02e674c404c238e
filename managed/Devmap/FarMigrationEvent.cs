// SPDX-License-Identifier: MIT
using System.Runtime.InteropServices;

namespace Devmap;

/// <summary>A migration of adjacent pages of far memory, which is over.</summary>
/// <param name="IsEviction">Whether they went to the store; else they came back to memory.</param>
/// <param name="FirstPage">Index of the first page.</param>
/// <param name="PageCount">Number of pages.</param>
/// <param name="Timestamp">When it was over, as <see cref="System.Diagnostics.Stopwatch.GetTimestamp"/> tells it.</param>
/// <param name="Duration">How long it took.</param>
/// <param name="Error">Why the page stayed where it was; null where all of them moved.</param>
[StructLayout(LayoutKind.Auto)]
public readonly record struct FarMigrationEvent(
    bool IsEviction, long FirstPage, long PageCount, long Timestamp, TimeSpan Duration, IOException? Error);
