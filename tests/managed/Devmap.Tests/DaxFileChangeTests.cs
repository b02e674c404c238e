// SPDX-License-Identifier: MIT
using Xunit;

namespace Devmap.Tests;

/// <summary>Changing a file's length, and punching holes, wait for those who use what goes, and for nobody else.</summary>
public sealed class DaxFileChangeTests : IDisposable
{
    private const int Page = 4096;

    private readonly TemporaryDirectory _directory = new();
    private readonly string _path;
    private readonly DaxFile _file;
    private readonly long _breaks = DevmapDiagnostics.ReadStatistics().LayoutBreaks.Total;

    public DaxFileChangeTests()
    {
        _path = _directory.KnownFile(8 * Page);
        _file = DaxFile.Open(_path, new() { Access = FileAccess.ReadWrite, Capacity = 16 * Page, DisposeTimeout = TimeSpan.Zero });
    }

    /// <summary>Changes that take the pages from 4 to 7 away, given the file, a timeout and a token.</summary>
    public static TheoryData<string> Changes => ["SetLength", "PunchHole", "SetLengthAsync", "PunchHoleAsync"];

    public void Dispose()
    {
        _file.Dispose();
        _directory.Dispose();
    }

    [Theory]
    [InlineData(0)]
    [InlineData(1)]
    [InlineData(Page - 1)]
    [InlineData(Page)]
    [InlineData((7 * Page) + 100)]
    [InlineData(8 * Page)]
    public void A_file_is_shortened(int length)
    {
        _file.SetLength(length, TimeSpan.Zero);

        Assert.Equal(length, _file.Length);
        Assert.Equal(TemporaryDirectory.KnownBytes(0, length), File.ReadAllBytes(_path));
        Assert.False(_file.TryLease(length, 1, out _));
        _file.ThrowIfChanged();
    }

    [Theory]
    [InlineData((8 * Page) + 1)]
    [InlineData(16 * Page)]
    public void A_file_grows_in_place_by_zeros(int length)
    {
        using PageLease lease = _file.Lease(0, 8 * Page);
        ReadOnlyMemory<byte> before = lease.ReadOnlyMemory;
        _file.SetLength(length, TimeSpan.Zero);

        Assert.Equal(length, _file.Length);
        Assert.Equal(TemporaryDirectory.KnownBytes(0, 8 * Page), before.ToArray());
        using PageLease tail = _file.Lease(8 * Page, length - (8 * Page));
        Assert.Equal(-1, tail.ReadOnlySpan.IndexOfAnyExcept((byte)0));
        using PageLease whole = _file.Lease(0, length);
        Assert.True(lease.ReadOnlySpan.Overlaps(whole.ReadOnlySpan, out int offset));
        Assert.Equal(0, offset);
    }

    [Fact]
    public void What_was_cut_off_comes_back_as_zeros()
    {
        _file.SetLength(100, TimeSpan.Zero);
        _file.SetLength(8 * Page, TimeSpan.Zero);

        byte[] expected = new byte[8 * Page];
        TemporaryDirectory.KnownBytes(0, 100).CopyTo(expected, 0);
        using PageLease lease = _file.Lease(0, 8 * Page);
        Assert.Equal(expected, lease.ReadOnlyMemory.ToArray());
        Assert.Equal(expected, File.ReadAllBytes(_path));
    }

    [Fact]
    public void A_hole_reads_as_zeros_and_leaves_the_length()
    {
        _file.PunchHole(Page + 10, 3 * Page, TimeSpan.Zero);

        byte[] expected = TemporaryDirectory.KnownBytes(0, 8 * Page);
        expected.AsSpan(Page + 10, 3 * Page).Clear();
        Assert.Equal(8 * Page, _file.Length);
        Assert.Equal(expected, File.ReadAllBytes(_path));
        using PageLease lease = _file.Lease(0, 8 * Page);
        Assert.Equal(expected, lease.ReadOnlyMemory.ToArray());
    }

