// SPDX-License-Identifier: MIT
using Devmap.Benchmarks.Suite;
using Xunit;

namespace Devmap.Tests.Benchmarks;

/// <summary>The report and the table on the terminal.</summary>
public sealed class ReportTests
{
    private static readonly RunResults s_results = Samples.Results(Samples.Everything(Samples.Options), Samples.Options);

    [Fact]
    public void Have_every_target()
    {
        string report = Report.Write(s_results, noPictures: null);
        using var terminal = new StringWriter();
        TargetTable.Write(terminal, s_results.Targets);

        Assert.All(Targets.All, target => Assert.Contains($"| {Markdown.Escape(target.Name)} |", report, StringComparison.Ordinal));
        Assert.All(Targets.All, target => Assert.Contains(target.Name[..20], terminal.ToString(), StringComparison.Ordinal));
        Assert.DoesNotContain("\u001b[", terminal.ToString(), StringComparison.Ordinal);
    }

    [Fact]
    public void Have_every_group_and_picture()
    {
        string report = Report.Write(s_results, noPictures: null);

        Assert.All(Catalogue.Groups, group => Assert.Contains($"\n## {group}\n", report, StringComparison.Ordinal));
        Assert.All(Catalogue.Sections.Select(section => section.Title).Concat(Catalogue.Curves.Select(curve => curve.Title)), title =>
        {
            Assert.Contains($"\n### {title}\n", report, StringComparison.Ordinal);
            Assert.Contains($"](plots/{GnuplotScript.Slug(title)}.svg)", report, StringComparison.Ordinal);
        });
        Assert.Contains("no difference seen", report, StringComparison.Ordinal);
        Assert.DoesNotContain("Not measured", report, StringComparison.Ordinal);
    }

    [Fact]
    public void Say_when_there_are_no_pictures()
    {
        string report = Report.Write(s_results, noPictures: "gnuplot is missing");

        Assert.DoesNotContain("](plots/", report, StringComparison.Ordinal);
        Assert.Contains("There are no pictures: gnuplot is missing.", report, StringComparison.Ordinal);
    }

    [Fact]
    public void Say_when_the_machine_was_not_quiet()
    {
        string report = Report.Write(s_results with { Quiet = Samples.Quiet with { BusyShare = 0.5, NoisyProcesses = ["cc (7, 99 % of a core)"] } }, noPictures: null);

        Assert.Contains("This machine was not quiet: others keep 1.00 of its cores busy; busy are cc (7, 99 % of a core).", report, StringComparison.Ordinal);
        Assert.DoesNotContain("not quiet", Report.Write(s_results, noPictures: null), StringComparison.Ordinal);
    }

    [Fact]
    public void Say_what_was_not_measured()
    {
        SuiteOptions options = Samples.Options with { SkipManaged = true };
        string report = Report.Write(Samples.Results(Samples.Everything(options), options), noPictures: null);

        Assert.Contains("not measured in this run", report, StringComparison.Ordinal);
        Assert.DoesNotContain("### C#, gate off", report, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData(0.0, "0 ns")]
    [InlineData(0.000763, "0.000763 ns")]
    [InlineData(1.004, "1.00 ns")]
    [InlineData(12.34, "12.3 ns")]
    [InlineData(999.6, "1.00 µs")]
    [InlineData(8250.0, "8.25 µs")]
    [InlineData(1e6, "1.00 ms")]
    [InlineData(2.5e9, "2.50 s")]
    public void Have_times_with_three_digits(double nanoseconds, string text) => Assert.Equal(text, Show.Value(nanoseconds, Unit.Nanoseconds));

    [Fact]
    public void Have_bytes_as_they_are()
    {
        Assert.Equal("1,445.9 bytes", Show.Value(1445.9, Unit.Bytes));
        Assert.Equal("320 KiB", Show.Value(320, Unit.Kibibytes));
        Assert.Equal("23.0", Show.Value(23.000018, Unit.Instructions));
    }

    [Fact]
    public void Escape_what_Markdown_would_take_for_its_own() =>
        Assert.Equal(
            "| a\\|b | &lt;c> \\[d] | \\\\ \\*e\\* \\_f\\_ \\`g\\` |\n| --- | --- | --- |\n\n",
            Markdown.Table(new(), ["a|b", "<c> [d]", "\\ *e* _f_ `g`"], []).ToString());

    [Fact]
    public void Escape_the_names_of_processes_and_commits()
    {
        RunResults results = s_results with
        {
            Commit = "v1_0*",
            Quiet = Samples.Quiet with { BusyShare = 0.5, NoisyProcesses = ["**`x`** (7, 99 % of a core)"] },
        };
        string report = Report.Write(results, noPictures: null);

        Assert.Contains("of commit v1\\_0\\*.", report, StringComparison.Ordinal);
        Assert.Contains("busy are \\*\\*\\`x\\`\\*\\* (7", report, StringComparison.Ordinal);
    }

    [Fact]
    public void Say_what_the_spread_is() =>
        Assert.Contains("of fewer than\n7 rounds", Report.Write(s_results, noPictures: null), StringComparison.Ordinal);
}
