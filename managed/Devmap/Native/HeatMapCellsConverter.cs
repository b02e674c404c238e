// SPDX-License-Identifier: MIT
using System.Text.Json;
using System.Text.Json.Serialization;

namespace Devmap.Native;

/// <summary>Writes the cells of a heat map as Base64 of <see cref="HeatMapCells"/>.</summary>
internal sealed class HeatMapCellsConverter : JsonConverter<IReadOnlyList<int>>
{
    public override IReadOnlyList<int> Read(ref Utf8JsonReader reader, Type typeToConvert, JsonSerializerOptions options)
    {
        if (reader.TokenType != JsonTokenType.String || !reader.TryGetBytesFromBase64(out byte[]? bytes))
            throw new JsonException("A heat map's cells are no Base64.");
        return HeatMapCells.Decode(bytes);
    }

    public override void Write(Utf8JsonWriter writer, IReadOnlyList<int> value, JsonSerializerOptions options) =>
        writer.WriteBase64StringValue(HeatMapCells.Encode(value));
}
