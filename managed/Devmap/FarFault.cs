// SPDX-License-Identifier: MIT
using System.Runtime.InteropServices;

namespace Devmap;

/// <summary>A page fault of the CPU on far memory, which is over.</summary>
/// <param name="Page">Index of the page.</param>
/// <param name="IsWrite">Whether the CPU wrote.</param>
/// <param name="Timestamp">When it was over, as <see cref="System.Diagnostics.Stopwatch.GetTimestamp"/> tells it.</param>
/// <param name="Duration">How long it took to serve.</param>
/// <param name="Error">Why it could not be served; null where it was.</param>
[StructLayout(LayoutKind.Auto)]
public readonly record struct FarFault(long Page, bool IsWrite, long Timestamp, TimeSpan Duration, IOException? Error);
