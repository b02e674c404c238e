// SPDX-License-Identifier: MIT
using System.Globalization;
using System.Text;

namespace Devmap.Benchmarks.Suite;

/// <summary>What stands before the report's tables: when, where, how.</summary>
internal static class ReportHead
{
    public static void Write(StringBuilder text, RunResults results, bool hasPictures)
    {
        MachineInfo machine = results.Machine;
        text.Heading(1, "What Devmap costs");
        text.Paragraph(string.Create(CultureInfo.InvariantCulture,
            $"A {(results.Quick ? "quick" : "full")} run of {results.Rounds} rounds on {results.Date:yyyy-MM-dd HH:mm} UTC, of commit {results.Commit}. results.json has every figure."));
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
            : $"**This machine was not quiet: {results.Quiet.Complaint()}.** Take small differences as noise.");
        text.Paragraph(Method(results));
        if (!hasPictures)
            text.Paragraph("There are no pictures: gnuplot is missing. Its scripts and data are in plots/.");
    }

    private static string Method(RunResults results)
    {
        Pace pace = results.Quick ? Pace.Quick : Pace.Full;
        return string.Create(CultureInfo.InvariantCulture, $"""
            How it was measured: a round starts the native and the managed benchmarks anew and measures each of them, the native
            ones {pace.NativeRepetitions} times in random order, the managed ones in an order drawn anew for each round, after they were called until
            the JIT had nothing left to compile. A figure is the median of the rounds; its spread is how far their quartiles are
            apart. Both sides of a ratio are from the same process; the ratio is taken in every round, and the median of these is
            the result, their quartiles' distance its spread. A ratio of 0.5 is half of what it is held against. Where the spread
            is larger than the difference from 1, the verdict is "{Comparison.NoDifference}". Instructions are counted by callgrind, once,
            and compared exactly. A target is met by the median alone.
            """).ReplaceLineEndings("\n");
    }
}
