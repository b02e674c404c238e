// SPDX-License-Identifier: MIT
using System.Text.Json;

namespace Devmap.Benchmarks.Suite;

/// <summary>Reads what memory_use prints: one JSON object of numbers.</summary>
internal static class MemoryUse
{
    public static IReadOnlyList<Sample> Parse(string json)
    {
        try
        {
            return
            [
                .. (JsonSerializer.Deserialize(json, NativeJson.Default.DictionaryStringDouble)
                    ?? throw new JsonException("there is nothing."))
                    .Select(pair => new Sample(Series(pair.Key), Tool.MemoryUse, UnitOf(pair.Key), pair.Value)),
            ];
        }
        catch (JsonException exception)
        {
            throw new SuiteException($"memory_use's output cannot be read: {exception.Message}", exception);
        }
    }

    public static string Series(string key) => $"memory/{key}";

    public static string UnitOf(string key) => key.EndsWith("_kib", StringComparison.Ordinal) ? Unit.Kibibytes : Unit.Bytes;
}
