// SPDX-License-Identifier: MIT
using System.Diagnostics;
using System.Globalization;

namespace Devmap.Benchmarks.Suite;

/// <summary>A run from the first look at the machine to the report.</summary>
internal sealed class SuiteRun(SuiteOptions options, TextWriter output, TextWriter error)
{
    private readonly Measurements _measurements = new();
    private readonly Stopwatch _clock = Stopwatch.StartNew();

    /// <returns>What was found, and the report's path.</returns>
    public async Task<(RunResults Results, string Report)> RunAsync(CancellationToken interrupt)
    {
        ResultFiles files = new(options.Output);
        NativePrograms programs = new(options.Native);
        MachineInfo machine = await MachineReader.ReadAsync(options.Native, interrupt).ConfigureAwait(false);
        // Whoever edits or commits meanwhile does not change what was built.
        string commit = await MachineReader.CommitAsync(interrupt).ConfigureAwait(false);
        Say("looking whether the machine is quiet");
        Quietness before = await LookAsync(interrupt).ConfigureAwait(false);
        RunWatch watch = new();

        int rounds = await MeasureAsync(programs, files, interrupt).ConfigureAwait(false);

        Quietness during = watch.And(before);
        Say("looking whether the machine is still quiet");
        Quietness after = await LookAsync(interrupt).ConfigureAwait(false);
        IReadOnlyList<Comparison> comparisons = Evaluation.Comparisons(_measurements, options);
        RunResults results = new()
        {
            SchemaVersion = RunResults.CurrentSchema,
            Date = DateTimeOffset.UtcNow,
            Quick = options.Quick,
            Rounds = rounds,
            Commit = commit,
            Machine = machine,
            Quiet = during.And(after),
            Figures = Evaluation.Figures(_measurements, comparisons),
            Comparisons = comparisons,
            Targets = Evaluation.Targets(_measurements, options),
            Memory = Evaluation.Memory(_measurements, options),
        };
        Say("writing the report");
        return (results, await files.WriteAsync(results, error, interrupt).ConfigureAwait(false));
    }

    private async Task<Quietness> LookAsync(CancellationToken interrupt)
    {
        Quietness look = await QuietCheck.LookAsync(interrupt).ConfigureAwait(false);
        if (!look.Quiet)
            await output.WriteLineAsync($"warning: this machine is not quiet: {look.Complaint()}").ConfigureAwait(false);
        return look;
    }

    private async Task<int> MeasureAsync(NativePrograms programs, ResultFiles files, CancellationToken interrupt)
    {
        NativeTools native = new(programs, files);
        ManagedTool managed = new(programs, files, options.Quick, error);
        await MeasureOnceAsync(native, interrupt).ConfigureAwait(false);

        int rounds = options.Rounds ?? options.Pace.Rounds;
        int done = 0;
        TimeSpan begin = _clock.Elapsed;
        while (done < rounds && HasTime(done, begin))
        {
            done++;
            List<Sample> samples = [];
            if (!options.SkipNative)
            {
                Say(string.Create(CultureInfo.InvariantCulture, $"round {done} of {rounds}: native (Google Benchmark)"));
                samples.AddRange(await native.BenchmarksAsync(options.Pace, done, interrupt).ConfigureAwait(false));
            }

            if (!options.SkipManaged)
            {
                Say(string.Create(CultureInfo.InvariantCulture, $"round {done} of {rounds}: managed (BenchmarkDotNet)"));
                samples.AddRange(await managed.BenchmarksAsync(done, interrupt).ConfigureAwait(false));
            }

            _measurements.AddRound(samples);
        }

        if (done < rounds)
            Say(string.Create(CultureInfo.InvariantCulture, $"no time for more than {done} rounds"));
        return done;
    }

    /// <summary>What no repetition changes; and whether there is a benchmark for all that the report is to show.</summary>
    private async Task MeasureOnceAsync(NativeTools native, CancellationToken interrupt)
    {
        List<string> names = [];
        if (!options.SkipNative)
        {
            Say("counting instructions (callgrind)");
            _measurements.AddRound(await native.InstructionsAsync(interrupt).ConfigureAwait(false));
            Say("measuring memory");
            _measurements.AddRound(await native.MemoryAsync(interrupt).ConfigureAwait(false));
            names.AddRange(_measurements.Figures().Select(figure => figure.Name));
            names.AddRange(await native.NamesAsync(interrupt).ConfigureAwait(false));
        }

        if (!options.SkipManaged)
            names.AddRange(ManagedBenchmarks.Names());
        ExpectedSeries.Require(options, names);
    }

    /// <summary>Whether another round as long as those before fits.</summary>
    private bool HasTime(int done, TimeSpan begin) =>
        options.Rounds is not null
        || done < Pace.LeastRounds
        || _clock.Elapsed + ((_clock.Elapsed - begin) / done) <= options.Pace.Budget;

    private void Say(string what) => output.WriteLine(string.Create(CultureInfo.InvariantCulture, $"[{_clock.Elapsed:mm\\:ss}] {what}"));
}
