// SPDX-License-Identifier: MIT
using System.Security.Cryptography;
using Xunit;

namespace Devmap.Tests.Interop;

/// <summary>
/// The bindings were generated from the sources that stand beside them, and nobody edited them since:
/// bindings/generated.sha256 notes, as sha256sum writes them, the digests of what the generator read and wrote.
/// </summary>
public sealed class BindingDigestTests
{
    [Fact]
    public void The_bindings_are_what_the_generator_makes_of_the_headers()
    {
        Dictionary<string, string> noted = RepositoryFiles.Read("bindings/generated.sha256")
            .Split('\n', StringSplitOptions.RemoveEmptyEntries)
            .Where(line => !line.StartsWith('#'))
            .Select(line => line.Split("  ", 2))
            .ToDictionary(words => words[1], words => words[0]);

        IEnumerable<string> files =
        [
            "bindings/devmap.rsp",
            "bindings/header.txt",
            .. RepositoryFiles.In("bindings/Devmap.Interop/Generated"),
            .. RepositoryFiles.In("native/include/devmap"),
        ];
        Dictionary<string, string> found = files.ToDictionary(
            path => path,
            path => Convert.ToHexStringLower(SHA256.HashData(RepositoryFiles.ReadBytes(path))));

        string stale = string.Join(", ", noted.Except(found).Union(found.Except(noted)).Select(entry => entry.Key).Distinct());
        Assert.True(stale.Length == 0, $"Changed since the bindings were generated: {stale}. Run ./build.sh generate.");
    }
}
