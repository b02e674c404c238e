// SPDX-License-Identifier: MIT
using Devmap.CommandLine;
using Devmap.CommandLine.Run;
using Xunit;

namespace Devmap.Tests.Command;

/// <summary>What becomes of the file that the job is given.</summary>
public sealed class GivenFileTests : IDisposable
{
    private readonly TemporaryDirectory _directory = new();

    public void Dispose() => _directory.Dispose();

    [Theory]
    [InlineData(1)]
    [InlineData(4096)]
    [InlineData(300001)]
    public async Task A_file_that_holds_data_stays_as_it_is(int length)
    {
        string path = _directory.KnownFile(length);
        DateTime written = File.GetLastWriteTimeUtc(path);
        CommandRun run = await RunAsync(path);

        Assert.Equal(ExitStatus.Success, run.Status);
        Assert.Equal(TemporaryDirectory.KnownBytes(0, length), await File.ReadAllBytesAsync(path));
        Assert.Equal(written, File.GetLastWriteTimeUtc(path));
        Assert.Equal([path], Directory.GetFileSystemEntries(_directory.Root));
        Assert.Contains("a copy of '", run.Output, StringComparison.Ordinal);
    }

    [Fact]
    public async Task The_readers_of_a_copy_read_the_files_own_bytes()
    {
        string path = _directory.KnownFile(10000);
        await using WorkFile work = WorkFile.Open(new RunSettings { File = path }, new IdleCounter());
        byte[] bytes = new byte[work.Size];
        work.Content.Fill(bytes, 0, 4096);

        Assert.Equal(12288, work.Size);
        Assert.Equal(TemporaryDirectory.KnownBytes(0, 10000), bytes[..10000]);
        Assert.All(bytes[10000..], value => Assert.Equal(0, value));
    }

    [Fact]
    public async Task A_copy_is_of_no_more_than_the_size_asked_for()
    {
        string path = _directory.SparseFile(1L << 40);
        CommandRun run = await RunAsync(path, "--size", "1M");

        Assert.Equal(ExitStatus.Success, run.Status);
        Assert.Contains("the first 1 MiB of", run.Output, StringComparison.Ordinal);
        Assert.Equal(1L << 40, new FileInfo(path).Length);
    }

    [Fact]
    public async Task A_copy_has_no_name_by_which_it_could_stay()
    {
        string path = _directory.KnownFile(10000);
        await using WorkFile work = WorkFile.Open(new RunSettings { File = path }, new IdleCounter());

        Assert.Equal([path], Directory.GetFileSystemEntries(_directory.Root));
    }

    [Fact]
    public async Task A_link_is_followed_to_the_data_behind_it()
    {
        string path = _directory.KnownFile(10000);
        File.CreateSymbolicLink(_directory["link"], path);
        CommandRun run = await RunAsync(_directory["link"]);

        Assert.Equal(ExitStatus.Success, run.Status);
        Assert.Contains("12 KiB in pages", run.Output, StringComparison.Ordinal);
        Assert.Equal(TemporaryDirectory.KnownBytes(0, 10000), await File.ReadAllBytesAsync(path));
    }

    [Theory]
    [InlineData(true)]
    [InlineData(false)]
    public async Task An_empty_or_missing_file_is_filled_and_stays(bool isThere)
    {
        string path = _directory["new"];
        if (isThere)
            await File.WriteAllBytesAsync(path, []);
        CommandRun run = await RunAsync(path, "--size", "1M");

        Assert.Equal(ExitStatus.Success, run.Status);
        Assert.Equal(1 << 20, new FileInfo(path).Length);
        Assert.Contains("which is filled and stays", run.Output, StringComparison.Ordinal);
        byte[] bytes = await File.ReadAllBytesAsync(path);
        Assert.All(Enumerable.Range(0, 256), page => Assert.Equal(page, BitConverter.ToInt64(bytes, page * 4096)));
    }

    [Theory]
    [InlineData(true)]
    [InlineData(false)]
    public async Task A_run_that_fails_leaves_an_empty_or_missing_file_so(bool isThere)
    {
        string path = _directory["new"];
        if (isThere)
            await File.WriteAllBytesAsync(path, []);
        WorkFile work = WorkFile.Open(new RunSettings { File = path }, new IdleCounter());
        await work.File.SetLengthAsync(4096, TimeSpan.Zero);
        await work.DisposeAsync();

        Assert.Equal(isThere, File.Exists(path));
        Assert.All(Directory.GetFiles(_directory.Root), file => Assert.Equal(0, new FileInfo(file).Length));
    }

    [Fact]
    public async Task A_directory_is_refused() => (await RunAsync(_directory.Root)).AssertCannotRun("is a directory");

    [Fact]
    public async Task A_missing_directory_is_told() => (await RunAsync(_directory["no/file"])).AssertCannotRun("There is no directory");

    [Fact]
    public async Task A_device_is_refused() => (await RunAsync("/dev/null")).AssertCannotRun("not a regular file");

    [Fact]
    public async Task A_file_that_somebody_claims_is_refused()
    {
        string path = _directory["claimed"];
        await using DaxFile claimed = DaxFile.Open(path, new DaxFileOptions { Access = FileAccess.ReadWrite, Mode = FileMode.OpenOrCreate });

        (await RunAsync(path)).AssertCannotRun("claimed by another open");
        Assert.True(File.Exists(path));
    }

    [Fact]
    public async Task A_disk_without_the_space_is_left_alone()
    {
        (await RunAsync(_directory["large"], "--size", "1000T")).AssertCannotRun("free; the run needs 1000 TiB");
        Assert.Empty(Directory.GetFileSystemEntries(_directory.Root));
    }

    private static Task<CommandRun> RunAsync(string path, params string[] args) =>
        CommandRun.InvokeAsync(["run", "--seconds", "0.3", "--file", path, .. args]);
}
