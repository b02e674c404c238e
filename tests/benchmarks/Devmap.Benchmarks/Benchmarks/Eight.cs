// SPDX-License-Identifier: MIT
using System.Runtime.CompilerServices;

namespace Devmap.Benchmarks;

/// <summary>Eight objects on the stack: keeping them there marks no cards, as an array on the heap would.</summary>
[InlineArray(Count)]
internal struct Eight<T>
{
    public const int Count = 8;

    private T _first;
}
