// SPDX-License-Identifier: MIT
using System.Diagnostics;
using System.Globalization;
using System.Runtime.InteropServices;
using Xunit;

namespace Devmap.Tests;

/// <summary>Opening files, and reading and writing them through leases.</summary>
public sealed partial class DaxFileTests : IDisposable
{
    private readonly TemporaryDirectory _directory = new();

    /// <summary>Options that cannot stand, with the exception and a part of what it says.</summary>
    public static TheoryData<string, Type, string> BadOptions => new()
    {
        { "write-only access", typeof(ArgumentException), "Access is Write" },
        { "unknown access", typeof(ArgumentException), "Access is 42" },
        { "truncation", typeof(ArgumentException), "Mode is Truncate" },
        { "creation for reading", typeof(ArgumentException), "OpenOrCreate needs ReadWrite" },
        { "a negative capacity", typeof(ArgumentOutOfRangeException), "Capacity is negative" },
        { "a page size of 0", typeof(ArgumentOutOfRangeException), "power of two" },
        { "a page size that is no power of two", typeof(ArgumentOutOfRangeException), "power of two" },
        { "a negative timeout", typeof(ArgumentOutOfRangeException), "DisposeTimeout" },
        { "a capacity below the length", typeof(IOException), "Capacity" },
        { "a capacity that no address space has", typeof(InsufficientMemoryException), "address space" },
        { "a capacity beyond all numbers", typeof(InsufficientMemoryException), "address space" },
    };

    public void Dispose() => _directory.Dispose();

    [Fact]
    public void A_file_is_opened_for_reading_unless_told_otherwise()
    {
        string path = _directory.KnownFile(10000);
        using DaxFile file = DaxFile.Open(path);

        Assert.Equal(path, file.Path);
        Assert.Equal(10000, file.Length);
        Assert.Equal(1L << 30, file.Capacity);
        Assert.Equal(4096, file.Map.PageSize);
        Assert.Equal(file.Capacity / 4096, file.Map.PageCount);
        Assert.Equal(MemoryType.FsDax, file.Map.Type);
        Assert.Equal($"'{path}'", file.ToString());
        Assert.NotEqual(0, file.DangerousGetHandle());
        Assert.StartsWith("file map", file.Map.ToString(), StringComparison.Ordinal);
        Assert.Throws<UnauthorizedAccessException>(() => file.LeaseForWriting(0, 1));
        Assert.Throws<UnauthorizedAccessException>(() => file.SetLength(0, TimeSpan.Zero));
        Assert.Throws<UnauthorizedAccessException>(() => file.PunchHole(0, 1, TimeSpan.Zero));
    }

    [Fact]
    public void A_file_is_created_when_asked_for()
    {
        using (DaxFile file = DaxFile.Open(_directory["new"], new() { Access = FileAccess.ReadWrite, Mode = FileMode.OpenOrCreate }))
            Assert.Equal(0, file.Length);

        Assert.Empty(File.ReadAllBytes(_directory["new"]));
        using DaxFile again = DaxFile.Open(_directory["new"], new() { Access = FileAccess.ReadWrite, Mode = FileMode.OpenOrCreate });
        Assert.Equal(0, again.Length);
    }

    [Fact]
    public void A_file_that_is_there_is_opened_and_not_emptied()
    {
        string path = _directory.KnownFile(100);
        using (DaxFile file = DaxFile.Open(path, new() { Access = FileAccess.ReadWrite, Mode = FileMode.OpenOrCreate }))
            Assert.Equal(100, file.Length);

        Assert.Equal(TemporaryDirectory.KnownBytes(0, 100), File.ReadAllBytes(path));
    }

    [Fact]
    public void A_path_may_hold_any_character_but_null()
    {
        string path = _directory.KnownFile(100, "übung 試験 \U0001F9EA\n");
        using DaxFile file = DaxFile.Open(path);

        Assert.Equal(100, file.Length);
    }

    [Fact]
    public void A_file_that_is_not_there_is_not_found()
    {
        var thrown = Assert.Throws<FileNotFoundException>(() => DaxFile.Open(_directory["missing"]));

        Assert.Equal(_directory["missing"], thrown.FileName);
    }

