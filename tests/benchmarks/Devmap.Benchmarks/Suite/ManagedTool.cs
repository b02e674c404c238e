// SPDX-License-Identifier: MIT
using System.Globalization;
using System.Text.Json;

namespace Devmap.Benchmarks.Suite;

/// <summary>Runs the managed benchmarks in a process of their own.</summary>
internal sealed class ManagedTool(NativePrograms programs, ResultFiles files, bool quick)
{
    /// <summary>One round of every class, in an order drawn anew.</summary>
    public async Task<IReadOnlyList<Sample>> BenchmarksAsync(int round, CancellationToken interrupt)
    {
        string results = files.Raw(string.Create(CultureInfo.InvariantCulture, $"managed-{round}.json"));
        string[] classes = [.. ManagedBenchmarks.Classes.Select(type => type.Name)];
        new Random(round).Shuffle(classes);
        string[] arguments =
        [
            ManagedCommand.Name,
            .. classes.SelectMany(name => (string[])["--class", name]),
            "--results", results,
            "--seed", round.ToString(CultureInfo.InvariantCulture),
            .. quick ? ["--quick"] : Array.Empty<string>(),
        ];
        Dictionary<string, string> environment = new(StringComparer.Ordinal)
        {
            ["DEVMAP_LIBRARY"] = programs.Library,
            ["DEVMAP_BENCHMARK_LOOPS"] = programs.Loops,
            // Calls are counted from the first one on, so that warming up takes the code to its last tier.
            ["DOTNET_TC_CallCountingDelayMs"] = "0",
        };
        string program = Path.Combine(AppContext.BaseDirectory, typeof(ManagedTool).Assembly.GetName().Name!);
        await ChildProgram.RunAsync(program, arguments, environment, directory: null, interrupt).ConfigureAwait(false);
        return Read(await File.ReadAllTextAsync(results, interrupt).ConfigureAwait(false));
    }

    private static IReadOnlyList<Sample> Read(string json) =>
        [.. JsonSerializer.Deserialize(json, ResultsJson.Default.IReadOnlyListManagedFigure)!.Select(figure => figure.ToSample())];
}
