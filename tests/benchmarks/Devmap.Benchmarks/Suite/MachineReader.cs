// SPDX-License-Identifier: MIT
using System.Globalization;
using System.Runtime.InteropServices;

namespace Devmap.Benchmarks.Suite;

/// <summary>Asks the system what it is.</summary>
internal static class MachineReader
{
    private const string Unknown = "unknown";
    private const string CpuFolder = "/sys/devices/system/cpu/cpu0";

    /// <param name="native">The folder of the native build.</param>
    /// <param name="interrupt">Ends the programs that it asks.</param>
    public static async Task<MachineInfo> ReadAsync(string native, CancellationToken interrupt)
    {
        string cpus = Text("/proc/cpuinfo");
        string cache = Text(Path.Combine(native, "CMakeCache.txt"));
        string? compiler = Field(cache, "CMAKE_C_COMPILER:FILEPATH", '=') ?? Field(cache, "CMAKE_C_COMPILER:STRING", '=');
        return new()
        {
            Cpu = Field(cpus, "model name", ':') ?? RuntimeInformation.ProcessArchitecture.ToString(),
            Cores = Environment.ProcessorCount,
            Caches = [.. Caches()],
            MemoryBytes = Kibibytes(Field(Text("/proc/meminfo"), "MemTotal", ':')) * 1024,
            Kernel = Text("/proc/sys/kernel/osrelease").Trim() is { Length: > 0 } kernel ? kernel : Unknown,
            Distribution = Field(Text("/etc/os-release"), "PRETTY_NAME", '=')?.Trim('"') ?? Unknown,
            Compiler = compiler is null ? Unknown : await FirstLineAsync(compiler, ["--version"], interrupt).ConfigureAwait(false),
            BuildType = Field(cache, "CMAKE_BUILD_TYPE:STRING", '=') ?? Unknown,
            Dotnet = RuntimeInformation.FrameworkDescription,
            Virtualised = (Field(cpus, "flags", ':') ?? string.Empty).Split(' ').Contains("hypervisor", StringComparer.Ordinal),
            Governor = Text($"{CpuFolder}/cpufreq/scaling_governor").Trim() is { Length: > 0 } governor ? governor : Unknown,
        };
    }

    /// <summary>Which sources these are.</summary>
    public static Task<string> CommitAsync(CancellationToken interrupt) =>
        FirstLineAsync("git", ["describe", "--always", "--dirty", "--tags"], interrupt);

    /// <summary>The value after a name, where a file has one such line each.</summary>
    internal static string? Field(string text, string name, char separator)
    {
        foreach (string line in text.Split('\n'))
        {
            int end = line.IndexOf(separator, StringComparison.Ordinal);
            if (end > 0 && line.AsSpan(0, end).Trim().SequenceEqual(name))
                return line[(end + 1)..].Trim();
        }

        return null;
    }

    private static long Kibibytes(string? text) =>
        long.TryParse(text?.Split(' ')[0], NumberStyles.None, CultureInfo.InvariantCulture, out long value) ? value : 0;

    private static IEnumerable<string> Caches()
    {
        string folder = $"{CpuFolder}/cache";
        if (!Directory.Exists(folder))
            yield break;
        foreach (string index in Directory.EnumerateDirectories(folder, "index*").Order(StringComparer.Ordinal))
        {
            string kind = Text($"{index}/type").Trim() switch { "Data" => "d", "Instruction" => "i", _ => string.Empty };
            string size = Text($"{index}/size").Trim();
            if (size.Length > 0)
                yield return $"L{Text($"{index}/level").Trim()}{kind} {size.Replace("K", " KiB", StringComparison.Ordinal)}";
        }
    }

    private static async Task<string> FirstLineAsync(string program, string[] arguments, CancellationToken interrupt)
    {
        try
        {
            ChildProgram.Output output = await ChildProgram.RunAsync(program, arguments, environment: null, directory: null, interrupt).ConfigureAwait(false);
            return output.Text.Split('\n')[0].Trim();
        }
        catch (SuiteException)
        {
            return Unknown;
        }
    }

    /// <summary>A file's text, or none where the system does not tell.</summary>
    private static string Text(string path)
    {
        try
        {
            return File.ReadAllText(path);
        }
        catch (Exception exception) when (exception is IOException or UnauthorizedAccessException)
        {
            return string.Empty;
        }
    }
}
