// SPDX-License-Identifier: MIT
using System.Runtime.InteropServices;

namespace Devmap;

/// <summary>A change of the gate.</summary>
/// <param name="Time">When.</param>
/// <param name="Holders">Holders after it.</param>
/// <param name="ThreadId">The thread, as gettid(2) has it.</param>
[StructLayout(LayoutKind.Auto)]
public readonly record struct GateChange(DateTimeOffset Time, int Holders, int ThreadId);
