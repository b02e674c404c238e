// SPDX-License-Identifier: MIT
using System.Reflection;

namespace Devmap.Tests;

/// <summary>The repository that the tests were built from, for tests that hold sources against each other.</summary>
internal static class RepositoryFiles
{
    public static string Root { get; } = typeof(RepositoryFiles).Assembly
        .GetCustomAttributes<AssemblyMetadataAttribute>()
        .Single(attribute => attribute.Key == "RepositoryRoot").Value!;

    /// <summary>Paths below <paramref name="directory"/>, relative to the root, with forward slashes.</summary>
    public static IEnumerable<string> In(string directory) => Directory
        .EnumerateFiles(Path.Combine(Root, directory))
        .Select(path => Path.GetRelativePath(Root, path));

    public static string Read(string path) => File.ReadAllText(Path.Combine(Root, path));

    public static byte[] ReadBytes(string path) => File.ReadAllBytes(Path.Combine(Root, path));
}
