// SPDX-License-Identifier: MIT
using System.Globalization;

namespace Devmap.Benchmarks.Suite;

/// <summary>Figures as people read them: three digits that count.</summary>
internal static class Show
{
    public static string Value(double value, string unit) => unit switch
    {
        Unit.Nanoseconds => Time(value),
        Unit.Bytes or Unit.Kibibytes => $"{value.ToString("#,##0.##", CultureInfo.InvariantCulture)} {unit}",
        _ => Digits(value),
    };

    public static string Ratio(double ratio) => Digits(ratio);

    public static string Percent(double share) => (share * 100).ToString("0.#", CultureInfo.InvariantCulture) + " %";

    private static string Time(double nanoseconds) => Math.Abs(nanoseconds) switch
    {
        < 999.5 => $"{Digits(nanoseconds)} ns",
        < 999.5e3 => $"{Digits(nanoseconds / 1e3)} µs",
        < 999.5e6 => $"{Digits(nanoseconds / 1e6)} ms",
        _ => $"{Digits(nanoseconds / 1e9)} s",
    };

    private static string Digits(double value)
    {
        string format = Math.Abs(value) switch
        {
            0 => "0",
            < 0.0995 => "G3",
            < 0.995 => "0.000",
            < 9.995 => "0.00",
            < 99.95 => "0.0",
            _ => "N0",
        };
        return value.ToString(format, CultureInfo.InvariantCulture);
    }
}
