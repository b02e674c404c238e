// SPDX-License-Identifier: MIT
using Devmap.CommandLine.Run;
using Xunit;

namespace Devmap.Tests.Command;

/// <summary>The checksum that readers of both languages verify pages by.</summary>
public sealed class PageChecksumTests
{
    [Theory]
    [InlineData(0)]
    [InlineData(7)]
    [InlineData(1L << 40)]
    public void Is_the_same_function_in_both_languages(long index)
    {
        byte[] page = RandomPage((int)index);

        Assert.Equal(NativeChecksum(page, index), PageChecksum.Compute(page, index));
    }

    [Fact]
    public void Changes_with_every_byte()
    {
        byte[] page = RandomPage(1);
        ulong sum = PageChecksum.Compute(page, 3);

        for (int i = 0; i < page.Length; i++)
        {
            page[i] ^= 0x80;
            Assert.NotEqual(sum, PageChecksum.Compute(page, 3));
            page[i] ^= 0x80;
        }
    }

    [Fact]
    public void Changes_with_the_place_of_the_page()
    {
        byte[] page = RandomPage(2);

        Assert.NotEqual(PageChecksum.Compute(page, 4), PageChecksum.Compute(page, 5));
    }

    [Fact]
    public void Of_zeros_is_not_that_of_an_unwritten_page() => Assert.NotEqual(0ul, PageChecksum.Compute(new byte[4096], 0));

    private static byte[] RandomPage(int seed)
    {
        byte[] page = new byte[4096];
#pragma warning disable CA5394 // Any bytes will do.
        new Random(seed).NextBytes(page);
#pragma warning restore CA5394
        return page;
    }

    private static unsafe ulong NativeChecksum(byte[] page, long index)
    {
        fixed (byte* bytes = page)
            return NativeReaderLibrary.devmap_reader_checksum(bytes, (ulong)page.Length, (ulong)index);
    }
}
