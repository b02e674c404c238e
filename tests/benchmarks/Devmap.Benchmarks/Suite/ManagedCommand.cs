// SPDX-License-Identifier: MIT
using System.CommandLine;
using System.Text.Json;

namespace Devmap.Benchmarks.Suite;

/// <summary>The hidden verb of the child process that runs managed benchmarks.</summary>
internal static class ManagedCommand
{
    public const string Name = "managed";

    public static Command Create(TextWriter error)
    {
        var classes = new Option<string[]>("--class") { Description = "A class of benchmarks; may be repeated.", HelpName = "NAME", Required = true, AllowMultipleArgumentsPerToken = true };
        var results = new Option<string>("--results") { Description = "Where the figures go; the log goes beside them.", HelpName = "FILE", Required = true };
        var seed = new Option<int>("--seed") { Description = "What the order of the benchmarks is drawn from.", HelpName = "N" };
        var quick = new Option<bool>("--quick") { Description = "Take less time." };
        var command = new Command(Name, "Runs managed benchmarks in this process.") { classes, results, seed, quick };
        command.Hidden = true;
        command.SetAction(parsed =>
        {
            string file = parsed.GetRequiredValue(results);
            Pace pace = parsed.GetValue(quick) ? Pace.Quick : Pace.Full;
            string log = Path.ChangeExtension(file, ".log");
            IReadOnlyList<ManagedFigure> figures =
                ManagedBenchmarks.Run(parsed.GetRequiredValue(classes), pace, parsed.GetValue(seed), log, error);
            File.WriteAllText(file, JsonSerializer.Serialize(figures, ResultsJson.Default.IReadOnlyListManagedFigure));
            return ExitStatus.Success;
        });
        return command;
    }
}