    [Fact]
    public void A_directory_that_is_not_there_is_not_found()
    {
        _directory.KnownFile(1);

        Assert.Throws<DirectoryNotFoundException>(() => DaxFile.Open(_directory["missing/file"]));
        Assert.Throws<DirectoryNotFoundException>(() => DaxFile.Open(_directory["known/file"]));
    }

    [Theory]
    [InlineData(FileAccess.Read)]
    [InlineData(FileAccess.ReadWrite)]
    public void A_directory_is_no_file(FileAccess access)
    {
        var thrown = Assert.Throws<UnauthorizedAccessException>(() => DaxFile.Open(_directory.Root, new() { Access = access }));

        Assert.Equal($"'{_directory.Root}' is a directory.", thrown.Message);
    }

    [Fact]
    public void A_device_is_no_regular_file()
    {
        var thrown = Assert.Throws<IOException>(() => DaxFile.Open("/dev/null"));

        Assert.Equal("'/dev/null' is not a regular file.", thrown.Message);
    }

    [Fact]
    public void A_path_is_no_longer_than_the_system_takes()
    {
        Assert.Throws<PathTooLongException>(() => DaxFile.Open(_directory[new string('a', 300)]));
        Assert.Throws<PathTooLongException>(() => DaxFile.Open(_directory.Root + new string('/', 5000) + "a"));
    }

    [Fact]
    public void A_path_is_neither_null_nor_empty_nor_broken()
    {
        Assert.Throws<ArgumentNullException>(() => DaxFile.Open(null!));
        Assert.Throws<ArgumentException>(() => DaxFile.Open(string.Empty));
        Assert.Throws<ArgumentException>(() => DaxFile.Open("a\0b"));
    }

    [Theory]
    [MemberData(nameof(BadOptions))]
    public void Options_that_cannot_stand_are_refused_with_the_reason(string what, Type exception, string reason)
    {
        string path = _directory.KnownFile(10000);
        DevmapStatistics before = DevmapDiagnostics.ReadStatistics();
        Exception? thrown = Record.Exception(() => DaxFile.Open(path, Bad(what)));

        Assert.IsType(exception, thrown);
        Assert.Contains(reason, thrown.Message, StringComparison.Ordinal);
        DevmapStatistics after = DevmapDiagnostics.ReadStatistics();
        Assert.Equal((before.DaxFiles.Current, before.PageMaps.Current, before.GateHolders), (after.DaxFiles.Current, after.PageMaps.Current, after.GateHolders));
    }

    [Fact]
    public void A_file_without_permission_is_refused()
    {
        string path = _directory.KnownFile(100);
        File.SetUnixFileMode(path, UnixFileMode.None);
        Exception? thrown = null;
        var thread = new Thread(() =>
        {
            // Of this thread only; whoever runs the tests, this user has no right to the file. A root that is another user to
            // file systems has no privilege there.
            const uint nobody = 65534;
            uint before = SetFileSystemUser(nobody);
            thrown = Record.Exception(() => DaxFile.Open(path));
            _ = SetFileSystemUser(before);
        });
        thread.Start();
        thread.Join();

        Assert.IsType<UnauthorizedAccessException>(thrown);
        Assert.Contains(path, thrown.Message, StringComparison.Ordinal);
    }

    [Fact]
    public void A_file_that_may_only_be_read_is_refused_for_writing()
    {
        // Not even root may write this one.
        const string path = "/proc/sys/kernel/osrelease";

        var thrown = Assert.Throws<UnauthorizedAccessException>(() => DaxFile.Open(path, new() { Access = FileAccess.ReadWrite }));
        Assert.Contains("Permission denied", thrown.Message, StringComparison.Ordinal);
    }

