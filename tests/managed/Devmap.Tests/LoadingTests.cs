// SPDX-License-Identifier: MIT
using Devmap.Interop;
using Xunit;

namespace Devmap.Tests;

/// <summary>
/// A library that is missing, or another one than this assembly was built for: one readable exception. A library that was
/// built without a part says so when that part is asked for. Each in a process of its own, as a library is loaded once.
/// </summary>
public sealed class LoadingTests
{
    private const string PathVariable = "DEVMAP_LIBRARY";

    /// <summary>Calls that load the library, if they are the first.</summary>
    public static TheoryData<string> FirstCalls => ["LoadReport", "IsEnabled", "Hold", "Create a host map", "Create a public map", "Open", "ReadStatistics", "Fault"];

    [Theory]
    [MemberData(nameof(FirstCalls))]
    public void Whatever_is_called_first_loads_the_library(string call) => ChildProcess.Run(
        static call =>
        {
            MakeFirstCall(call);
            Assert.True(DevmapDiagnostics.LoadReport.IsLoaded);
            Assert.False(DevmapGate.IsEnabled);
        },
        call);

    [Fact]
    public void A_library_that_is_not_where_it_was_said_to_be_is_one_readable_exception() => ChildProcess.Run(
        static path => AssertNotLoaded($"{path}: not there", abiVersion: null),
        "/nowhere/libdevmap.so",
        (PathVariable, "/nowhere/libdevmap.so"));

    [Fact]
    public void A_file_that_is_no_library_is_one_readable_exception()
    {
        using var directory = new TemporaryDirectory();
        string path = directory.KnownFile(100, "libdevmap.so");

        ChildProcess.Run(static path => AssertNotLoaded($"{path}: there, but could not be loaded", abiVersion: null), path, (PathVariable, path));
    }

    [Fact]
    public void A_library_with_another_binary_interface_is_one_readable_exception()
    {
        string path = Path.Combine(ChildProcess.HomeDirectory, "libdevmap_mismatch.so");

        ChildProcess.Run(
            static path =>
            {
                AssertNotLoaded($"{path}: loaded", NativeMethods.DEVMAP_ABI_VERSION + 1);
                Assert.Contains(
                    $"has ABI version {NativeMethods.DEVMAP_ABI_VERSION + 1}; this assembly needs {NativeMethods.DEVMAP_ABI_VERSION}.",
                    DevmapDiagnostics.LoadReport.Error,
                    StringComparison.Ordinal);
            },
            path,
            (PathVariable, path));
    }

    [Fact]
    public void A_library_of_somebody_else_is_one_readable_exception()
    {
        string path = Path.Combine(ChildProcess.HomeDirectory, "libdevmap_fulldisk.so");

        ChildProcess.Run(
            static path =>
            {
                AssertNotLoaded($"{path}: loaded", abiVersion: null);
                Assert.Contains("has ABI version none", DevmapDiagnostics.LoadReport.Error, StringComparison.Ordinal);
            },
            path,
            (PathVariable, path));
    }

    [Fact]
    public void Without_a_library_the_exception_names_each_place_that_was_tried()
    {
        using var directory = new TemporaryDirectory();
        foreach (string file in Directory.EnumerateFiles(ChildProcess.HomeDirectory, "*.dll").Concat(Directory.EnumerateFiles(ChildProcess.HomeDirectory, "*.json")))
            File.Copy(file, directory[Path.GetFileName(file)]);

        ChildProcess.Run(
            static directory =>
            {
                string[] attempts =
                [
                    $"{directory}/runtimes/linux-x64/native/libdevmap.so: not there",
                    $"{directory}/libdevmap.so: not there",
                    "'devmap' as the runtime and the system look for it: not found",
                ];
                Assert.Equal(attempts, DevmapDiagnostics.LoadReport.Attempts);
                Assert.All(attempts, attempt => AssertNotLoaded(attempt, abiVersion: null));
            },
            directory.Root,
            directory: directory.Root);
    }

