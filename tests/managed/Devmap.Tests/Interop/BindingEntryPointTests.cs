// SPDX-License-Identifier: MIT
using System.Reflection;
using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;
using System.Text.RegularExpressions;
using Devmap.Interop;
using Xunit;

namespace Devmap.Tests.Interop;

/// <summary>The generated entry points against the library's exports and its version script.</summary>
public sealed partial class BindingEntryPointTests
{
    /// <summary>What the library exports that is no function.</summary>
    private static readonly string[] s_variables = ["devmap_managed_key", "devmap_track_key"];

    /// <summary>
    /// What may be called without leaving cooperative mode: it calls nothing back, waits for nothing, takes no lock, makes
    /// no system call.
    /// </summary>
    private static readonly string[] s_withoutTransition =
    [
        "devmap_abi_version",
        "devmap_dax_file_capacity",
        "devmap_dax_file_is_dax",
        "devmap_dax_file_length",
        "devmap_dax_file_pagemap",
        "devmap_features",
        "devmap_get_level",
        "devmap_hmm_range_address",
        "devmap_hmm_range_get_page_fast",
        "devmap_hmm_range_pagemap",
        "devmap_page_address",
        "devmap_page_idle_begin",
        "devmap_page_idle_end_fast",
        "devmap_page_in_callback",
        "devmap_page_index",
        "devmap_pagemap_get_level",
        "devmap_pagemap_get_page_fast",
        "devmap_pagemap_in_callback",
        "devmap_pagemap_ops_count",
        "devmap_stack_read",
        "devmap_version",
    ];

    public static TheoryData<string> EntryPoints => [.. Bindings.EntryPoints.Select(method => method.Name)];

    [Theory]
    [MemberData(nameof(EntryPoints))]
    public void The_library_exports(string entryPoint) => Assert.NotEqual(0, NativeLibrary.GetExport(LoadLibrary(), entryPoint));

    [Fact]
    public unsafe void The_library_exports_the_gate_when_it_has_one()
    {
        nint library = LoadLibrary();
        var features = (delegate* unmanaged[Cdecl]<devmap_feature>)NativeLibrary.GetExport(library, "devmap_features");

        Assert.Equal(
            features().HasFlag(devmap_feature.DEVMAP_FEATURE_DEV_PAGEMAP_OPS),
            NativeLibrary.TryGetExport(library, "devmap_managed_key", out _));
    }

    [Fact]
    public void Entry_points_and_variables_are_those_of_the_version_script() => Assert.Equal(
        VersionScriptName().Matches(RepositoryFiles.Read("native/devmap.map")).Select(match => match.Groups["name"].Value)
            .Order(StringComparer.Ordinal),
        Bindings.EntryPoints.Select(method => method.Name).Concat(s_variables)
            .Order(StringComparer.Ordinal));

    [Fact]
    public void Entry_points_are_imported_as_they_are_named() => Assert.All(Bindings.EntryPoints, method =>
    {
        DllImportAttribute import = method.GetCustomAttribute<DllImportAttribute>()!;

        Assert.Equal("devmap", import.Value);
        Assert.Equal(method.Name, import.EntryPoint);
        Assert.True(import.ExactSpelling);
        Assert.False(import.SetLastError);
        Assert.Equal(CallingConvention.Cdecl, import.CallingConvention);
    });

    [Fact]
    public void Only_what_cannot_call_back_or_wait_skips_the_transition() => Assert.Equal(
        s_withoutTransition,
        Bindings.EntryPoints
            .Where(method => method.IsDefined(typeof(SuppressGCTransitionAttribute)))
            .Select(method => method.Name)
            .Order(StringComparer.Ordinal));

    /// <summary>Loads the library as Devmap does, or finds it loaded.</summary>
    private static nint LoadLibrary() =>
        NativeLibrary.Load(Path.Combine(AppContext.BaseDirectory, "runtimes", "linux-x64", "native", "libdevmap.so"));

    /// <summary>A name on a line of its own, in the global part of a node.</summary>
    [GeneratedRegex(@"^\s*(?<name>devmap_\w+);$", RegexOptions.Multiline | RegexOptions.ExplicitCapture, matchTimeoutMilliseconds: 1000)]
    private static partial Regex VersionScriptName();
}
