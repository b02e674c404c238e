// SPDX-License-Identifier: MIT
namespace Devmap.CommandLine.Top;

/// <summary>
/// Puts together snapshots that come in parts, in any order, of which the stream may lose some. What can't become whole is
/// counted as lost. One thread.
/// </summary>
internal sealed class SnapshotAssembler
{
    /// <summary>Of a snapshot: more is not from this library, or not to be shown.</summary>
    public const int MaxParts = 16384;

    /// <summary>Of a snapshot, all its parts together.</summary>
    public const int MaxCharacters = 128 << 20;

    private string?[] _parts = [];
    private int _missing;
    private long _characters;
    private long? _sequence;

    /// <summary>Snapshots that never became whole, and parts that were of none.</summary>
    public long Lost { get; private set; }

    /// <summary>Takes a part.</summary>
    /// <param name="sequence">The snapshot's number, which grows.</param>
    /// <param name="part">The part's, from 0.</param>
    /// <param name="parts">How many there are.</param>
    /// <param name="text">The part.</param>
    /// <returns>The snapshot that this part was the last one of, or null.</returns>
    public string? Add(long sequence, int part, int parts, string text)
    {
        if (sequence < _sequence)
            return null;
        if (sequence != _sequence)
            Begin(sequence, parts);
        if (_missing == 0)
            return null;

        // Nothing that came before can be trusted to belong together any more.
        if (parts != _parts.Length || part < 0 || part >= parts || (_characters += text.Length) > MaxCharacters)
        {
            GiveUp();
            return null;
        }

        if (_parts[part] is not null)
            return null;
        _parts[part] = text;
        if (--_missing > 0)
            return null;
        string whole = string.Concat(_parts);
        _parts = [];
        return whole;
    }

    private void Begin(long sequence, int parts)
    {
        if (_missing > 0)
            Lost++;
        _sequence = sequence;
        _characters = 0;
        _parts = parts is > 0 and <= MaxParts ? new string?[parts] : [];
        _missing = _parts.Length;
        if (_missing == 0)
            Lost++;
    }

    /// <summary>Until the next snapshot begins.</summary>
    private void GiveUp()
    {
        Lost++;
        _missing = 0;
        _parts = [];
    }
}