    [Fact]
    public void A_library_without_the_parts_says_so_when_they_are_asked_for() => RunWithoutOps(static path =>
    {
        var driver = new CountingDriver();

        Assert.All(
            [
                () => DevicePageMap.Create(new() { Type = MemoryType.DevicePrivate, PageCount = 1, Driver = driver }),
                () => DevicePageMap.Create(new() { Type = MemoryType.DevicePublic, PageCount = 1, Driver = driver }),
                () => DaxFile.Open(path),
                () => DevmapGate.Hold(),
            ],
            (Action act) => Assert.Contains("which the loaded libdevmap was built without", Assert.Throws<PlatformNotSupportedException>(act).Message, StringComparison.Ordinal));
    });

    [Fact]
    public void A_library_without_the_parts_is_loaded_and_does_everything_else() => RunWithoutOps(static path =>
    {
        DevmapLoadReport report = DevmapDiagnostics.LoadReport;
        Assert.True(report.IsLoaded);
        Assert.Equal("0", report.Features);
        Assert.Equal([$"{path}: loaded"], report.Attempts);
        Assert.False(DevmapGate.IsEnabled);
        Assert.Equal(0, DevmapGate.HolderCount);

        DevicePageMap map = DevicePageMap.Create(new() { PageCount = 16, DisposeTimeout = TimeSpan.Zero });
        using (PageLease lease = map.Lease(0, 16))
        using (PageLease share = lease.Share())
        {
            share.Span.Fill(1);
            Assert.Equal(3, map[7].Count);
            Assert.Throws<PagesBusyException>(map.Dispose);
            map.Resume();
        }

        map.Dispose();
        Assert.Equal(16, DevmapDiagnostics.ReadStatistics().IdleEdges);
        Assert.Equal(0, DevmapDiagnostics.ReadStatistics().IdleEdgesManaged);
    });

    private static void MakeFirstCall(string call)
    {
        switch (call)
        {
            case "LoadReport":
                Assert.Null(DevmapDiagnostics.LoadReport.Error);
                break;
            case "IsEnabled":
                Assert.False(DevmapGate.IsEnabled);
                break;
            case "Hold":
                DevmapGate.Hold().Dispose();
                break;
            case "Create a host map":
                DevicePageMap.Create(new() { PageCount = 1 }).Dispose();
                break;
            case "Create a public map":
                DevicePageMap.Create(new() { Type = MemoryType.DevicePublic, PageCount = 1, Driver = new CountingDriver() }).Dispose();
                break;
            case "Open":
                Assert.Throws<FileNotFoundException>(() => DaxFile.Open("/missing"));
                break;
            case "ReadStatistics":
                Assert.Equal(0, DevmapDiagnostics.ReadStatistics().Activations);
                break;
            default:
                new FaultLog().Dispose();
                break;
        }
    }

    private static void RunWithoutOps(Action<string> body)
    {
        string path = Path.Combine(ChildProcess.HomeDirectory, "libdevmap_opsoff.so");
        ChildProcess.Run(body, path, (PathVariable, path));
    }

    private static void AssertNotLoaded(string attempt, long? abiVersion)
    {
        DevmapLoadReport report = DevmapDiagnostics.LoadReport;
        Assert.False(report.IsLoaded);
        Assert.Contains(attempt, report.Attempts);
        Assert.Equal("linux-x64", report.RuntimeIdentifier);
        Assert.Equal(NativeMethods.DEVMAP_ABI_VERSION, report.ExpectedAbiVersion);
        Assert.Equal(abiVersion, report.AbiVersion);
        Assert.Null(report.Version);
        Assert.Null(report.Features);
        Assert.Contains(attempt, report.Error, StringComparison.Ordinal);
        Assert.Contains("linux-x64", report.Error, StringComparison.Ordinal);
        Assert.Contains($"Devmap {typeof(DevmapGate).Assembly.GetName().Version}", report.Error, StringComparison.Ordinal);

        var driver = new CountingDriver();
        Assert.All(
            [
                () => DevicePageMap.Create(new() { PageCount = 1 }),
                () => DevicePageMap.Create(new() { Type = MemoryType.DevicePublic, PageCount = 1, Driver = driver }),
                () => DaxFile.Open("/etc/hostname"),
                () => DevmapGate.Hold(),
                () => _ = DevmapGate.IsEnabled,
                () => DevmapDiagnostics.ReadStatistics(),
            ],
            (Action act) => Assert.Equal(report.Error, Assert.Throws<DevmapLoadException>(act).Message));
    }
}