    [Fact]
    public void Two_that_may_write_do_not_open_one_file()
    {
        string path = _directory.KnownFile(100);
        using (DaxFile.Open(path, new() { Access = FileAccess.ReadWrite }))
        {
            foreach (FileAccess access in new[] { FileAccess.ReadWrite, FileAccess.Read })
            {
                var thrown = Assert.Throws<IOException>(() => DaxFile.Open(path, new() { Access = access }));
                Assert.Contains($"'{path}' is claimed by another open", thrown.Message, StringComparison.Ordinal);
            }
        }

        using (DaxFile.Open(path))
            Assert.Throws<IOException>(() => DaxFile.Open(path, new() { Access = FileAccess.ReadWrite }));
        DaxFile.Open(path, new() { Access = FileAccess.ReadWrite }).Dispose();
    }

    [Fact]
    public void Readers_share_a_file()
    {
        string path = _directory.KnownFile(100);
        using DaxFile first = DaxFile.Open(path);
        using DaxFile second = DaxFile.Open(path);
        using PageLease one = first.Lease(0, 100);
        using PageLease other = second.Lease(0, 100);

        Assert.True(one.ReadOnlySpan.SequenceEqual(other.ReadOnlySpan));
    }

    [Fact]
    public void A_claim_holds_against_other_processes()
    {
        string path = _directory.KnownFile(100);
        using (DaxFile.Open(path, new() { Access = FileAccess.ReadWrite }))
            ChildProcess.Run(static path => Assert.Throws<IOException>(() => DaxFile.Open(path)), path);

        ChildProcess.Run(static path => DaxFile.Open(path, new() { Access = FileAccess.ReadWrite }).Dispose(), path);
    }

    [Theory]
    [InlineData(0, 1)]
    [InlineData(0, 4096)]
    [InlineData(4095, 2)]
    [InlineData(5000, 10000)]
    [InlineData(19999, 1)]
    [InlineData(0, 20000)]
    public void A_lease_is_of_exactly_the_bytes_asked_for(long offset, int length)
    {
        using DaxFile file = DaxFile.Open(_directory.KnownFile(20000));
        using PageLease lease = file.Lease(offset, length);
        long first = offset / 4096;
        long last = (offset + length - 1) / 4096;

        Assert.Equal(length, lease.Length);
        Assert.Equal(TemporaryDirectory.KnownBytes(offset, length), lease.ReadOnlyMemory.ToArray());
        Assert.Equal((first, (int)(last - first + 1)), (lease.FirstPage, lease.PageCount));
        Assert.Equal(Enumerable.Range((int)first, lease.PageCount).Select(index => new BusyPage(index, 2)), file.Map.GetBusyPages());
        Assert.False(lease.IsWritable);
        Assert.True(file.TryLease(offset, length, out PageLease? other));
        Assert.Equal(3, file.Map[first].Count);
        other.Dispose();
    }

    [Theory]
    [InlineData(0, 10001)]
    [InlineData(10000, 1)]
    [InlineData(9999, 2)]
    [InlineData(12287, 1)]
    [InlineData(long.MaxValue, 1)]
    [InlineData(long.MaxValue, int.MaxValue)]
    public void A_lease_beyond_the_end_is_refused(long offset, int length)
    {
        using DaxFile file = DaxFile.Open(_directory.KnownFile(10000), new() { Access = FileAccess.ReadWrite });

        var thrown = Assert.Throws<ArgumentOutOfRangeException>(() => file.Lease(offset, length));
        Assert.Contains("which has 10000", thrown.Message, StringComparison.Ordinal);
        Assert.Throws<ArgumentOutOfRangeException>(() => file.LeaseForWriting(offset, length));
        Assert.Throws<ArgumentOutOfRangeException>(() => file.Flush(offset, length));
        Assert.False(file.TryLease(offset, length, out PageLease? lease));
        Assert.Null(lease);
        Assert.Empty(file.Map.GetBusyPages());
    }

    [Theory]
    [InlineData(-1, 1)]
    [InlineData(0, 0)]
    [InlineData(0, -1)]
    [InlineData(long.MinValue, 1)]
    public void A_lease_of_nothing_or_before_the_start_is_refused(long offset, int length)
    {
        using DaxFile file = DaxFile.Open(_directory.KnownFile(10000), new() { Access = FileAccess.ReadWrite });

        Assert.Throws<ArgumentOutOfRangeException>(() => file.Lease(offset, length));
        Assert.Throws<ArgumentOutOfRangeException>(() => file.TryLease(offset, length, out _));
        Assert.Throws<ArgumentOutOfRangeException>(() => file.LeaseForWriting(offset, length));
    }

