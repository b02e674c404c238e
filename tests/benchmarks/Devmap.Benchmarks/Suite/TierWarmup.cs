// SPDX-License-Identifier: MIT
using System.Diagnostics;
using System.Reflection;
using System.Runtime;
using BenchmarkDotNet.Running;

namespace Devmap.Benchmarks.Suite;

/// <summary>
/// Calls benchmarks until the JIT has nothing left to compile, so that what is measured is the last tier's code. A fixed
/// number of warm-up iterations does not see to that: in a young process the JIT is behind, with all that starting up left.
/// </summary>
internal static class TierWarmup
{
    /// <summary>More calls than a method needs to be compiled anew.</summary>
    private const int Calls = 40;

    /// <summary>So many windows without the JIT at work: a method goes through two tiers, each of which it must be called for.</summary>
    private const int QuietWindows = 3;

    private static readonly TimeSpan Window = TimeSpan.FromMilliseconds(10);
    private static readonly TimeSpan Limit = TimeSpan.FromSeconds(3);

    /// <summary>
    /// In the given order, which is always the same within a class: what the JIT learns from one benchmark it uses in
    /// others. The classes' order is another in every round, and what it changes is part of the spread.
    /// </summary>
    /// <returns>Those with which the JIT was not done in time.</returns>
    public static IReadOnlyList<BenchmarkCase> Run(IEnumerable<BenchmarkCase> benchmarks)
    {
        List<BenchmarkCase> unfinished = [];
        foreach (BenchmarkCase benchmark in benchmarks)
        {
            try
            {
                if (!Run(benchmark))
                    unfinished.Add(benchmark);
            }
            catch (Exception exception)
            {
                throw new SuiteException($"The benchmark '{benchmark.Descriptor.Type.Name}/{benchmark.Descriptor.WorkloadMethod.Name}' failed: {exception.GetBaseException().Message}", exception);
            }
        }

        return unfinished;
    }

    private static bool Run(BenchmarkCase benchmark)
    {
        Descriptor descriptor = benchmark.Descriptor;
        object instance = Activator.CreateInstance(descriptor.Type)!;
        foreach (var parameter in benchmark.Parameters.Items)
            descriptor.Type.GetProperty(parameter.Name)!.SetValue(instance, parameter.Value);
        Call(descriptor.GlobalSetupMethod, instance);
        try
        {
            return UntilQuiet(() => Call(descriptor.WorkloadMethod, instance));
        }
        finally
        {
            Call(descriptor.GlobalCleanupMethod, instance);
        }
    }

    /// <returns>Whether it became quiet.</returns>
    private static bool UntilQuiet(Action call)
    {
        long start = Stopwatch.GetTimestamp();
        int quiet = 0;
        while (quiet < QuietWindows && Stopwatch.GetElapsedTime(start) < Limit)
        {
            long compiled = JitInfo.GetCompiledMethodCount();
            long begin = Stopwatch.GetTimestamp();
            for (int i = 0; i < Calls || Stopwatch.GetElapsedTime(begin) < Window; i++)
                call();
            quiet = JitInfo.GetCompiledMethodCount() == compiled ? quiet + 1 : 0;
        }

        return quiet == QuietWindows;
    }

    private static void Call(MethodInfo? method, object instance) =>
        method?.Invoke(instance, BindingFlags.DoNotWrapExceptions, binder: null, parameters: null, culture: null);
}
