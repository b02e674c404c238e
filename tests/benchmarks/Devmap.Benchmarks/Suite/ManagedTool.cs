// SPDX-License-Identifier: MIT
using System.Globalization;
using System.Text.Json;

namespace Devmap.Benchmarks.Suite;

/// <summary>Runs the managed benchmarks in a process of their own.</summary>
internal sealed class ManagedTool(NativePrograms programs, ResultFiles files, bool quick, TextWriter error)
{
    /// <summary>One round of every class, in an order drawn anew.</summary>
    public async Task<IReadOnlyList<Sample>> BenchmarksAsync(int round, CancellationToken interrupt)
    {
        int seed = Random.Shared.Next();
        string results = files.Raw(string.Create(CultureInfo.InvariantCulture, $"managed-{round}.json"));
        string[] classes = [.. ManagedBenchmarks.Classes.Select(type => type.Name)];
        new Random(seed).Shuffle(classes);
        string order = Path.ChangeExtension(results, ".order");
        await File.WriteAllLinesAsync(order, [$"seed {Number(seed)}", .. classes], interrupt).ConfigureAwait(false);
        string[] arguments =
        [
            ManagedCommand.Name,
            .. classes.SelectMany(name => (string[])["--class", name]),
            "--results", results,
            "--seed", Number(seed),
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
        ChildProgram.Output output =
            await ChildProgram.RunAsync(program, arguments, environment, directory: null, interrupt).ConfigureAwait(false);
        await error.WriteAsync(output.Errors).ConfigureAwait(false);
        return Read(results, await File.ReadAllTextAsync(results, interrupt).ConfigureAwait(false));
    }

    /// <param name="path">Where it is from, for whoever looks into it.</param>
    /// <param name="json">What the child wrote.</param>
    internal static IReadOnlyList<Sample> Read(string path, string json)
    {
        try
        {
            IReadOnlyList<ManagedFigure> figures =
                JsonSerializer.Deserialize(json, ResultsJson.Default.IReadOnlyListManagedFigure) ?? throw new JsonException("there are no figures.");
            return [.. figures.Select(figure => figure.ToSample())];
        }
        catch (JsonException exception)
        {
            throw new SuiteException($"{path} cannot be read: {exception.Message}", exception);
        }
    }

    private static string Number(int number) => number.ToString(CultureInfo.InvariantCulture);
}
