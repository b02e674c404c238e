// SPDX-License-Identifier: MIT
namespace Devmap.Benchmarks.Suite;

/// <summary>The native programs and libraries, found in the folder that CMake built them in.</summary>
internal sealed class NativePrograms
{
    private readonly string _folder;

    public NativePrograms(string folder)
    {
        _folder = folder;
        if (!Directory.Exists(folder))
            throw new SuiteException($"There is no folder {folder} with the native programs; ./build.sh bench builds them.");
        Library = Find("libdevmap.so");
        Loops = Find("libdevmap_loops.so");
    }

    public string Library { get; }

    /// <summary>The measured loops, which managed benchmarks call too.</summary>
    public string Loops { get; }

    public string Benchmarks => Find("native_benchmarks");

    /// <summary>Against the library, and against one that was built without idle callbacks.</summary>
    public IReadOnlyList<string> InstructionLoops => [Find("instruction_loops"), Find("instruction_loops_ops_off")];

    public string MemoryUse => Find("memory_use");

    private string Find(string name) =>
        Directory.EnumerateFiles(_folder, name, SearchOption.AllDirectories).Order(StringComparer.Ordinal).FirstOrDefault() is { } path
            ? Path.GetFullPath(path)
            : throw new SuiteException($"{_folder} has no {name}; ./build.sh bench builds it.");
}
