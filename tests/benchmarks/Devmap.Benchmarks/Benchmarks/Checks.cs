// SPDX-License-Identifier: MIT
using System.Globalization;

namespace Devmap.Benchmarks;

/// <summary>
/// What the benchmarks' cleanups find wrong. BenchmarkDotNet prints what a cleanup throws and goes on, so it is kept
/// here too: a program whose <see cref="Failures"/> are not empty at its end has measured nothing.
/// </summary>
internal static class Checks
{
    private static readonly List<string> s_failures = [];

    public static IReadOnlyList<string> Failures => s_failures;

    public static void Equal(long expected, long actual, string what)
    {
        if (expected == actual)
            return;
        string failure = string.Create(CultureInfo.InvariantCulture, $"{what}: {actual} instead of {expected}");
        s_failures.Add(failure);
        throw new InvalidOperationException(failure);
    }

    /// <summary>Throws what a native function answered, if not 0.</summary>
    public static void Zero(int result, string what) => Equal(0, result, what);
}
