// SPDX-License-Identifier: MIT
using System.Globalization;
using System.Text;

namespace Devmap.Benchmarks.Suite;

/// <summary>What stands before the report's tables: when, where, how.</summary>
internal static class ReportHead
{
    public static void Write(StringBuilder text, RunResults results, string? noPictures)
    {
        MachineInfo machine = results.Machine;
        string commit = Markdown.Escape(results.Commit);
        text.Heading(1, "What Devmap costs");
        text.Paragraph(string.Create(CultureInfo.InvariantCulture,
            $"A {(results.Quick ? "quick" : "full")} run of {results.Rounds} rounds on {results.Date:yyyy-MM-dd HH:mm} UTC, of commit {commit}. results.json has every figure."));
        text.Table(["machine", string.Empty],
        [
            ["processor", $"{machine.Cpu}, {machine.Cores.ToString(CultureInfo.InvariantCulture)} cores{(machine.Virtualised ? ", virtual" : null)}"],
            ["caches", machine.Caches.Count > 0 ? string.Join(", ", machine.Caches) : "unknown"],
            ["memory", string.Create(CultureInfo.InvariantCulture, $"{machine.MemoryBytes / (double)(1 << 30):0.0} GiB")],
            ["system", $"{machine.Distribution}, Linux {machine.Kernel}, frequency governor {machine.Governor}"],
            ["built with", $"{machine.Compiler}, {machine.BuildType}; {machine.Dotnet}"],
        ]);
        text.Paragraph(results.Quiet.Quiet
            ? "The machine was quiet before, during and after the run."
            : $"**This machine was not quiet: {Markdown.Escape(results.Quiet.Complaint())}.** Take small differences as noise.");
        text.Paragraph(Method(results));
        if (noPictures is not null)
            text.Paragraph($"There are no pictures: {Markdown.Escape(noPictures)}.");
    }

    private static string Method(RunResults results)
    {
        Pace pace = results.Quick ? Pace.Quick : Pace.Full;
        return string.Create(CultureInfo.InvariantCulture, $"""
            How it was measured: a round starts the native and the managed benchmarks anew. The native ones measure each
            {pace.NativeRepetitions} times in random order. The managed ones run one after the other in one process, classes
            and benchmarks in an order drawn anew, after they were called until the JIT had nothing left to compile. Native
            figures are CPU time, but for the threaded ones, which are wall time, as managed ones are. Of a benchmark's
            repetitions or iterations in a round the median is taken; BenchmarkDotNet leaves out upper outliers before. A
            figure is the median of the rounds. The two sides of a ratio of times are from the same process of the same
            round, not from the same moment; the ratio is taken in every round, and the median of these is the result. The
            spread, of figures and of ratios, is the distance of the rounds' quartiles; of fewer than
            {Summary.EnoughForQuartiles} rounds, whose quartiles are too close, it is the full range. A ratio of 0.5 is half
            of what it is held against. Where the spread is larger than the difference from 1, the verdict is
            "{Comparison.NoDifference}". Instructions are counted by callgrind, once, each loop in a run of its own, and
            compared exactly. A target is met by the median alone.
            """).ReplaceLineEndings("\n");
    }
}
