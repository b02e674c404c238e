// SPDX-License-Identifier: MIT
using System.CommandLine.Parsing;
using System.Globalization;
using System.Numerics;

namespace Devmap.CommandLine;

/// <summary>What the options of more than one verb take, and what they say to anything else.</summary>
internal static class OptionParsers
{
    private const double MaxSeconds = 1_000_000;
    private const long MinPageSize = 4096;
    private const long MaxPageSize = 1 << 30;

    public static Func<ArgumentResult, string?> Path(string option) => result =>
    {
        string text = result.Tokens[0].Value;
        if (text.Length == 0)
            result.AddError($"{option} needs a path.");
        return text;
    };

    public static Func<ArgumentResult, int> Number(string option, int min, int max) => result =>
    {
        string text = result.Tokens[0].Value;
        if (!int.TryParse(text, NumberStyles.AllowLeadingSign, CultureInfo.InvariantCulture, out int value) || value < min || value > max)
            result.AddError($"{option} is '{text}'; it takes a whole number from {min} to {max}.");
        return value;
    };

    public static Func<ArgumentResult, double> Seconds(string option) => Positive(option, MaxSeconds);

    /// <summary>A time as 500ms, 2s, or 2 for seconds.</summary>
    public static Func<ArgumentResult, TimeSpan> Interval(string option, TimeSpan min, TimeSpan max) => result =>
    {
        string text = result.Tokens[0].Value;
        (string number, double unit) = text.EndsWith("ms", StringComparison.Ordinal) ? (text[..^2], 1)
            : text.EndsWith('s') ? (text[..^1], 1000)
            : (text, 1000);
        if (!double.TryParse(number, NumberStyles.AllowDecimalPoint, CultureInfo.InvariantCulture, out double value)
            || !(value * unit >= min.TotalMilliseconds && value * unit <= max.TotalMilliseconds))
        {
            result.AddError(string.Create(CultureInfo.InvariantCulture, $"{option} is '{text}'; it takes a time from {min.TotalMilliseconds}ms to {max.TotalSeconds}s, as 500ms, 2s, or 2 for seconds."));
            return min;
        }

        return TimeSpan.FromMilliseconds(value * unit);
    };

    public static Func<ArgumentResult, double> Positive(string option, double max) => result =>
    {
        string text = result.Tokens[0].Value;
        if (!double.TryParse(text, NumberStyles.Float, CultureInfo.InvariantCulture, out double value) || !(value > 0 && value <= max))
            result.AddError($"{option} is '{text}'; it takes a number above 0, up to {max.ToString(CultureInfo.InvariantCulture)}.");
        return value;
    };

    public static Func<ArgumentResult, ByteSize> Size(string option) => result =>
    {
        string text = result.Tokens[0].Value;
        if (!ByteSize.TryParse(text, out ByteSize value) || value.Bytes is < 1 or > long.MaxValue - MaxPageSize)
            result.AddError($"{option} is '{text}'; it takes a number of bytes above 0, as 4096, 64M or 1GiB.");
        return value;
    };

    public static Func<ArgumentResult, ByteSize> PageSize(string option) => result =>
    {
        string text = result.Tokens[0].Value;
        if (!ByteSize.TryParse(text, out ByteSize value) || value.Bytes is < MinPageSize or > MaxPageSize || !BitOperations.IsPow2(value.Bytes))
            result.AddError($"{option} is '{text}'; it takes a power of two from 4K to 1G.");
        return value;
    };

    public static Func<ArgumentResult, int?> Seed(string option) => result =>
    {
        string text = result.Tokens[0].Value;
        if (!int.TryParse(text, NumberStyles.None, CultureInfo.InvariantCulture, out int value))
            result.AddError($"{option} is '{text}'; it takes a whole number from 0 to {int.MaxValue}.");
        return value;
    };

    /// <summary>One of a few words: the names of an enumeration's values, in lower case.</summary>
    /// <typeparam name="T">The enumeration.</typeparam>
    /// <param name="option">The option.</param>
    public static Func<ArgumentResult, T> Word<T>(string option)
        where T : struct, Enum => result =>
    {
        string text = result.Tokens[0].Value;
        foreach (T value in Enum.GetValues<T>())
        {
            if (string.Equals(text, WordOf(value), StringComparison.Ordinal))
                return value;
        }

        string[] words = [.. Enum.GetValues<T>().Select(WordOf)];
        result.AddError($"{option} is '{text}'; it takes {string.Join(", ", words[..^1])} or {words[^1]}.");
        return default;
    };

    public static string WordOf<T>(T value)
        where T : struct, Enum => value.ToString().ToLowerInvariant();
}
