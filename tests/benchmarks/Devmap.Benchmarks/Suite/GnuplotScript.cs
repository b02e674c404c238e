// SPDX-License-Identifier: MIT
using System.Globalization;
using System.Text;

namespace Devmap.Benchmarks.Suite;

/// <summary>What gnuplot is told: a script, and the data that it reads.</summary>
/// <param name="Name">Of the files, without their extensions.</param>
/// <param name="Script">Writes Name.svg from Name.dat, all in the current directory.</param>
/// <param name="Data">Tab-separated.</param>
internal sealed record GnuplotScript(string Name, string Script, string Data)
{
    /// <summary>Bars that differ by more than this are drawn on a logarithmic axis.</summary>
    private const double MaxLinear = 50;

    private const string Colours = "#4477aa #ee6677 #228833 #ccbb44 #66ccee #aa3377";

    /// <summary>A bar for each figure, with its spread.</summary>
    public static GnuplotScript Bars(string title, string per, IReadOnlyList<(string Label, Figure Figure)> bars)
    {
        string name = Slug(title);
        double least = bars.Min(bar => bar.Figure.Median);
        double most = bars.Max(bar => bar.Figure.High);
        bool logarithmic = least > 0 && most / least > MaxLinear;
        string unit = bars[0].Figure.Unit;
        string left = Number(logarithmic ? least / 2 : 0);
        // Room for the numbers beside the bars.
        string right = Number(logarithmic ? most * Math.Pow(2 * most / least, 0.25) : most * 1.3);
        string script = string.Join('\n',
            Head(name, title, 100 + (bars.Count * 34)),
            $"set xlabel {Quote($"{unit}, {per}{(logarithmic ? " (logarithmic)" : null)}")}",
            "set style fill solid 0.7",
            "set grid xtics",
            "unset key",
            "set ytics scale 0",
            logarithmic ? "set logscale x" : "unset logscale",
            $"set xrange [{left}:{right}]",
            $"set yrange [{Number(bars.Count - 0.5)}:-0.5]",
            $"plot {Quote($"{name}.dat")} using ({left}):0:({left}):2:($0-0.35):($0+0.35):ytic(1) with boxxyerror lc rgb \"#4477aa\", \\",
            "     \"\" using 2:0:3:4 with xerrorbars lc rgb \"black\" pt 0, \\",
            "     \"\" using 4:0:5 with labels left offset 1,0",
            string.Empty);
        StringBuilder data = new();
        foreach ((string label, Figure figure) in bars)
        {
            data.Append(CultureInfo.InvariantCulture,
                $"{Field(label)}\t{Number(figure.Median)}\t{Number(figure.Low)}\t{Number(figure.High)}\t{Field(Show.Value(figure.Median, unit))}\n");
        }

        return new(name, script, data.ToString());
    }

    /// <summary>A line for each series over a growing number, both axes logarithmic.</summary>
    public static GnuplotScript Lines(string title, string per, string axis, IReadOnlyList<(string Label, IReadOnlyList<(long Number, Figure Figure)> Points)> lines)
    {
        string name = Slug(title);
        string[] colours = Colours.Split(' ');
        IEnumerable<string> plots = lines.Select((line, index) =>
            $"{(index == 0 ? Quote($"{name}.dat") : "\"\"")} index {Number(index)} using 1:2:3:4 with yerrorlines lw 2 pt 7 ps 0.6 lc rgb \"{colours[index % colours.Length]}\" title {Quote(line.Label)}");
        string script = string.Join('\n',
            Head(name, title, 440 + (lines.Count * 20)),
            $"set xlabel {Quote(axis)}",
            $"set ylabel {Quote($"{lines[0].Points[0].Figure.Unit}, {per}")}",
            "set logscale xy",
            "set grid",
            $"set bmargin {Number(lines.Count + 5)}",
            $"set key at screen 0.1, screen {Number((lines.Count * 20 + 8) / (440.0 + (lines.Count * 20)))} left top vertical Left reverse maxrows {Number(lines.Count)}",
            $"plot {string.Join(", \\\n     ", plots)}",
            string.Empty);
        StringBuilder data = new();
        foreach ((_, IReadOnlyList<(long Number, Figure Figure)> points) in lines)
        {
            foreach ((long number, Figure figure) in points)
                data.Append(CultureInfo.InvariantCulture, $"{number}\t{Number(figure.Median)}\t{Number(figure.Low)}\t{Number(figure.High)}\n");
            // Two empty lines begin what gnuplot calls the next index.
            data.Append("\n\n");
        }

        return new(name, script, data.ToString());
    }

    /// <summary>A string for gnuplot. Between single quotes nothing but a single quote means anything.</summary>
    public static string Quote(string text) => $"'{Line(text).Replace("'", "''", StringComparison.Ordinal)}'";

    /// <summary>A name for files and links.</summary>
    public static string Slug(string text)
    {
        string plain = text.ToLowerInvariant().Replace("c#", "csharp", StringComparison.Ordinal).Replace("c++", "cpp", StringComparison.Ordinal).Replace(".net", "dotnet", StringComparison.Ordinal);
        StringBuilder slug = new();
        foreach (char letter in plain)
        {
            if (char.IsAsciiLetterOrDigit(letter))
                slug.Append(letter);
            else if (slug.Length > 0 && slug[^1] != '-')
                slug.Append('-');
        }

        return slug.ToString().TrimEnd('-');
    }

    /// <summary>A field of the data: its quotes would hide the tab after it.</summary>
    private static string Field(string text) => $"\"{Line(text).Replace('"', '\'')}\"";

    private static string Line(string text) => text.ReplaceLineEndings(" ").Replace('\t', ' ');

    private static string Head(string name, string title, int height) => string.Join('\n',
        $"set terminal svg size 900,{Number(height)} dynamic noenhanced font \"sans-serif,13\" background rgb \"white\"",
        "set encoding utf8",
        $"set output {Quote($"{name}.svg")}",
        "set datafile separator \"\\t\"",
        $"set title {Quote(title)}");

    private static string Number(double value) => value.ToString("R", CultureInfo.InvariantCulture);
}
