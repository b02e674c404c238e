// SPDX-License-Identifier: MIT
using Devmap.CommandLine;
using Devmap.CommandLine.Far;
using Xunit;

namespace Devmap.Tests.Command;

/// <summary>What becomes of the file that a store is in.</summary>
public sealed class FarFileTests : IDisposable
{
    private readonly TemporaryDirectory _directory = new();

    public void Dispose() => _directory.Dispose();

    [Theory]
    [InlineData(true)]
    [InlineData(false)]
    public async Task An_empty_or_missing_file_is_taken_and_gone_at_the_end(bool isThere)
    {
        string path = _directory["store"];
        if (isThere)
            await File.WriteAllBytesAsync(path, []);
        CommandRun run = await RunAsync(path);

        Assert.Equal(ExitStatus.Success, run.Status);
        Assert.Contains($"'{path}' (gone at the end", run.Output, StringComparison.Ordinal);
        Assert.Empty(Directory.GetFileSystemEntries(_directory.Root));
    }

    [Theory]
    [InlineData(1)]
    [InlineData(300001)]
    public async Task A_file_that_holds_data_stays_as_it_is(int length)
    {
        string path = _directory.KnownFile(length);
        DateTime written = File.GetLastWriteTimeUtc(path);

        (await RunAsync(path)).AssertCannotRun("holds data, which would be lost with the file (see --overwrite)");
        Assert.Equal(TemporaryDirectory.KnownBytes(0, length), await File.ReadAllBytesAsync(path));
        Assert.Equal(written, File.GetLastWriteTimeUtc(path));
    }

    [Fact]
    public async Task A_link_to_a_file_that_holds_data_is_such_a_file()
    {
        string path = _directory.KnownFile(5000);
        File.CreateSymbolicLink(_directory["link"], path);

        (await RunAsync(_directory["link"])).AssertCannotRun("holds data");
        Assert.Equal(TemporaryDirectory.KnownBytes(0, 5000), await File.ReadAllBytesAsync(path));
    }

    [Fact]
    public async Task A_file_that_may_be_overwritten_is_taken()
    {
        string path = _directory.KnownFile(300001);
        CommandRun run = await RunAsync(path, "--overwrite");

        Assert.Equal(ExitStatus.Success, run.Status);
        Assert.Empty(Directory.GetFileSystemEntries(_directory.Root));
    }

    [Fact]
    public async Task A_file_without_a_path_has_no_name()
    {
        FarStoreFile file = FarStoreFile.Find(new FarSettings { Store = FarStoreKind.File, Size = 1 << 20 });
        await using FarJob job = FarJob.Open(new FarSettings { Store = FarStoreKind.File, Size = 1 << 20, Resident = 1 << 19, IsLimited = false });

        Assert.False(File.Exists(file.Path));
        Assert.Empty(Directory.GetFiles(Path.GetDirectoryName(file.Path)!, ".devmap-far-*"));
        Assert.Contains("a new file in ", job.Description, StringComparison.Ordinal);
    }

    [Fact]
    public async Task A_directory_is_refused()
    {
        (await RunAsync(_directory.Root)).AssertCannotRun("is a directory");
        Assert.True(Directory.Exists(_directory.Root));
    }

    [Fact]
    public async Task A_missing_directory_is_told() => (await RunAsync(_directory["no/file"])).AssertCannotRun("There is no directory");

    [Fact]
    public async Task A_device_is_refused()
    {
        (await RunAsync("/dev/null")).AssertCannotRun("not a regular file");
        Assert.True(File.Exists("/dev/null"));
    }

    [Fact]
    public async Task A_file_that_somebody_claims_is_refused()
    {
        string path = _directory["claimed"];
        await using DaxFile claimed = DaxFile.Open(path, new DaxFileOptions { Access = FileAccess.ReadWrite, Mode = FileMode.OpenOrCreate });

        (await RunAsync(path)).AssertCannotRun("claimed by an open");
        Assert.True(File.Exists(path));
    }

    [Fact]
    public async Task A_disk_without_the_space_is_left_alone()
    {
        (await SizedAsync(_directory["large"], "1000T")).AssertCannotRun("free; the store needs 1000 TiB");
        Assert.Empty(Directory.GetFileSystemEntries(_directory.Root));
    }

    [Fact]
    public void A_file_in_memory_is_counted_as_memory()
    {
        const string Memory = "/dev/shm";
        if (!Directory.Exists(Memory) || new DriveInfo(Memory).DriveFormat != "tmpfs")
            return;
        FarStoreFile file = FarStoreFile.Find(new FarSettings { Store = FarStoreKind.File, Size = 4096, Path = Path.Combine(Memory, "devmap-far-none") });

        Assert.True(file.IsInMemory);
        Assert.Contains("its file system is memory", file.Description, StringComparison.Ordinal);
    }

    private static Task<CommandRun> RunAsync(string path, params string[] args) => SizedAsync(path, "1M", args);

    private static Task<CommandRun> SizedAsync(string path, string size, params string[] args) =>
        CommandRun.InvokeAsync(["far", "--store", "file", "--no-limit", "--path", path, "--size", size, "--resident", "256K", .. args]);
}
