// SPDX-License-Identifier: MIT
using System.CommandLine;
using System.CommandLine.Parsing;
using System.Globalization;

namespace Devmap.Benchmarks.Suite;

/// <summary>The program: its arguments, and how it ends.</summary>
internal static class SuiteCommand
{
    private const int MaxRounds = 99;

    /// <summary>Time for children to end after Ctrl-C.</summary>
    private static readonly TimeSpan Farewell = TimeSpan.FromSeconds(5);

    /// <returns>An <see cref="ExitStatus"/>.</returns>
    public static async Task<int> InvokeAsync(string[] args, TextWriter output, TextWriter error)
    {
        ParseResult parsed = Create(output, error).Parse(args);
        if (parsed.Errors.Count > 0)
        {
            foreach (string message in parsed.Errors.Select(wrong => wrong.Message).Distinct(StringComparer.Ordinal))
                await error.WriteLineAsync($"bench: {message}").ConfigureAwait(false);
            await error.WriteLineAsync("Try './build.sh bench --help'.").ConfigureAwait(false);
            return ExitStatus.WrongArguments;
        }

        try
        {
            InvocationConfiguration configuration = new() { Output = output, Error = error, EnableDefaultExceptionHandler = false, ProcessTerminationTimeout = Farewell };
            return await parsed.InvokeAsync(configuration, CancellationToken.None).ConfigureAwait(false);
        }
        catch (OperationCanceledException)
        {
            await error.WriteLineAsync("bench: interrupted").ConfigureAwait(false);
            return ExitStatus.Failed;
        }
        catch (Exception exception) when (exception is SuiteException or IOException or UnauthorizedAccessException)
        {
            await error.WriteLineAsync($"bench: {exception.Message}").ConfigureAwait(false);
            return ExitStatus.Failed;
        }
    }

    private static RootCommand Create(TextWriter output, TextWriter error)
    {
        var quick = new Option<bool>("--quick") { Description = "Answer in under three minutes, and less surely." };
        var rounds = new Option<int?>("--rounds") { Description = $"Rounds to measure, {Pace.LeastRounds} to {MaxRounds}, however long they take. Without it, as many as fit.", HelpName = "N", CustomParser = ParseRounds };
        var folder = new Option<string>("--out")
        {
            Description = "The folder of the results. Relative paths are relative to the repository's root (build.sh changes there).",
            HelpName = "DIR",
            DefaultValueFactory = _ => ResultFiles.DefaultFolder,
        };
        var native = new Option<string>("--native") { Description = "The folder of the native build.", HelpName = "DIR", DefaultValueFactory = _ => "artifacts/cmake/bench" };
        var skipNative = new Option<bool>("--skip-native") { Description = "Leave the native benchmarks out." };
        var skipManaged = new Option<bool>("--skip-managed") { Description = "Leave the managed benchmarks out." };
        RootCommand command = new("Measures what Devmap costs, beside what you would use instead, and writes results.json and report.md.")
        {
            quick, rounds, folder, native, skipNative, skipManaged, ManagedCommand.Create(error),
        };
        command.Validators.Add(result =>
        {
            if (result.GetValue(skipNative) && result.GetValue(skipManaged))
                result.AddError("--skip-native and --skip-managed leave nothing to measure.");
        });
        command.SetAction((parsed, interrupt) => RunAsync(
            new()
            {
                Quick = parsed.GetValue(quick),
                Rounds = parsed.GetValue(rounds),
                Output = parsed.GetRequiredValue(folder),
                Native = parsed.GetRequiredValue(native),
                SkipNative = parsed.GetValue(skipNative),
                SkipManaged = parsed.GetValue(skipManaged),
            },
            output,
            error,
            interrupt));
        return command;
    }

    private static async Task<int> RunAsync(
        SuiteOptions options, TextWriter output, TextWriter error, CancellationToken interrupt)
    {
        (RunResults results, string report) =
            await new SuiteRun(options, output, error).RunAsync(interrupt).ConfigureAwait(false);
        TargetTable.Write(output, results.Targets);
        await output.WriteLineAsync($"The report is {report}").ConfigureAwait(false);
        return ExitStatus.Success;
    }

    private static int? ParseRounds(ArgumentResult result)
    {
        string text = result.Tokens[0].Value;
        if (!int.TryParse(text, NumberStyles.None, CultureInfo.InvariantCulture, out int value) || value is < Pace.LeastRounds or > MaxRounds)
            result.AddError($"--rounds is '{text}'; it takes a whole number from {Pace.LeastRounds} to {MaxRounds}.");
        return value;
    }
}
