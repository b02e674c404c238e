// SPDX-License-Identifier: MIT
using System.CommandLine;
using System.Runtime.CompilerServices;
using Devmap.CommandLine.Run;
using Spectre.Console;

namespace Devmap.CommandLine.Far;

/// <summary>The verb <c>far</c>.</summary>
internal static class FarCommand
{
    private const int MaxThreads = 256;
    private const int MaxFaultThreads = 16;
    private const double MaxWalks = 1_000_000;

    private const string Details = """
        Threads fill the memory, go through it in order, then at random, writing some pages anew, then in order once more, and
        verify every byte of each page that they come to. What does not fit into --resident lies in the store meanwhile, and
        comes back when a thread leases the page or touches it.

        To show that this takes less memory than there are data, the program puts itself into a memory cgroup whose limit is
        below --size where the store lets it be: --resident, what the store needs (with lz4 0.6 of --size), 192 bytes a page,
        and 256 MiB for the program. The cgroup is gone at the end. Where none can be made it says so, and looks at its own
        peak instead. What takes more than the limit is killed by the system.

        The store's file is gone at the end, a given one too; one that holds data is not touched without --overwrite.

        Ctrl-C or SIGTERM ends it early, with the tables, and with exit status 1 where not every page was verified by then; a
        second one, a second later, kills it.

        Exit status: 0 every byte was right and all contracts held, 1 one was not, 2 it could not run.
        """;

    public static Command Create(IAnsiConsole console, TextWriter error)
    {
        FarSettings defaults = new();
        var size = new Option<ByteSize>("--size") { Description = "Bytes of data, as 64M or 2GiB.", HelpName = "BYTES", CustomParser = OptionParsers.Size("--size"), DefaultValueFactory = _ => new ByteSize(defaults.Size) };
        var resident = new Option<ByteSize>("--resident") { Description = "Bytes of them that may be in memory at once.", HelpName = "BYTES", CustomParser = OptionParsers.Size("--resident"), DefaultValueFactory = _ => new ByteSize(defaults.Resident) };
        var store = new Option<FarStoreKind>("--store") { Description = "Where the others lie: in a file, in memory compressed by LZ4, or in plain memory, which saves nothing.", HelpName = "file|lz4|plain", CustomParser = OptionParsers.Word<FarStoreKind>("--store"), DefaultValueFactory = _ => defaults.Store };
        var path = new Option<string?>("--path") { Description = "The file of --store file. Without it, one in the directory for temporary files.", HelpName = "FILE", CustomParser = OptionParsers.Path("--path") };
        var overwrite = new Option<bool>("--overwrite") { Description = "Take the file of --path though it holds data, which are lost." };
        var pageSize = new Option<ByteSize>("--page-size") { Description = "Bytes a page, the unit of migration: a power of two from 4K to 1G.", HelpName = "BYTES", CustomParser = OptionParsers.PageSize("--page-size"), DefaultValueFactory = _ => new ByteSize(defaults.PageSize) };
        var threads = new Option<int>("--threads") { Description = $"Threads that go through the memory, 1 to {MaxThreads}.", HelpName = "N", CustomParser = OptionParsers.Number("--threads", 1, MaxThreads), DefaultValueFactory = _ => defaults.Threads };
        var faultThreads = new Option<int>("--fault-threads") { Description = $"Native threads that serve page faults, 1 to {MaxFaultThreads}.", HelpName = "N", CustomParser = OptionParsers.Number("--fault-threads", 1, MaxFaultThreads), DefaultValueFactory = _ => defaults.FaultThreads };
        var access = new Option<FarAccess>("--access") { Description = "How threads get at a page: by a lease, by a plain pointer, or every second thread by a pointer.", HelpName = "lease|pointer|mixed", CustomParser = OptionParsers.Word<FarAccess>("--access"), DefaultValueFactory = _ => defaults.Access };
        var walks = new Option<double?>("--walks") { Description = "Visits of the random walk, in as many as there are pages: 1 unless told; fractions are fine.", HelpName = "N", CustomParser = result => OptionParsers.Positive("--walks", MaxWalks)(result) };
        var seconds = new Option<double?>("--seconds") { Description = "How long the random walk takes, in place of --walks.", HelpName = "S", CustomParser = result => OptionParsers.Seconds("--seconds")(result) };
        var writes = new Option<int>("--writes") { Description = "Of a hundred random visits, those that write the page anew.", HelpName = "PERCENT", CustomParser = OptionParsers.Number("--writes", 0, 100), DefaultValueFactory = _ => defaults.Writes };
        var faults = new Option<HmmFaultService>("--faults") { Description = "Which page faults to serve: none, the program's own, those of system calls too, or as far as the system permits.", HelpName = "none|user|all|auto", CustomParser = OptionParsers.Word<HmmFaultService>("--faults"), DefaultValueFactory = _ => defaults.Faults };
        var memoryLimit = new Option<ByteSize?>("--memory-limit") { Description = "The memory cgroup's limit, in place of what is worked out.", HelpName = "BYTES", CustomParser = result => OptionParsers.Size("--memory-limit")(result) };
        var noLimit = new Option<bool>("--no-limit") { Description = "Run without a memory cgroup." };
        var seed = new Option<int?>("--seed") { Description = "What contents and random choices start from: repeats those of the job whose table has it, as far as timing lets it.", HelpName = "N", CustomParser = OptionParsers.Seed("--seed") };
        var command = new DetailedCommand("far", "Fills memory with more data than may be resident, and verifies every byte of it.", Details)
        {
            size, resident, store, path, overwrite, pageSize, threads, faultThreads, access, walks, seconds, writes, faults, memoryLimit, noLimit, seed,
        };
        command.SetAction((parsed, interrupt) =>
        {
            var settings = new FarSettings
            {
                Size = parsed.GetValue(size).Bytes,
                Resident = parsed.GetValue(resident).Bytes,
                Store = parsed.GetValue(store),
                Path = parsed.GetValue(path),
                Overwrites = parsed.GetValue(overwrite),
                PageSize = (int)parsed.GetValue(pageSize).Bytes,
                Threads = parsed.GetValue(threads),
                FaultThreads = parsed.GetValue(faultThreads),
                Access = parsed.GetValue(access),
                Walks = parsed.GetValue(walks),
                Duration = parsed.GetValue(seconds) is { } duration ? TimeSpan.FromSeconds(duration) : null,
                Writes = parsed.GetValue(writes),
                Faults = parsed.GetValue(faults),
                MemoryLimit = parsed.GetValue(memoryLimit)?.Bytes,
                IsLimited = !parsed.GetValue(noLimit),
            };
            return RunAsync(parsed.GetValue(seed) is { } given ? settings with { Seed = given } : settings, console, error, interrupt);
        });
        return command;
    }

