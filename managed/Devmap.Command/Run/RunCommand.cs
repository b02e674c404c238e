// SPDX-License-Identifier: MIT
using System.CommandLine;
using System.Globalization;
using System.Runtime.CompilerServices;
using Spectre.Console;

namespace Devmap.CommandLine.Run;

/// <summary>The verb <c>run</c>.</summary>
internal static class RunCommand
{
    private const int MaxReaders = 1024;

    private const string Details = """
        Managed readers and a native thread lease random pages and verify their checksums; meanwhile the file is truncated to
        random lengths, which waits for those who hold the pages, grown again and refilled. The table at the end says whether
        every contract held.

        What holds data is not written to: a given file that is not empty is read, and a copy of it beside it is what is
        truncated. The copy, and a file that was generated without --file, are deleted at the end. An empty or missing file
        is filled, and stays.

        With --report, the library's level is Full, so that it knows who holds each page, which takes time; snapshots are taken
        now and then, and the file is written at the end: one HTML page, to be opened in any browser.

        Ctrl-C or SIGTERM ends the run early, with the table; a second one, a second later, kills it.

        Exit status: 0 all contracts held, 1 a contract broke, 2 it could not run.
        """;

    public static Command Create(IAnsiConsole console, TextWriter error)
    {
        RunSettings defaults = new();
        var file = new Option<string?>("--file") { Description = "The file to run on. Without it, one is generated in the directory for temporary files.", HelpName = "PATH", CustomParser = OptionParsers.Path("--file") };
        var readers = new Option<int>("--readers") { Description = $"Concurrent managed readers, 1 to {MaxReaders}.", HelpName = "N", CustomParser = OptionParsers.Number("--readers", 1, MaxReaders), DefaultValueFactory = _ => defaults.Readers };
        var seconds = new Option<double>("--seconds") { Description = "How long to run; fractions are fine.", HelpName = "S", CustomParser = OptionParsers.Seconds("--seconds"), DefaultValueFactory = _ => defaults.Duration.TotalSeconds };
        var size = new Option<ByteSize>("--size") { Description = "Bytes to work on, as 4096, 64M or 1GiB; of a given file, the most.", HelpName = "BYTES", CustomParser = OptionParsers.Size("--size"), DefaultValueFactory = _ => new ByteSize(defaults.Size) };
        var pageSize = new Option<ByteSize>("--page-size") { Description = "Bytes a page, the unit of leases: a power of two from 4K to 1G.", HelpName = "BYTES", CustomParser = OptionParsers.PageSize("--page-size"), DefaultValueFactory = _ => new ByteSize(defaults.PageSize) };
        var seed = new Option<int?>("--seed") { Description = "What random choices and contents start from: repeats those of the run whose table has it, as far as timing lets it.", HelpName = "N", CustomParser = OptionParsers.Seed("--seed") };
        var report = new Option<string?>("--report") { Description = "Write a page of heat maps, holders and latencies to this file, with snapshots of the run.", HelpName = "PATH", CustomParser = OptionParsers.Path("--report") };
        var command = new DetailedCommand("run", "Reads a file through counted pages while it is truncated and grown under the readers.", Details) { file, readers, seconds, size, pageSize, seed, report };
        command.SetAction((parsed, interrupt) =>
        {
            var settings = new RunSettings
            {
                File = parsed.GetValue(file),
                Readers = parsed.GetValue(readers),
                Duration = TimeSpan.FromSeconds(parsed.GetValue(seconds)),
                Size = parsed.GetValue(size).Bytes,
                PageSize = (int)parsed.GetValue(pageSize).Bytes,
                Report = parsed.GetValue(report),
            };
            return RunAsync(parsed.GetValue(seed) is { } given ? settings with { Seed = given } : settings, console, error, interrupt);
        });
        return command;
    }

    private static async Task<int> RunAsync(RunSettings settings, IAnsiConsole console, TextWriter error, CancellationToken interrupt)
    {
        if (settings.Report is not null)
            ReportFile.ThrowIfUnwritable(settings.Report);
        RunJob job = await RunJob.OpenAsync(settings).ConfigureAwait(false);
        await using ConfiguredAsyncDisposable disposing = job.ConfigureAwait(false);
        console.WriteLine($"Running on {job.Description}, {settings.Readers} managed readers and a native one, for {settings.Duration.TotalSeconds.ToString(CultureInfo.InvariantCulture)} s.");
        RunReport report = await RunProgress.RunAsync(console, job, interrupt).ConfigureAwait(false);
        RunTable.Write(console, report);
        foreach (RunContract broken in report.Contracts.Where(contract => !contract.IsKept))
            await error.WriteLineAsync($"devmap: broken: {broken.Name}: {broken.Detail}").ConfigureAwait(false);
        if (settings.Report is not null)
        {
            DevmapDiagnostics.WriteHtml(settings.Report, job.Recorded);
            console.WriteLine($"The report is in '{Path.GetFullPath(settings.Report)}'.");
        }

        return report.IsSuccess ? ExitStatus.Success : ExitStatus.Broken;
    }
}
