// SPDX-License-Identifier: MIT
using System.Reflection;
using BenchmarkDotNet.Attributes;
using BenchmarkDotNet.Columns;
using BenchmarkDotNet.Configs;
using BenchmarkDotNet.Diagnosers;
using BenchmarkDotNet.Jobs;
using BenchmarkDotNet.Loggers;
using BenchmarkDotNet.Parameters;
using BenchmarkDotNet.Reports;
using BenchmarkDotNet.Running;
using BenchmarkDotNet.Toolchains.InProcess.Emit;
using Perfolizer.Horology;
using BenchmarkSummary = BenchmarkDotNet.Reports.Summary;

namespace Devmap.Benchmarks.Suite;

/// <summary>Runs BenchmarkDotNet's classes in this process, where they all see the same libdevmap and the native loops.</summary>
internal static class ManagedBenchmarks
{
    /// <summary>The classes of this assembly that have benchmarks.</summary>
    public static IReadOnlyList<Type> Classes { get; } =
    [
        .. typeof(ManagedBenchmarks).Assembly.GetTypes()
            .Where(type => type.IsPublic && !type.IsAbstract && type.GetMethods().Any(method => method.GetCustomAttribute<BenchmarkAttribute>() is not null))
            .OrderBy(type => type.Name, StringComparer.Ordinal),
    ];

    /// <summary>The names of all benchmarks.</summary>
    public static IEnumerable<string> Names() =>
        Classes.SelectMany(type => BenchmarkConverter.TypeToBenchmarks(type, ManualConfig.CreateEmpty()).BenchmarksCases).Select(Name);

    /// <param name="classes">What to run, in this order.</param>
    /// <param name="pace">How long to take.</param>
    /// <param name="seed">What the order of a class's benchmarks is drawn from.</param>
    /// <param name="log">What BenchmarkDotNet says goes to this file.</param>
    /// <param name="error">Warnings go here.</param>
    public static IReadOnlyList<ManagedFigure> Run(
        IEnumerable<string> classes, Pace pace, int seed, string log, TextWriter error)
    {
        using var logger = new BenchmarkLog(log);
        IConfig config = Configuration(pace, seed, logger, Path.GetDirectoryName(Path.GetFullPath(log))!);
        ManagedFigure[] figures = [.. classes.SelectMany(name => RunClass(Class(name), config, log, error))];
        return logger.Error is null ? figures : throw new SuiteException($"BenchmarkDotNet says: {logger.Error} ({log})");
    }

    private static ManualConfig Configuration(Pace pace, int seed, ILogger logger, string artifacts)
    {
        // The loops are long, so what calling one costs does not count, and taking it off would only add noise.
        Job job = new Job()
            .WithToolchain(InProcessEmitToolchain.Instance)
            .WithIterationTime(TimeInterval.FromMilliseconds(pace.Iteration.TotalMilliseconds))
            .WithWarmupCount(pace.WarmupIterations)
            .WithIterationCount(pace.Iterations)
            .WithEvaluateOverhead(false);
        return ManualConfig.CreateEmpty()
            .AddJob(job)
            .AddLogger(logger)
            .AddDiagnoser(MemoryDiagnoser.Default)
            .AddColumnProvider(DefaultColumnProviders.Statistics)
            .WithOrderer(new ShuffledOrder(seed))
            .WithArtifactsPath(artifacts)
            .WithOptions(ConfigOptions.DisableLogFile);
    }

    private static Type Class(string name) =>
        Classes.FirstOrDefault(type => type.Name == name) ?? throw new SuiteException($"There is no class '{name}' of benchmarks.");

    private static IEnumerable<ManagedFigure> RunClass(Type type, IConfig config, string log, TextWriter error)
    {
        BenchmarkRunInfo benchmarks = BenchmarkConverter.TypeToBenchmarks(type, config);
        IReadOnlyList<BenchmarkCase> unfinished = TierWarmup.Run(benchmarks.BenchmarksCases.OrderBy(Name, StringComparer.Ordinal));
        foreach (string name in unfinished.Select(Name))
            error.WriteLine($"warning: the JIT was not done when the warm-up of '{name}' ended");
        BenchmarkSummary summary = BenchmarkRunner.Run(benchmarks);
        if (summary.HasCriticalValidationErrors || summary.Reports.Length == 0)
            throw new SuiteException($"{type.Name} cannot run: {string.Join(' ', summary.ValidationErrors.Select(error => error.Message))} ({log})");
        foreach (BenchmarkReport report in summary.Reports)
        {
            BenchmarkCase benchmark = report.BenchmarkCase;
            if (!report.Success || report.ResultStatistics is not { } statistics)
                throw new SuiteException($"The benchmark '{Name(benchmark)}' failed; {log} says why.");
            yield return new(Name(benchmark), statistics.Median, report.GcStats.GetBytesAllocatedPerOperation(benchmark) ?? 0);
        }
    }

    private static string Name(BenchmarkCase benchmark)
    {
        IEnumerable<string> parameters = benchmark.Parameters.Items.Select((ParameterInstance item) => $"{item.Name}:{item.Value}");
        string list = string.Join(',', parameters);
        return $"{benchmark.Descriptor.Type.Name}/{benchmark.Descriptor.WorkloadMethod.Name}{(list.Length > 0 ? $"({list})" : null)}";
    }
}
