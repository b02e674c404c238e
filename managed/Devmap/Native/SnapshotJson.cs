// SPDX-License-Identifier: MIT
using System.Text.Json.Serialization;

namespace Devmap.Native;

/// <summary>How snapshots are written: generated, so that nothing is looked up at run time.</summary>
[JsonSourceGenerationOptions(
    PropertyNamingPolicy = JsonKnownNamingPolicy.CamelCase,
    UseStringEnumConverter = true,
    IgnoreReadOnlyProperties = true,
    AllowDuplicateProperties = false,
    RespectNullableAnnotations = true)]
[JsonSerializable(typeof(DevmapSnapshot))]
internal sealed partial class SnapshotJson : JsonSerializerContext;