    [Fact]
    public void A_hole_is_written_again()
    {
        using (PageLease lease = _file.LeaseForWriting(0, Page))
            lease.Span.Fill(1);
        _file.PunchHole(0, Page, TimeSpan.Zero);
        using (PageLease lease = _file.LeaseForWriting(0, Page))
        {
            Assert.Equal(-1, lease.Span.IndexOfAnyExcept((byte)0));
            lease.Span.Fill(2);
        }

        Assert.Equal(-1, File.ReadAllBytes(_path).AsSpan(0, Page).IndexOfAnyExcept((byte)2));
    }

    [Theory]
    [MemberData(nameof(Changes))]
    public void A_change_waits_for_those_who_use_what_goes(string change)
    {
        PageLease lease = _file.Lease(7 * Page, 1);
        PageLease share = lease.Share();
        BlockingCall changing = Start(change, default);
        AwaitBreak();

        Assert.Equal(8 * Page, _file.Length);
        Assert.False(Leasable(4 * Page));
        Assert.False(Leasable(7 * Page));
        Assert.True(Leasable(3 * Page));
        Assert.Throws<LayoutBrokenException>(() => _file.Lease(4 * Page, 1));
        Assert.Throws<LayoutBrokenException>(() => _file.LeaseForWriting(0, 8 * Page));
        Assert.Equal(TemporaryDirectory.KnownByte(7 * Page), lease.ReadOnlySpan[0]);
        lease.Share().Dispose();
        lease.Dispose();
        Assert.True(changing.Waits);
        Assert.False(Leasable(4 * Page));
        Assert.Equal(TemporaryDirectory.KnownByte(7 * Page), share.ReadOnlySpan[0]);
        share.Dispose();
        Assert.Null(changing.Join());
        AssertChanged(change);
    }

    [Theory]
    [MemberData(nameof(Changes))]
    public async Task A_change_waits_for_nobody_else(string change)
    {
        using PageLease head = _file.Lease(0, 4 * Page);
        using PageLease writer = _file.LeaseForWriting(3 * Page, Page);

        await Change(change, TimeSpan.Zero, default);

        AssertChanged(change);
        Assert.Equal(TemporaryDirectory.KnownBytes(0, 4 * Page), head.ReadOnlyMemory.ToArray());
    }

    [Fact]
    public void A_shortening_waits_for_the_page_that_holds_the_new_end()
    {
        using PageLease lease = _file.Lease(4 * Page, 1);

        Assert.Throws<PagesBusyException>(() => _file.SetLength((4 * Page) + 1, TimeSpan.Zero));
        _file.SetLength(5 * Page, TimeSpan.Zero);
        Assert.Equal(5 * Page, _file.Length);
    }

    [Theory]
    [MemberData(nameof(Changes))]
    public async Task A_change_that_gives_up_names_the_pages_in_use_and_leaves_the_file_as_it_was(string change)
    {
        using PageLease lease = _file.Lease(5 * Page, 2 * Page);
        using PageLease head = _file.Lease(0, Page);

        foreach (TimeSpan timeout in new[] { TimeSpan.Zero, TimeSpan.FromMilliseconds(1) })
        {
            var busy = await Assert.ThrowsAsync<PagesBusyException>(() => Change(change, timeout, default));
            Assert.Equal([new BusyPage(5, 2), new BusyPage(6, 2)], busy.Pages);
            Assert.Equal(2, busy.PageCount);
            Assert.Same(_file.Map, busy.Map);
            Assert.Contains(_path, busy.Message, StringComparison.Ordinal);
            Assert.Contains("in use: 5 (count 2), 6 (count 2).", busy.Message, StringComparison.Ordinal);
        }

        AssertUnchanged();
    }

    [Theory]
    [MemberData(nameof(Changes))]
    public void A_change_that_is_cancelled_leaves_the_file_as_it_was(string change)
    {
        using var cancellation = new CancellationTokenSource();
        using PageLease lease = _file.Lease(5 * Page, 1);
        BlockingCall changing = Start(change, cancellation.Token);
        AwaitBreak();
        Assert.True(changing.Waits);
        cancellation.Cancel();

        var cancelled = Assert.IsAssignableFrom<OperationCanceledException>(changing.Join());
        Assert.Equal(cancellation.Token, cancelled.CancellationToken);
        AssertUnchanged();
    }