    [Fact]
    public void Nothing_of_an_empty_file_is_leased()
    {
        using DaxFile file = DaxFile.Open(_directory.SparseFile(0));

        Assert.False(file.TryLease(0, 1, out _));
        file.Flush(0, 0);
    }

    [Fact]
    public void The_memory_of_a_file_open_for_reading_is_read_only()
    {
        using DaxFile file = DaxFile.Open(_directory.KnownFile(10000));
        using PageLease lease = file.Lease(0, 100);
        using PageLease share = lease.Share();

        Assert.All([lease, share], lease =>
        {
            Assert.False(lease.IsWritable);
            Assert.Throws<InvalidOperationException>(() => lease.Span.Length);
            Assert.Throws<InvalidOperationException>(() => lease.Memory);
            Assert.Equal(TemporaryDirectory.KnownByte(99), lease.ReadOnlySpan[99]);
            Assert.Equal(TemporaryDirectory.KnownByte(99), lease.ReadOnlyMemory.Span[99]);
        });
        Assert.Throws<InvalidOperationException>(() => file.Map[0].DangerousGetSpan().Length);
        Assert.Equal(TemporaryDirectory.KnownByte(99), file.Map[0].DangerousGetReadOnlySpan()[99]);
    }

    [Fact]
    public void The_pages_of_a_file_are_leased_by_offset_only()
    {
        using DaxFile file = DaxFile.Open(_directory.KnownFile(10000));

        Assert.Throws<InvalidOperationException>(() => file.Map.Lease(0));
        Assert.Throws<InvalidOperationException>(() => file.Map.TryLease(0, 1, out _));
        Assert.Throws<InvalidOperationException>(() => file.Map[0].Lease());
        Assert.Throws<ArgumentOutOfRangeException>(() => file.Map.Lease(file.Map.PageCount));
        Assert.Empty(file.Map.GetBusyPages());
    }

    [Fact]
    public void What_is_written_and_flushed_is_in_the_file()
    {
        string path = _directory.SparseFile(20000);
        using DaxFile file = DaxFile.Open(path, new() { Access = FileAccess.ReadWrite });
        using (PageLease lease = file.LeaseForWriting(5000, 10000))
        {
            Assert.True(lease.IsWritable);
            TemporaryDirectory.KnownBytes(5000, 10000).CopyTo(lease.Memory);
            file.Flush(5000, 10000);
        }

        byte[] expected = new byte[20000];
        TemporaryDirectory.KnownBytes(5000, 10000).CopyTo(expected, 5000);
        Assert.Equal(expected, File.ReadAllBytes(path));
    }

    [Fact]
    public void What_is_written_stays_when_the_file_is_disposed()
    {
        string path = _directory.SparseFile(4096);
        using (DaxFile file = DaxFile.Open(path, new() { Access = FileAccess.ReadWrite }))
        using (PageLease lease = file.LeaseForWriting(0, 4096))
            lease.Span.Fill(3);

        Assert.Equal(-1, File.ReadAllBytes(path).AsSpan().IndexOfAnyExcept((byte)3));
    }

    [Theory]
    [InlineData(-1, 1)]
    [InlineData(0, -1)]
    public void A_flush_of_less_than_nothing_is_refused(long offset, long length)
    {
        using DaxFile file = DaxFile.Open(_directory.KnownFile(100));

        Assert.Throws<ArgumentOutOfRangeException>(() => file.Flush(offset, length));
    }

    [Fact]
    public void Pages_are_as_large_as_asked_for()
    {
        using DaxFile file = DaxFile.Open(_directory.KnownFile(100000), new() { PageSize = 65536, Capacity = 100001 });
        using PageLease lease = file.Lease(65535, 2);

        Assert.Equal(65536, file.Map.PageSize);
        Assert.Equal(131072, file.Capacity);
        Assert.Equal(2, lease.PageCount);
        Assert.Equal(TemporaryDirectory.KnownBytes(65535, 2), lease.ReadOnlyMemory.ToArray());
    }

