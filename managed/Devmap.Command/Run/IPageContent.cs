// SPDX-License-Identifier: MIT
namespace Devmap.CommandLine.Run;

/// <summary>What the truncator fills the file with.</summary>
internal interface IPageContent : IDisposable
{
    /// <summary>Fills every byte of <paramref name="pages"/>, adjacent pages of the file from <paramref name="firstPage"/>.</summary>
    /// <param name="pages">The pages.</param>
    /// <param name="firstPage">Index of the first.</param>
    /// <param name="pageSize">Bytes a page.</param>
    void Fill(Span<byte> pages, long firstPage, int pageSize);
}
