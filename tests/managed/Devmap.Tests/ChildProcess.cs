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
        Assert.Empty(body.Target!.GetType().GetFields(BindingFlags.Instance | BindingFlags.Public | BindingFlags.NonPublic));
        string assembly = Path.Combine(directory ?? HomeDirectory, Path.GetFileName(typeof(ChildProcess).Assembly.Location));
        var start = new ProcessStartInfo(Path.GetFullPath(Path.Combine(RuntimeEnvironment.GetRuntimeDirectory(), "../../../dotnet")))
        {
            ArgumentList = { assembly, body.Method.MetadataToken.ToString(CultureInfo.InvariantCulture), argument },
            RedirectStandardError = true,
            RedirectStandardOutput = true,
            UseShellExecute = false,
        };
        if (environment is { } variable)
            start.Environment[variable.Name] = variable.Value;

        using Process process = Process.Start(start)!;
        process.OutputDataReceived += static (_, _) => { };
        process.BeginOutputReadLine();
        string errors = process.StandardError.ReadToEnd();
        process.WaitForExit();
        Assert.True(process.ExitCode == 0, $"The process ended with {process.ExitCode}:\n{errors}");
        return errors;
    }

    private static int Main(string[] args)
    {
        var body = (MethodInfo)typeof(ChildProcess).Module.ResolveMethod(int.Parse(args[0], CultureInfo.InvariantCulture))!;
        object closure = RuntimeHelpers.GetUninitializedObject(body.DeclaringType!);
        body.CreateDelegate<Action<string>>(closure)(args[1]);
        return 0;
    }
}