    [Fact]
    public void A_file_that_is_deleted_stays_whole_until_it_is_disposed()
    {
        string path = _directory.KnownFile(10000);
        using DaxFile file = DaxFile.Open(path, new() { Access = FileAccess.ReadWrite });
        File.Delete(path);

        using (PageLease lease = file.LeaseForWriting(0, 10000))
        {
            Assert.Equal(TemporaryDirectory.KnownBytes(0, 10000), lease.ReadOnlyMemory.ToArray());
            lease.Span.Fill(1);
            file.Flush(0, 10000);
        }

        file.ThrowIfChanged();
        file.SetLength(5000, TimeSpan.Zero);
        Assert.Equal(5000, file.Length);
    }

    [Fact]
    public void A_file_that_somebody_else_shortened_is_told_and_not_changed()
    {
        string path = _directory.KnownFile(20000);
        using DaxFile file = DaxFile.Open(path, new() { Access = FileAccess.ReadWrite });
        file.ThrowIfChanged();
        SetLengthBySomebodyElse(path, 10000);

        Assert.All(
            [
                file.ThrowIfChanged,
                () => file.SetLength(0, TimeSpan.Zero),
                () => file.SetLength(30000, TimeSpan.Zero),
                () => file.PunchHole(0, 4096, TimeSpan.Zero),
                () => file.LeaseForWriting(0, 20000),
            ],
            (Action act) => Assert.Contains("somebody else changed the file's length", Assert.Throws<IOException>(act).Message, StringComparison.Ordinal));
        Assert.Equal(TemporaryDirectory.KnownBytes(0, 10000), File.ReadAllBytes(path));
        using (PageLease lease = file.Lease(0, 10000))
            Assert.Equal(TemporaryDirectory.KnownBytes(0, 10000), lease.ReadOnlyMemory.ToArray());

        SetLengthBySomebodyElse(path, 20000);
        file.ThrowIfChanged();
        file.SetLength(0, TimeSpan.Zero);
    }

    [Fact]
    public void A_write_lease_takes_its_room_before_it_is_given()
    {
        string path = _directory.SparseFile(1L << 20);
        using DaxFile file = DaxFile.Open(path, new() { Access = FileAccess.ReadWrite });
        file.Lease(0, 1 << 20).Dispose();
        Assert.Equal(0, AllocatedBytes(path));

        file.LeaseForWriting(0, 65536).Dispose();

        Assert.True(AllocatedBytes(path) >= 65536);
    }

    [Fact]
    public void A_write_lease_on_a_full_disk_is_refused_and_a_read_lease_is_given() => ChildProcess.Run(
        static path =>
        {
            using DaxFile file = DaxFile.Open(path, new() { Access = FileAccess.ReadWrite });
            var thrown = Assert.Throws<IOException>(() => file.LeaseForWriting(1L << 39, 1 << 20));

            Assert.Contains("no space left on the device", thrown.Message, StringComparison.Ordinal);
            Assert.Equal(28, thrown.HResult);
            Assert.Empty(file.Map.GetBusyPages());
            using PageLease lease = file.Lease(1L << 39, 1 << 20);
            Assert.Equal(-1, lease.ReadOnlySpan.IndexOfAnyExcept((byte)0));
        },
        _directory.SparseFile(1L << 40),
        ("LD_PRELOAD", Path.Combine(ChildProcess.HomeDirectory, "libdevmap_fulldisk.so")));

