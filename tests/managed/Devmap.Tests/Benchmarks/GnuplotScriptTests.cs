// SPDX-License-Identifier: MIT
using System.Globalization;
using Devmap.Benchmarks.Suite;
using Xunit;

namespace Devmap.Tests.Benchmarks;

/// <summary>What gnuplot is given.</summary>
public sealed class GnuplotScriptTests
{
    [Theory]
    [InlineData("plain", "'plain'")]
    [InlineData("a page's map", "'a page''s map'")]
    [InlineData("say \"it\"", "'say \"it\"'")]
    [InlineData("a\\b `date` @x $1 %s", "'a\\b `date` @x $1 %s'")]
    [InlineData("two\nlines\tand tabs", "'two lines and tabs'")]
    public void Quotes_strings(string text, string quoted) => Assert.Equal(quoted, GnuplotScript.Quote(text));

    [Theory]
    [InlineData("C#: two threads", "csharp-two-threads")]
    [InlineData("C and C++: a reference", "c-and-cpp-a-reference")]
    [InlineData(".NET: an owner", "dotnet-an-owner")]
    [InlineData("../../etc/passwd", "etc-passwd")]
    public void Names_files_plainly(string title, string slug) => Assert.Equal(slug, GnuplotScript.Slug(title));

    [Fact]
    public void Names_each_picture_once()
    {
        string[] slugs = [.. Catalogue.Sections.Select(section => section.Title).Concat(Catalogue.Curves.Select(curve => curve.Title)).Select(GnuplotScript.Slug)];

        Assert.Equal(slugs.Length, slugs.Distinct(StringComparer.Ordinal).Count());
    }

    [Fact]
    public void Draws_a_bar_for_each_figure()
    {
        var script = GnuplotScript.Bars("A title", "an operation", [("a \"first\"", Figure(10)), ("second", Figure(20))]);

        Assert.Equal("a-title", script.Name);
        Assert.Contains("set output 'a-title.svg'", script.Script, StringComparison.Ordinal);
        Assert.Contains("unset logscale", script.Script, StringComparison.Ordinal);
        Assert.Equal("\"a 'first'\"\t10\t9\t11\t\"10.0 ns\"\n\"second\"\t20\t19\t21\t\"20.0 ns\"\n", script.Data);
    }

    [Fact]
    public void Uses_a_logarithmic_axis_where_bars_would_vanish() =>
        Assert.Contains("set logscale x", GnuplotScript.Bars("A title", "an operation", [("a", Figure(2)), ("b", Figure(2000))]).Script, StringComparison.Ordinal);

    [Fact]
    public void Draws_a_line_for_each_series()
    {
        var script = GnuplotScript.Lines("A title", "an operation", "pages", [("a", [(1, Figure(10)), (64, Figure(20))]), ("b", [(1, Figure(30))])]);

        Assert.Contains("index 0 using", script.Script, StringComparison.Ordinal);
        Assert.Contains("index 1 using", script.Script, StringComparison.Ordinal);
        Assert.Contains("set logscale xy", script.Script, StringComparison.Ordinal);
        Assert.Equal("1\t10\t9\t11\n64\t20\t19\t21\n\n\n1\t30\t29\t31\n\n\n", script.Data);
    }

    [Fact]
    public void Writes_numbers_as_gnuplot_reads_them()
    {
        CultureInfo before = CultureInfo.CurrentCulture;
        CultureInfo.CurrentCulture = new CultureInfo("") { NumberFormat = { NumberDecimalSeparator = "," } };
        try
        {
            Assert.StartsWith("\"a\"\t1.5\t", GnuplotScript.Bars("A title", "an operation", [("a", Figure(1.5))]).Data, StringComparison.Ordinal);
        }
        finally
        {
            CultureInfo.CurrentCulture = before;
        }
    }

    private static Figure Figure(double median) => new()
    {
        Name = "a",
        Tool = "a tool",
        Unit = Unit.Nanoseconds,
        Median = median,
        Quartile1 = median - 1,
        Quartile3 = median + 1,
        Low = median - 1,
        High = median + 1,
        Samples = 3,
    };
}
