// SPDX-License-Identifier: MIT
using System.Globalization;

namespace Devmap.Benchmarks.Suite;

/// <summary>Runs the native programs.</summary>
internal sealed class NativeTools(NativePrograms programs, ResultFiles files)
{
    /// <summary>The names of all benchmarks.</summary>
    public async Task<IReadOnlyList<string>> NamesAsync(CancellationToken interrupt) =>
        GoogleBenchmarkOutput.ParseList((await RunAsync(programs.Benchmarks, ["--benchmark_list_tests=true"], interrupt).ConfigureAwait(false)).Text);

    /// <summary>One round of Google Benchmark, all repetitions in random order.</summary>
    public async Task<IReadOnlyList<Sample>> BenchmarksAsync(Pace pace, int round, CancellationToken interrupt)
    {
        string output = files.Raw(string.Create(CultureInfo.InvariantCulture, $"native-{round}.json"));
        await RunAsync(
            programs.Benchmarks,
            [
                $"--benchmark_out={output}",
                "--benchmark_out_format=json",
                "--benchmark_enable_random_interleaving=true",
                string.Create(CultureInfo.InvariantCulture, $"--benchmark_repetitions={pace.NativeRepetitions}"),
                string.Create(CultureInfo.InvariantCulture, $"--benchmark_min_time={pace.NativeSeconds}"),
            ],
            interrupt).ConfigureAwait(false);
        return GoogleBenchmarkOutput.Parse(await File.ReadAllTextAsync(output, interrupt).ConfigureAwait(false));
    }

    /// <summary>The instructions of every loop.</summary>
    public async Task<IReadOnlyList<Sample>> InstructionsAsync(CancellationToken interrupt)
    {
        List<Sample> samples = [];
        foreach (string program in programs.InstructionLoops)
        {
            ChildProgram.Output list = await RunAsync(program, ["list"], interrupt).ConfigureAwait(false);
            foreach (InstructionLoop loop in InstructionLoop.ParseList(list.Text))
                samples.Add(await CountAsync(program, loop, interrupt).ConfigureAwait(false));
        }

        return samples;
    }

    private async Task<Sample> CountAsync(string program, InstructionLoop loop, CancellationToken interrupt)
    {
        string[] arguments = ["--tool=callgrind", $"--callgrind-out-file={files.Raw($"{loop.Name}.callgrind")}", $"--toggle-collect={loop.Function}", program, loop.Name];
        ChildProgram.Output output = await RunAsync("valgrind", arguments, interrupt).ConfigureAwait(false);
        return loop.ToSample(InstructionLoop.ParseCount(output.Errors));
    }

    public async Task<IReadOnlyList<Sample>> MemoryAsync(CancellationToken interrupt) =>
        MemoryUse.Parse((await RunAsync(programs.MemoryUse, [], interrupt).ConfigureAwait(false)).Text);

    private static Task<ChildProgram.Output> RunAsync(string program, string[] arguments, CancellationToken interrupt) =>
        ChildProgram.RunAsync(program, arguments, environment: null, directory: null, interrupt);
}
