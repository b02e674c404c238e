// SPDX-License-Identifier: MIT
using System.Text.Json.Serialization;

namespace Devmap.Benchmarks.Suite;

/// <summary>The suite's own JSON.</summary>
[JsonSourceGenerationOptions(
    PropertyNamingPolicy = JsonKnownNamingPolicy.CamelCase, DefaultIgnoreCondition = JsonIgnoreCondition.WhenWritingNull, WriteIndented = true)]
[JsonSerializable(typeof(RunResults))]
[JsonSerializable(typeof(IReadOnlyList<ManagedFigure>))]
internal sealed partial class ResultsJson : JsonSerializerContext;
