// SPDX-License-Identifier: MIT
using System.Diagnostics;
using System.Globalization;
using System.Reflection;
using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;
using Xunit;

namespace Devmap.Tests;

/// <summary>
/// Runs a piece of a test in a process of its own: this assembly again, told which method to call. What is thrown there
/// fails the test here.
/// </summary>
internal static class ChildProcess
{
    // 128 and SIGABRT, as .NET tells it.
    private const int Aborted = 134;

    /// <summary>The directory of the tests' files.</summary>
    public static string HomeDirectory => AppContext.BaseDirectory;

    /// <summary>Runs <paramref name="body"/>, which captures nothing, in a process of its own.</summary>
    /// <param name="body">What to run.</param>
    /// <param name="argument">What it is given.</param>
    /// <param name="environment">Variables that the process has besides this one's.</param>
    /// <param name="directory">The directory with the assembly to run, if it is a copy.</param>
    /// <returns>What it wrote to stderr.</returns>
    public static string Run(
        Action<string> body, string argument = "", (string Name, string Value)? environment = null, string? directory = null)
    {
        (int exitCode, string errors) = RunToEnd(body, argument, environment, directory);
        Assert.True(exitCode == 0, $"The process ended with {exitCode}:\n{errors}");
        return errors;
    }

    /// <summary>As <see cref="Run"/>, of what ends the process by abort(3).</summary>
    /// <param name="body">What to run.</param>
    /// <param name="argument">What it is given.</param>
    /// <returns>What it wrote to stderr.</returns>
    public static string RunToAbort(Action<string> body, string argument = "")
    {
        (int exitCode, string errors) = RunToEnd(body, argument, ("DOTNET_DbgEnableMiniDump", "0"), null);
        Assert.True(exitCode == Aborted, $"The process ended with {exitCode}:\n{errors}");
        return errors;
    }

    private static (int ExitCode, string Errors) RunToEnd(
        Action<string> body, string argument, (string Name, string Value)? environment, string? directory)
    {
        using Process process = Start(body, argument, environment, directory);
        process.StandardInput.Close();
        process.OutputDataReceived += static (_, _) => { };
        process.BeginOutputReadLine();
        string errors = process.StandardError.ReadToEnd();
        process.WaitForExit();
        return (process.ExitCode, errors);
    }

    /// <summary>As <see cref="Run"/>, for a test that talks with the process by its standard streams, and waits for its end.</summary>
    public static Process Start(
        Action<string> body, string argument = "", (string Name, string Value)? environment = null, string? directory = null)
    {
        Assert.Empty(body.Target!.GetType().GetFields(BindingFlags.Instance | BindingFlags.Public | BindingFlags.NonPublic));
        string assembly = Path.Combine(directory ?? HomeDirectory, Path.GetFileName(typeof(ChildProcess).Assembly.Location));
        var start = new ProcessStartInfo(Path.GetFullPath(Path.Combine(RuntimeEnvironment.GetRuntimeDirectory(), "../../../dotnet")))
        {
            ArgumentList = { assembly, body.Method.MetadataToken.ToString(CultureInfo.InvariantCulture), argument },
            RedirectStandardError = true,
            RedirectStandardInput = true,
            RedirectStandardOutput = true,
            UseShellExecute = false,
        };
        if (environment is { } variable)
            start.Environment[variable.Name] = variable.Value;

        return Process.Start(start)!;
    }

    private static int Main(string[] args)
    {
        var body = (MethodInfo)typeof(ChildProcess).Module.ResolveMethod(int.Parse(args[0], CultureInfo.InvariantCulture))!;
        object closure = RuntimeHelpers.GetUninitializedObject(body.DeclaringType!);
        body.CreateDelegate<Action<string>>(closure)(args[1]);
        return 0;
    }
}
