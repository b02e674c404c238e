// SPDX-License-Identifier: MIT
using System.Text.Json.Serialization;

namespace Devmap.Benchmarks.Suite;

/// <summary>The JSON of the native programs.</summary>
[JsonSourceGenerationOptions(PropertyNamingPolicy = JsonKnownNamingPolicy.SnakeCaseLower)]
[JsonSerializable(typeof(GoogleBenchmarkOutput.Report), TypeInfoPropertyName = "GoogleBenchmarkReport")]
[JsonSerializable(typeof(Dictionary<string, double>))]
internal sealed partial class NativeJson : JsonSerializerContext;
