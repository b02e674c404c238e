// SPDX-License-Identifier: MIT
using Devmap.CommandLine.Far;
using Xunit;

namespace Devmap.Tests.Command;

/// <summary>What far memory is filled with, and what is told where it holds something else.</summary>
public sealed class FarContentTests
{
    private static readonly FarContent s_content = new(42);

    [Theory]
    [InlineData(0, 1, 4096)]
    [InlineData(7, 3, 4096)]
    [InlineData(1L << 40, int.MaxValue, 65536)]
    [InlineData(7, 0, 4096)]
    public void Is_verified(long index, int version, int pageSize)
    {
        byte[] page = Page(index, version, pageSize);

        Assert.True(s_content.Matches(page, index, version));
        Assert.True(new FarContent(42).Matches(page, index, version));
    }

    [Theory]
    [InlineData(8, 3, 42)]
    [InlineData(7, 2, 42)]
    [InlineData(7, 4, 42)]
    [InlineData(7, 0, 42)]
    [InlineData(7, 3, 43)]
    public void Is_another_ones_nowhere(long index, int version, int seed) =>
        Assert.False(new FarContent(seed).Matches(Page(7, 3), index, version));

    [Theory]
    [InlineData(0)]
    [InlineData(3)]
    public void Counts_to_the_last_byte(int version)
    {
        byte[] page = Page(7, version);
        for (int i = 0; i < page.Length; i++)
        {
            page[i] ^= 0x10;
            Assert.False(s_content.Matches(page, 7, version));
            page[i] ^= 0x10;
        }
    }

    [Fact]
    public void Pages_have_nothing_in_common_but_zeros()
    {
        byte[] one = Page(7, 3);
        byte[] other = Page(8, 3);

        Assert.InRange(one.Zip(other).Count(pair => pair.First == pair.Second), 0, 500);
    }

    [Fact]
    public void Half_of_a_page_repeats_and_half_does_not()
    {
        byte[] page = Page(7, 3);
        ulong[] words = [.. Enumerable.Range(0, 512).Select(word => BitConverter.ToUInt64(page, word * 8))];

        Assert.Equal(256, words[..256].Distinct().Count());
        Assert.Single(words[256..].Distinct());
    }

    [Fact]
    public void A_page_starts_with_its_index_and_version()
    {
        byte[] page = Page(7, 3);

        Assert.Equal(7, BitConverter.ToInt64(page, 0));
        Assert.Equal(3, BitConverter.ToInt64(page, 8));
    }

    [Fact]
    public void A_mismatch_names_the_first_byte_and_counts_all()
    {
        byte[] expected = Page(7, 3);
        byte[] found = [.. expected];
        found[100] = (byte)(expected[100] + 1);
        found[200] = (byte)(expected[200] + 1);
        found[4095] = (byte)(expected[4095] + 1);
        var mismatch = FarMismatch.Of(found, expected, 7, 3);

        Assert.Equal(new FarMismatch(7, 3, 3, 100, expected[100], found[100]), mismatch);
        Assert.Equal($"page 7, version 3: 3 wrong bytes, the first at offset 100, 0x{found[100]:x2} for 0x{expected[100]:x2}", mismatch.ToString());
    }

    [Fact]
    public void A_mismatch_that_is_gone_is_told_too() =>
        Assert.Contains("right when it was looked at once more", FarMismatch.Of(Page(7, 3), Page(7, 3), 7, 3).ToString(), StringComparison.Ordinal);

    [Fact]
    public void Mismatches_are_all_counted_and_the_first_few_kept()
    {
        var mismatches = new FarMismatches();
        for (int page = 0; page < 100; page++)
            mismatches.Add(new FarMismatch(page, 1, 2, 0, 0, 0));

        Assert.Equal(100, mismatches.Pages);
        Assert.Equal(200, mismatches.Bytes);
        Assert.Equal([0, 1, 2, 3, 4], mismatches.First.Select(mismatch => mismatch.Page));
    }

    private static byte[] Page(long index, int version, int pageSize = 4096)
    {
        byte[] page = new byte[pageSize];
        s_content.Fill(page, index, version);
        return page;
    }
}
