// SPDX-License-Identifier: MIT
using System.Buffers;

namespace Devmap.Native;

/// <summary>
/// The compact form of a heat map's cells: a number for each run of equal cells, twice the count, and one more where the
/// run is longer than one cell, then followed by its cells less 2. Numbers have seven bits a byte, the lowest first, and the
/// highest bit where more follow.
/// </summary>
internal static class HeatMapCells
{
    public static ReadOnlySpan<byte> Encode(IReadOnlyList<int> cells)
    {
        var bytes = new ArrayBufferWriter<byte>();
        for (int i = 0, next; i < cells.Count; i = next)
        {
            for (next = i + 1; next < cells.Count && cells[next] == cells[i];)
                next++;
            int run = next - i;
            Write(bytes, ((ulong)(uint)cells[i] << 1) | (run > 1 ? 1UL : 0));
            if (run > 1)
                Write(bytes, (ulong)(run - 2));
        }

        return bytes.WrittenSpan;
    }

    /// <exception cref="InvalidDataException">The bytes are no cells, or more than a heat map has.</exception>
    public static int[] Decode(ReadOnlySpan<byte> bytes)
    {
        var cells = new List<int>();
        while (!bytes.IsEmpty)
        {
            ulong head = Read(ref bytes);
            ulong run = (head & 1) == 0 ? 1 : Read(ref bytes) + 2;
            if (head >> 1 > int.MaxValue || run > (ulong)(SnapshotOptions.MaxHeatMapCells - cells.Count))
                throw new InvalidDataException("A heat map's cells are damaged.");
            for (ulong i = 0; i < run; i++)
                cells.Add((int)(head >> 1));
        }

        return [.. cells];
    }

    private static void Write(ArrayBufferWriter<byte> bytes, ulong value)
    {
        Span<byte> span = bytes.GetSpan(10);
        int length = 0;
        for (; value > 127; value >>= 7)
            span[length++] = (byte)(value | 128);
        span[length++] = (byte)value;
        bytes.Advance(length);
    }

    private static ulong Read(ref ReadOnlySpan<byte> bytes)
    {
        ulong value = 0;
        for (int i = 0; i < bytes.Length && i < 5; i++)
        {
            value |= (ulong)(bytes[i] & 127) << (7 * i);
            if (bytes[i] < 128)
            {
                bytes = bytes[(i + 1)..];
                return value;
            }
        }

        throw new InvalidDataException("A heat map's cells are cut off.");
    }
}
