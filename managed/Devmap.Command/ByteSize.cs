// SPDX-License-Identifier: MIT
using System.Globalization;
using System.Runtime.InteropServices;

namespace Devmap.CommandLine;

/// <summary>A number of bytes as people write it: "4096", "64M", "1.5 GiB". K, M, G and T are powers of 1024.</summary>
/// <param name="Bytes">The number.</param>
[StructLayout(LayoutKind.Auto)]
internal readonly record struct ByteSize(long Bytes)
{
    private const string Units = "KMGT";

    public static bool TryParse(string text, out ByteSize size)
    {
        size = default;
        ReadOnlySpan<char> number = text.AsSpan().Trim();
        int unit = number.IndexOfAnyExceptInRange('+', '9');
        decimal factor = 1;
        if (unit >= 0)
        {
            if (!TryFactor(number[unit..].Trim(), out factor))
                return false;
            number = number[..unit];
        }

        if (!decimal.TryParse(number.Trim(), NumberStyles.AllowDecimalPoint | NumberStyles.AllowLeadingSign, CultureInfo.InvariantCulture, out decimal value)
            || Math.Abs(value) > long.MaxValue / factor)
        {
            return false;
        }

        size = new ByteSize((long)(value * factor));
        return true;
    }

    public override string ToString()
    {
        double value = Bytes;
        int unit = -1;
        while (Math.Abs(value) >= 1024 && unit < Units.Length - 1)
        {
            value /= 1024;
            unit++;
        }

        string number = value.ToString("0.##", CultureInfo.InvariantCulture);
        return unit < 0 ? $"{number} bytes" : $"{number} {Units[unit]}iB";
    }

    private static bool TryFactor(ReadOnlySpan<char> unit, out decimal factor)
    {
        factor = 1;
        int power = Units.IndexOf(char.ToUpperInvariant(unit[0]), StringComparison.Ordinal) + 1;
        for (int i = 0; i < power; i++)
            factor *= 1024;
        ReadOnlySpan<char> rest = power > 0 ? unit[1..] : unit;
        return rest.IsEmpty
            || rest.Equals("B", StringComparison.OrdinalIgnoreCase)
            || (power > 0 && rest.Equals("iB", StringComparison.OrdinalIgnoreCase))
            || (power == 0 && rest.Equals("bytes", StringComparison.OrdinalIgnoreCase));
    }
}
