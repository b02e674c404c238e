// SPDX-License-Identifier: MIT
using Devmap.CommandLine.Run;
using Xunit;

namespace Devmap.Tests.Command;

/// <summary>What a generated file is filled with.</summary>
public sealed class GeneratedContentTests
{
    [Fact]
    public void The_same_seed_fills_the_same() => Assert.Equal(Fill(new GeneratedContent(42)), Fill(new GeneratedContent(42)));

    [Fact]
    public void Another_seed_fills_something_else() => Assert.NotEqual(Fill(new GeneratedContent(42)), Fill(new GeneratedContent(43)));

    [Fact]
    public void No_two_fillings_are_alike()
    {
        var content = new GeneratedContent(42);

        Assert.NotEqual(Fill(content), Fill(content));
    }

    [Fact]
    public void A_page_starts_with_its_index()
    {
        byte[] pages = Fill(new GeneratedContent(42), firstPage: 7);

        Assert.Equal(7, BitConverter.ToInt64(pages, 0));
        Assert.Equal(8, BitConverter.ToInt64(pages, 4096));
    }

    private static byte[] Fill(GeneratedContent content, long firstPage = 0)
    {
        byte[] pages = new byte[2 * 4096];
        content.Fill(pages, firstPage, 4096);
        return pages;
    }
}
