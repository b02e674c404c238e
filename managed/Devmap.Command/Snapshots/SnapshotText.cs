// SPDX-License-Identifier: MIT
using System.Globalization;
using System.Text;

namespace Devmap.CommandLine.Snapshots;

/// <summary>How the views of snapshots write figures, times and names.</summary>
internal static class SnapshotText
{
    private const double Thousand = 1000;

    public static string Count(long count) => count.ToString("N0", CultureInfo.InvariantCulture);

    /// <summary>A count, and how fast it grows where that is known.</summary>
    public static string Count(long count, double? rate) => rate is null ? Count(count) : $"{Count(count)}, {Rate(rate.Value)}";

    public static string Rate(double rate) => string.Create(CultureInfo.InvariantCulture, $"{(rate is > 0 and < 10 ? $"{rate:0.0}" : $"{rate:N0}")} a second");

    /// <summary>"850 ns", "1.25 µs", "3.4 ms", "12.1 s".</summary>
    public static string Duration(long nanoseconds) => nanoseconds switch
    {
        < 1_000 => Invariant($"{nanoseconds} ns"),
        < 1_000_000 => Invariant($"{nanoseconds / Thousand:0.##} µs"),
        < 1_000_000_000 => Invariant($"{nanoseconds / Thousand / Thousand:0.##} ms"),
        _ => Invariant($"{nanoseconds / Thousand / Thousand / Thousand:0.##} s"),
    };

    /// <summary>"0.3 s", "59.9 s", "4 min 05 s", "3 h 12 min", "5 d 3 h".</summary>
    public static string Age(TimeSpan age) => age switch
    {
        { TotalMinutes: < 1 } => Invariant($"{Math.Max(0, Math.Floor(age.TotalSeconds * 10) / 10):0.0} s"),
        { TotalHours: < 1 } => Invariant($"{age.Minutes} min {age.Seconds:00} s"),
        { TotalDays: < 1 } => Invariant($"{age.Hours} h {age.Minutes:00} min"),
        _ => Invariant($"{age.Days} d {age.Hours} h"),
    };

    public static string Time(DateTimeOffset time) => Invariant($"{time.UtcDateTime:yyyy-MM-dd HH:mm:ss.fff} UTC");

    public static string Share(long part, long whole) => whole == 0 ? "0 %" : Invariant($"{100.0 * part / whole:0.##} %");

    /// <summary>What another process calls something, in one line without anything that a terminal would obey.</summary>
    public static string Name(string text)
    {
        if (text.EnumerateRunes().All(IsShown))
            return text;
        var shown = new StringBuilder(text.Length);
        foreach (Rune rune in text.EnumerateRunes())
            shown.Append(IsShown(rune) ? rune.ToString() : "?");
        return shown.ToString();
    }

    /// <summary>A name whose end matters most, as a path's, in at most <paramref name="length"/> characters.</summary>
    public static string End(string text, int length)
    {
        string name = Name(text);
        return name.Length <= length ? name : $"…{name[^(length - 1)..]}";
    }

    /// <summary>Lines of another process's text.</summary>
    public static IEnumerable<string> Lines(string text) => text.Split('\n', StringSplitOptions.TrimEntries | StringSplitOptions.RemoveEmptyEntries).Select(Name);

    private static bool IsShown(Rune rune) => rune != Rune.ReplacementChar && Rune.GetUnicodeCategory(rune) is not (
        UnicodeCategory.Control or UnicodeCategory.Format or UnicodeCategory.LineSeparator or UnicodeCategory.ParagraphSeparator
        or UnicodeCategory.Surrogate or UnicodeCategory.PrivateUse or UnicodeCategory.OtherNotAssigned);

    private static string Invariant(FormattableString text) => text.ToString(CultureInfo.InvariantCulture);
}