    internal static async Task<int> RunAsync(FarSettings settings, IAnsiConsole console, TextWriter error, CancellationToken interrupt)
    {
        if (settings.Error is { } reason)
        {
            await error.WriteLineAsync($"devmap: {reason}").ConfigureAwait(false);
            await error.WriteLineAsync("Try 'devmap far --help'.").ConfigureAwait(false);
            return ExitStatus.CannotRun;
        }

        FarJob job = FarJob.Open(settings);
        int status = await RunAsync(job, console, error, interrupt).ConfigureAwait(false);
        if (job.Warning is { } warning)
            await error.WriteLineAsync($"devmap: warning: {warning}").ConfigureAwait(false);
        return status;
    }

    private static async Task<int> RunAsync(FarJob job, IAnsiConsole console, TextWriter error, CancellationToken interrupt)
    {
        await using ConfiguredAsyncDisposable disposing = job.ConfigureAwait(false);
        console.WriteLine($"Far memory: {job.Description}.");
        console.WriteLine($"Threads: {job.Access}.");
        console.WriteLine(job.LimitDescription);
        FarReport report = await FarProgress.RunAsync(console, job, interrupt).ConfigureAwait(false);
        FarTable.Write(console, report);
        foreach (RunContract broken in report.Contracts.Where(contract => !contract.IsKept))
            await error.WriteLineAsync($"devmap: broken: {broken.Name}: {broken.Detail}").ConfigureAwait(false);
        return report.IsSuccess ? ExitStatus.Success : ExitStatus.Broken;
    }
}
