// SPDX-License-Identifier: MIT
using System.Collections.Concurrent;

namespace Devmap.CommandLine;

/// <summary>What the program would leave behind on the machine if a signal killed it, and clears away before. Any thread.</summary>
internal static class LastSteps
{
    private static readonly ConcurrentDictionary<IDisposable, bool> s_steps = [];

    /// <param name="step">May be disposed from any thread, and more than once.</param>
    public static void Add(IDisposable step) => s_steps[step] = true;

    public static void Remove(IDisposable step) => s_steps.TryRemove(step, out _);

    public static void Take()
    {
        foreach (IDisposable step in s_steps.Keys)
            step.Dispose();
    }
}
