// SPDX-License-Identifier: MIT
using System.Globalization;

namespace Devmap.Benchmarks;

/// <summary>
/// What the benchmarks' cleanups find wrong. BenchmarkDotNet logs what a cleanup throws and goes on;
/// <see cref="Suite.BenchmarkLog"/> sees it there and fails the run.
/// </summary>
internal static class Checks
{
    public static void Equal(long expected, long actual, string what)
    {
        if (expected == actual)
            return;
        throw new InvalidOperationException(
            string.Create(CultureInfo.InvariantCulture, $"{what}: {actual} instead of {expected}"));
    }

    /// <summary>Throws what a native function answered, if not 0.</summary>
    public static void Zero(int result, string what) => Equal(0, result, what);
}
