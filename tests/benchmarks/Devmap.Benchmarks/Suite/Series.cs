// SPDX-License-Identifier: MIT
using System.Globalization;

namespace Devmap.Benchmarks.Suite;

/// <summary>The names of series.</summary>
internal static class Series
{
    /// <summary>BenchmarkDotNet's are Class/Method, and the classes' names end alike.</summary>
    public static bool IsManaged(string series) => series.Contains("Benchmarks/", StringComparison.Ordinal);

    /// <summary>The number that stands in <paramref name="series"/> where <paramref name="pattern"/> has a star.</summary>
    public static long? Number(string series, string pattern)
    {
        int star = pattern.IndexOf('*', StringComparison.Ordinal);
        string after = pattern[(star + 1)..];
        return series.Length > pattern.Length - 1
            && series.AsSpan().StartsWith(pattern.AsSpan(0, star), StringComparison.Ordinal)
            && series.EndsWith(after, StringComparison.Ordinal)
            && long.TryParse(series.AsSpan(star, series.Length - star - after.Length), NumberStyles.None, CultureInfo.InvariantCulture, out long number)
            ? number
            : null;
    }

    /// <summary>The series that a pattern with a star stands for, the smallest number first.</summary>
    public static IReadOnlyList<(long Number, string Name)> Points(string pattern, IEnumerable<string> series) =>
    [
        .. series.Select(name => (Number: Number(name, pattern), Name: name))
            .Where(point => point.Number is not null)
            .Select(point => (Number: point.Number!.Value, point.Name))
            .OrderBy(point => point.Number),
    ];
}
