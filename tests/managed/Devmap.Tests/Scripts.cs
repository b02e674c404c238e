// SPDX-License-Identifier: MIT
using FsCheck;
using FsCheck.Fluent;

namespace Devmap.Tests;

/// <summary>Random sequences of steps, and the shortest one that fails.</summary>
internal static class Scripts
{
    /// <summary>Runs random scripts. A failure is thrown with the shortest script that fails and the seed to replay it.</summary>
    public static void Check<TStep>(Gen<TStep> step, Action<TStep[]> run, int scripts = 100) => FsCheck.Check.One(
        Config.QuickThrowOnFailure.WithMaxTest(scripts),
        Prop.ForAll(Arb.From(step.ArrayOf(), Shorter), run));

    /// <summary>The script without its first half, its second half, each quarter, and so on to each step.</summary>
    private static IEnumerable<TStep[]> Shorter<TStep>(TStep[] script)
    {
        for (int cut = (script.Length + 1) / 2; cut > 0; cut = cut == 1 ? 0 : (cut + 1) / 2)
        {
            for (int start = 0; start < script.Length; start += cut)
                yield return [.. script[..start], .. script[Math.Min(start + cut, script.Length)..]];
        }
    }
}