    [Theory]
    [MemberData(nameof(Changes))]
    public async Task A_change_that_is_cancelled_before_it_starts_does_not_start(string change)
    {
        var token = new CancellationToken(canceled: true);

        var cancelled = await Assert.ThrowsAnyAsync<OperationCanceledException>(() => Change(change, Timeout.InfiniteTimeSpan, token));
        Assert.Equal(token, cancelled.CancellationToken);
        AssertUnchanged();
    }

    [Fact]
    public async Task An_asynchronous_change_that_waits_for_nobody_is_complete_at_once()
    {
        Task changing = _file.SetLengthAsync(0, Timeout.InfiniteTimeSpan);

        Assert.True(changing.IsCompletedSuccessfully);
        await changing;
        Assert.Equal(0, _file.Length);
    }

    [Fact]
    public async Task A_callback_that_would_wait_for_itself_is_refused_though_others_are_in_use()
    {
        DaxFile? file = null;
        Task? changing = null;
        var driver = new CallingDriver(_ => changing = file!.SetLengthAsync(0, Timeout.InfiniteTimeSpan));
        using (file = DaxFile.Open(_directory.KnownFile(2 * Page, "other"), new() { Access = FileAccess.ReadWrite, Driver = driver }))
        {
            using PageLease other = file.Lease(Page, 1);
            file.Lease(0, 1).Dispose();
            Task refused = changing!;
            await Assert.ThrowsAsync<InvalidOperationException>(() => refused);
            changing = null;
        }
    }

    [Fact]
    public async Task An_asynchronous_change_leaves_its_caller_alone()
    {
        PageLease lease = _file.Lease(5 * Page, 1);
        Task changing = _file.SetLengthAsync(0, Timeout.InfiniteTimeSpan);

        Assert.False(changing.IsCompleted);
        lease.Dispose();
        await changing;
        Assert.Equal(0, _file.Length);
    }

    [Fact]
    public void Changes_of_one_file_wait_for_each_other()
    {
        PageLease tail = _file.Lease(7 * Page, 1);
        var shortening = new BlockingCall(() => _file.SetLength(4 * Page, Timeout.InfiniteTimeSpan));
        BlockingCall.SpinUntil(() => !Leasable(4 * Page));
        var growing = new BlockingCall(() => _file.SetLength(16 * Page, Timeout.InfiniteTimeSpan));

        Assert.True(growing.Waits);
        var busy = Assert.Throws<PagesBusyException>(() => _file.SetLength(16 * Page, TimeSpan.Zero));
        Assert.Empty(busy.Pages);
        Assert.Contains("another thread was at it", busy.Message, StringComparison.Ordinal);
        Assert.Throws<PagesBusyException>(() => _file.PunchHole(0, Page, TimeSpan.Zero));
        Assert.Equal(8 * Page, _file.Length);
        tail.Dispose();
        Assert.Null(shortening.Join());
        Assert.Null(growing.Join());
        Assert.Equal(16 * Page, _file.Length);
        Assert.Equal([.. TemporaryDirectory.KnownBytes(0, 4 * Page), .. new byte[12 * Page]], File.ReadAllBytes(_path));
    }

    [Theory]
    [InlineData(-1)]
    [InlineData(long.MinValue)]
    [InlineData((16 * Page) + 1)]
    [InlineData(long.MaxValue)]
    public void A_length_that_the_file_cannot_have_is_refused(long length)
    {
        Assert.Throws<ArgumentOutOfRangeException>(() => _file.SetLength(length, TimeSpan.Zero));
        Assert.Throws<ArgumentOutOfRangeException>(() => { _ = _file.SetLengthAsync(length, TimeSpan.Zero); });
        AssertUnchanged();
    }

