// SPDX-License-Identifier: MIT
using System.Diagnostics;

namespace Devmap.Benchmarks.Suite;

/// <summary>Runs other programs. They end when the run is cancelled.</summary>
internal static class ChildProgram
{
    /// <summary>The end of a failed program's words that the error repeats.</summary>
    private const int MaxWords = 2000;

    /// <summary>Runs a program, which must succeed, and returns what it wrote.</summary>
    public static async Task<Output> RunAsync(
        string program, IEnumerable<string> arguments, IReadOnlyDictionary<string, string>? environment, string? directory, CancellationToken interrupt)
    {
        ProcessStartInfo start = new(program, arguments)
        {
            UseShellExecute = false,
            RedirectStandardInput = true,
            RedirectStandardOutput = true,
            RedirectStandardError = true,
        };
        if (directory is not null)
            start.WorkingDirectory = directory;
        foreach ((string name, string value) in environment ?? new Dictionary<string, string>(StringComparer.Ordinal))
            start.Environment[name] = value;
        using Process process = Start(start);
        process.StandardInput.Close();
        Task<string> output = process.StandardOutput.ReadToEndAsync(CancellationToken.None);
        Task<string> errors = process.StandardError.ReadToEndAsync(CancellationToken.None);
        try
        {
            await process.WaitForExitAsync(interrupt).ConfigureAwait(false);
        }
        catch (OperationCanceledException)
        {
            process.Kill(entireProcessTree: true);
            await process.WaitForExitAsync(CancellationToken.None).ConfigureAwait(false);
            throw;
        }

        Output result = new(await output.ConfigureAwait(false), await errors.ConfigureAwait(false));
        // Ctrl-C reaches the whole foreground group, so the child may end first.
        interrupt.ThrowIfCancellationRequested();
        return process.ExitCode == 0
            ? result
            : throw new SuiteException($"{Path.GetFileName(program)} failed with status {process.ExitCode}: {result.Words()}");
    }

    /// <summary>Whether the search path has a program.</summary>
    public static bool Exists(string program) =>
        (Environment.GetEnvironmentVariable("PATH") ?? string.Empty).Split(':').Any(directory => File.Exists(Path.Combine(directory, program)));

    private static Process Start(ProcessStartInfo start)
    {
        try
        {
            return Process.Start(start)!;
        }
        catch (System.ComponentModel.Win32Exception exception)
        {
            throw new SuiteException($"{start.FileName} does not start: {exception.Message}", exception);
        }
    }

    /// <summary>What a program wrote.</summary>
    internal sealed record Output(string Text, string Errors)
    {
        public string Words()
        {
            string words = (Errors.Trim().Length > 0 ? Errors : Text).Trim().ReplaceLineEndings(" | ");
            return words.Length > MaxWords ? words[^MaxWords..] : words;
        }
    }
}
