// SPDX-License-Identifier: MIT
using System.Text;
using System.Text.Json;
using Devmap.Native;

namespace Devmap;

public sealed partial record DevmapSnapshot
{
    /// <summary>The snapshot as JSON: names in camelCase, times in ISO 8601, a heat map's cells as a packed string.</summary>
    public string ToJson() => JsonSerializer.Serialize(this, SnapshotJson.Default.DevmapSnapshot);

    /// <summary>Reads what <see cref="ToJson"/> wrote.</summary>
    /// <param name="json">The text.</param>
    /// <exception cref="InvalidDataException">
    /// It is no snapshot, a damaged one, or one of another version; the message says which.
    /// </exception>
    public static DevmapSnapshot FromJson(string json)
    {
        ArgumentNullException.ThrowIfNull(json);
        return FromUtf8(Encoding.UTF8.GetBytes(json));
    }

    /// <summary>
    /// Writes the snapshot to a file, whole or not at all: what was there is replaced at the end, by what no others may read. A link
    /// is followed.
    /// </summary>
    /// <param name="path">The file.</param>
    /// <exception cref="ArgumentException">The path is empty.</exception>
    /// <exception cref="DirectoryNotFoundException">There is no such directory.</exception>
    /// <exception cref="UnauthorizedAccessException">Access is denied, or the path is a directory.</exception>
    /// <exception cref="IOException">The system failed to write, or the path is a device.</exception>
    public void Save(string path) =>
        WholeFile.Write(path, stream => JsonSerializer.Serialize(stream, this, SnapshotJson.Default.DevmapSnapshot));

    /// <summary>Reads a file that <see cref="Save"/> wrote.</summary>
    /// <param name="path">The file.</param>
    /// <exception cref="ArgumentException">The path is empty.</exception>
    /// <exception cref="FileNotFoundException">There is no such file.</exception>
    /// <exception cref="DirectoryNotFoundException">There is no such directory.</exception>
    /// <exception cref="UnauthorizedAccessException">Access is denied, or the path is a directory.</exception>
    /// <exception cref="InvalidDataException">As <see cref="FromJson"/>; the message names the file.</exception>
    /// <exception cref="IOException">The system failed to read.</exception>
    public static DevmapSnapshot Load(string path)
    {
        ArgumentException.ThrowIfNullOrEmpty(path);
        byte[] utf8 = File.ReadAllBytes(path);
        try
        {
            return FromUtf8(utf8);
        }
        catch (InvalidDataException exception)
        {
            throw new InvalidDataException($"'{path}': {exception.Message}", exception);
        }
    }

    private static DevmapSnapshot FromUtf8(ReadOnlySpan<byte> utf8)
    {
        try
        {
            // First, as another version's form is another one, of which nothing else can be said.
            ThrowIfOtherVersion(utf8);
            DevmapSnapshot snapshot = JsonSerializer.Deserialize(utf8, SnapshotJson.Default.DevmapSnapshot)
                ?? throw new InvalidDataException("This is no snapshot of Devmap.");
            SnapshotRules.ThrowIfBroken(snapshot);
            return snapshot;
        }
        catch (JsonException exception)
        {
            throw new InvalidDataException($"This is no snapshot of Devmap, or a damaged one: {exception.Message}", exception);
        }
    }

    private static void ThrowIfOtherVersion(ReadOnlySpan<byte> utf8)
    {
        var reader = new Utf8JsonReader(utf8);
        if (!reader.Read() || reader.TokenType != JsonTokenType.StartObject)
            throw new InvalidDataException("This is no snapshot of Devmap: it is no JSON object.");
        while (reader.Read() && reader.TokenType == JsonTokenType.PropertyName)
        {
            bool isVersion = reader.ValueTextEquals("version"u8);
            reader.Read();
            if (!isVersion)
            {
                reader.Skip();
                continue;
            }

            if (reader.TokenType != JsonTokenType.Number || !reader.TryGetInt32(out int version))
                throw new InvalidDataException("This is no snapshot of Devmap: its version is no number.");
            if (version != CurrentVersion)
                throw new InvalidDataException($"The snapshot has version {version}; this library reads version {CurrentVersion}.");
            return;
        }

        throw new InvalidDataException("This is no snapshot of Devmap: it has no version.");
    }
}