    [Theory]
    [InlineData(-1, 1)]
    [InlineData(0, 0)]
    [InlineData(0, -1)]
    [InlineData(0, (8 * Page) + 1)]
    [InlineData(8 * Page, 1)]
    [InlineData(long.MaxValue, 1)]
    [InlineData(1, long.MaxValue)]
    public void A_hole_that_is_not_in_the_file_is_refused(long offset, long length)
    {
        Assert.Throws<ArgumentOutOfRangeException>(() => _file.PunchHole(offset, length, TimeSpan.Zero));
        AssertUnchanged();
    }

    [Fact]
    public void A_negative_timeout_is_refused()
    {
        TimeSpan timeout = TimeSpan.FromTicks(-2);

        Assert.Throws<ArgumentOutOfRangeException>(() => _file.SetLength(0, timeout));
        Assert.Throws<ArgumentOutOfRangeException>(() => _file.PunchHole(0, 1, timeout));
        AssertUnchanged();
    }

    [Fact]
    public void The_longest_timeout_is_as_good_as_none()
    {
        _file.SetLength(0, TimeSpan.MaxValue);

        Assert.Equal(0, _file.Length);
    }

    [Fact]
    public void A_disposal_during_a_change_waits_for_it()
    {
        using var directory = new TemporaryDirectory();
        DaxFile file = DaxFile.Open(directory.KnownFile(4 * Page), new() { Access = FileAccess.ReadWrite, DisposeTimeout = Timeout.InfiniteTimeSpan });
        PageLease lease = file.Lease(3 * Page, 1);
        var changing = new BlockingCall(() => file.SetLength(0, Timeout.InfiniteTimeSpan));
        BlockingCall.SpinUntil(() => !file.TryLease(0, 1, out PageLease? head) || Returned(head));
        var disposing = new BlockingCall(file.Dispose);

        Assert.True(disposing.Waits);
        Assert.True(changing.Waits);
        lease.Dispose();
        Assert.Null(changing.Join());
        Assert.Null(disposing.Join());
        Assert.Empty(File.ReadAllBytes(file.Path));
    }

    private static bool Returned(PageLease lease)
    {
        lease.Dispose();
        return false;
    }

    private bool Leasable(long offset) => _file.TryLease(offset, 1, out PageLease? lease) && !Returned(lease);

    private Task Change(string change, TimeSpan timeout, CancellationToken token)
    {
        switch (change)
        {
            case "SetLength":
                return Task.Run(() => _file.SetLength(4 * Page, timeout, token), CancellationToken.None);
            case "PunchHole":
                return Task.Run(() => _file.PunchHole(4 * Page, 4 * Page, timeout, token), CancellationToken.None);
            case "SetLengthAsync":
                return _file.SetLengthAsync(4 * Page, timeout, token);
            default:
                return _file.PunchHoleAsync(4 * Page, 4 * Page, timeout, token);
        }
    }

#pragma warning disable VSTHRD002 // On a thread of its own.
    private BlockingCall Start(string change, CancellationToken token) =>
        new(() => Change(change, Timeout.InfiniteTimeSpan, token).GetAwaiter().GetResult());
#pragma warning restore VSTHRD002

    /// <summary>Waits until the change keeps new leases off.</summary>
    private void AwaitBreak() => BlockingCall.SpinUntil(() => DevmapDiagnostics.ReadStatistics().LayoutBreaks.Total == _breaks + 1);

    private void AssertChanged(string change)
    {
        byte[] head = TemporaryDirectory.KnownBytes(0, 4 * Page);
        bool shortened = change.StartsWith("SetLength", StringComparison.Ordinal);
        Assert.Equal(shortened ? head : [.. head, .. new byte[4 * Page]], File.ReadAllBytes(_path));
        Assert.Equal(shortened ? 4 * Page : 8 * Page, _file.Length);
        Assert.Equal(!shortened, Leasable(4 * Page));
    }

    private void AssertUnchanged()
    {
        Assert.Equal(8 * Page, _file.Length);
        Assert.Equal(TemporaryDirectory.KnownBytes(0, 8 * Page), File.ReadAllBytes(_path));
        Assert.True(Leasable(4 * Page));
        _file.ThrowIfChanged();
    }
}
