// SPDX-License-Identifier: MIT
using System.Text.Json.Serialization;

namespace Devmap.Benchmarks.Suite;

/// <summary>The suite's own JSON. What is not known is null and not left out.</summary>
[JsonSourceGenerationOptions(
    PropertyNamingPolicy = JsonKnownNamingPolicy.CamelCase, RespectRequiredConstructorParameters = true, WriteIndented = true)]
[JsonSerializable(typeof(RunResults))]
[JsonSerializable(typeof(IReadOnlyList<ManagedFigure>))]
internal sealed partial class ResultsJson : JsonSerializerContext;