    [Fact]
    public void A_disposed_file_is_of_no_use()
    {
        DaxFile file = DaxFile.Open(_directory.KnownFile(10000), new() { Access = FileAccess.ReadWrite });
        file.Dispose();
        file.Dispose();

        Assert.True(file.Map.IsDisposed);
        Assert.All(
            [
                () => file.Lease(0, 1),
                () => file.LeaseForWriting(0, 1),
                () => file.TryLease(0, 1, out _),
                () => file.TryLease(0, 100000, out _),
                () => file.Flush(0, 1),
                file.ThrowIfChanged,
                () => file.SetLength(0, TimeSpan.Zero),
                () => file.PunchHole(0, 1, TimeSpan.Zero),
                () => file.Map.GetBusyPages(),
                () => file.Map.Resume(),
                () => _ = file.Length,
                () => _ = file.IsDax,
            ],
            (Action act) => Assert.Throws<ObjectDisposedException>(act));
        Assert.Equal((1L << 30, $"'{file.Path}'"), (file.Capacity, file.ToString()));
    }

    [Fact]
    public void Disposing_a_file_waits_for_its_leases_and_loses_nothing_when_it_gives_up()
    {
        string path = _directory.KnownFile(10000);
        DaxFile file = DaxFile.Open(path, new() { Access = FileAccess.ReadWrite, DisposeTimeout = TimeSpan.Zero });
        PageLease lease = file.Lease(5000, 100);
        var busy = Assert.Throws<PagesBusyException>(file.Dispose);

        Assert.Equal([new BusyPage(1, 2)], busy.Pages);
        Assert.Equal(TemporaryDirectory.KnownBytes(5000, 100), lease.ReadOnlyMemory.ToArray());
        Assert.Throws<ObjectDisposedException>(() => file.Lease(0, 1));
        Assert.Throws<ObjectDisposedException>(() => file.SetLength(0, TimeSpan.Zero));
        Assert.Throws<IOException>(() => DaxFile.Open(path));
        file.Map.Resume();
        file.Lease(0, 1).Dispose();
        lease.Dispose();
        file.Dispose();
        DaxFile.Open(path).Dispose();
    }

    [Fact]
    public async Task Disposing_a_file_asynchronously_waits_for_its_leases()
    {
        string path = _directory.KnownFile(10000);
        DaxFile file = DaxFile.Open(path, new() { DisposeTimeout = Timeout.InfiniteTimeSpan });
        PageLease lease = file.Lease(5000, 100);
        ValueTask disposing = file.DisposeAsync();

        Assert.False(disposing.IsCompleted);
        lease.Dispose();
        await disposing;
        Assert.True(file.Map.IsDisposed);
        await DaxFile.Open(path, new() { Access = FileAccess.ReadWrite }).DisposeAsync();
    }

    private static DaxFileOptions Bad(string what) => what switch
    {
        "write-only access" => new() { Access = FileAccess.Write },
        "unknown access" => new() { Access = (FileAccess)42 },
        "truncation" => new() { Access = FileAccess.ReadWrite, Mode = FileMode.Truncate },
        "creation for reading" => new() { Mode = FileMode.OpenOrCreate },
        "a negative capacity" => new() { Capacity = -1 },
        "a page size of 0" => new() { PageSize = 0 },
        "a page size that is no power of two" => new() { PageSize = 12288 },
        "a negative timeout" => new() { DisposeTimeout = TimeSpan.FromTicks(-2) },
        "a capacity below the length" => new() { Capacity = 4096 },
        "a capacity that no address space has" => new() { Capacity = 1L << 62 },
        "a capacity beyond all numbers" => new() { Capacity = long.MaxValue },
        _ => throw new ArgumentOutOfRangeException(nameof(what), what, "No such options."),
    };

    private static void SetLengthBySomebodyElse(string path, long length)
    {
        using var stream = new FileStream(path, FileMode.Open, FileAccess.ReadWrite, FileShare.ReadWrite);
        stream.SetLength(length);
    }

    private static long AllocatedBytes(string path)
    {
        using Process process = Process.Start(
            new ProcessStartInfo("stat", ["-c", "%b", path]) { RedirectStandardOutput = true, UseShellExecute = false })!;
        return 512 * long.Parse(process.StandardOutput.ReadToEnd(), CultureInfo.InvariantCulture);
    }

    [LibraryImport("libc", EntryPoint = "setfsuid")]
    private static partial uint SetFileSystemUser(uint user);
}
