// SPDX-License-Identifier: MIT
using Devmap.Benchmarks.Suite;

namespace Devmap.Benchmarks;

internal static class Program
{
    public static Task<int> Main(string[] args) => SuiteCommand.InvokeAsync(args, Console.Out, Console.Error);
}
