// SPDX-License-Identifier: MIT
using System.Diagnostics;
using System.Globalization;

namespace Devmap.Tests.Interop;

/// <summary>What the C compiler makes of the headers, as tests/managed/native/layout.c prints it.</summary>
internal sealed class CompilerLayout
{
    private static readonly Lazy<CompilerLayout> s_instance = new(() => new CompilerLayout(Run()));

    private CompilerLayout(IEnumerable<string[]> lines)
    {
        foreach (string[] words in lines)
        {
            switch (words)
            {
                case ["struct", string name, string size]:
                    Structs.Add(name, Number(size));
                    break;
                case ["field", string type, string name, string offset, string size]:
                    Fields.Add((type, name), (Number(offset), Number(size)));
                    break;
                case ["enum", string name, string size]:
                    Enums.Add(name, Number(size));
                    break;
                case ["member", string type, string name, string value]:
                    Members.Add((type, name), Number(value));
                    break;
                case ["constant", string name, string value]:
                    Constants.Add(name, Number(value));
                    break;
                default:
                    throw new FormatException($"devmap_layout printed '{string.Join(' ', words)}'.");
            }
        }
    }

    public static CompilerLayout Instance => s_instance.Value;

    public Dictionary<string, long> Structs { get; } = [];

    public Dictionary<(string Type, string Name), (long Offset, long Size)> Fields { get; } = [];

    public Dictionary<string, long> Enums { get; } = [];

    public Dictionary<(string Type, string Name), long> Members { get; } = [];

    public Dictionary<string, long> Constants { get; } = [];

    private static IEnumerable<string[]> Run()
    {
        ProcessStartInfo start = new(Path.Combine(AppContext.BaseDirectory, "devmap_layout"))
        {
            RedirectStandardOutput = true,
            UseShellExecute = false,
        };
        using Process process = Process.Start(start)!;
        string output = process.StandardOutput.ReadToEnd();
        process.WaitForExit();
        if (process.ExitCode != 0)
        {
            throw new InvalidOperationException($"devmap_layout ended with {process.ExitCode}.");
        }

        return output.Split('\n', StringSplitOptions.RemoveEmptyEntries).Select(line => line.Split(' '));
    }

    private static long Number(string text) => long.Parse(text, CultureInfo.InvariantCulture);
}
