// SPDX-License-Identifier: MIT
using System.Globalization;
using System.Text;
using Devmap.Interop;

namespace Devmap;

/// <summary>
/// Pages stayed in use for as long as the caller would wait. Nothing was torn down, truncated or lost: dispose the leases
/// that hold the pages and try again.
/// </summary>
public sealed class PagesBusyException : TimeoutException
{
    /// <summary>The most pages that an exception names.</summary>
    internal const int MaxNamed = 16;

    // Of a holder's stack, in the message; all are in Pages.
    private const int MaxFrames = 4;

    /// <summary>Creates an exception without pages.</summary>
    public PagesBusyException()
        : this("Pages are in use.")
    {
    }

    /// <summary>Creates an exception without pages.</summary>
    /// <param name="message">What was wanted.</param>
    public PagesBusyException(string message)
        : base(message)
    {
    }

    /// <summary>Creates an exception without pages.</summary>
    /// <param name="message">What was wanted.</param>
    /// <param name="innerException">What led to it.</param>
    public PagesBusyException(string message, Exception innerException)
        : base(message, innerException)
    {
    }

    internal PagesBusyException(string what, DevicePageMap map, IReadOnlyList<BusyPage> pages, long pageCount, long references)
        : this(what, " timed out", map, pages, pageCount, references)
    {
    }

    internal PagesBusyException(string what, string outcome, DevicePageMap map, IReadOnlyList<BusyPage> pages, long pageCount, long references)
        : base(Describe(what + outcome, map, pages, pageCount, references))
    {
        Map = map;
        Pages = pages;
        PageCount = pageCount;
        MapReferences = references;
    }

    /// <summary>The map whose pages are in use.</summary>
    public DevicePageMap? Map { get; }

    /// <summary>The first of the pages in use, at most 16 of them.</summary>
    public IReadOnlyList<BusyPage> Pages { get; } = [];

    /// <summary>How many pages are in use in all.</summary>
    public long PageCount { get; }

    /// <summary>References on the map itself, as native code and callbacks that still run hold them.</summary>
    public long MapReferences { get; }

    private static string Describe(string what, DevicePageMap map, IReadOnlyList<BusyPage> pages, long pageCount, long references)
    {
        var text = new StringBuilder();
        text.Append(what);
        if (pageCount == 0 && references == 0)
            return text.Append(": another thread was at it, or the pages have become idle since. Try again.").ToString();
        text.Append(CultureInfo.InvariantCulture, $" with {pageCount} pages of {map} in use");
        foreach (var page in pages)
            text.Append(CultureInfo.InvariantCulture, $"{(page == pages[0] ? ": " : ", ")}{page.Index} (count {page.Count})");
        if (pageCount > pages.Count)
            text.Append(CultureInfo.InvariantCulture, $" and {pageCount - pages.Count} more");
        if (references > 0)
            text.Append(CultureInfo.InvariantCulture, $", and {references} references on the map itself");
        text.Append(". Dispose the leases that hold them and try again.");
        AppendHolders(text, map, pages);
        return text.ToString();
    }

    private static void AppendHolders(StringBuilder text, DevicePageMap map, IReadOnlyList<BusyPage> pages)
    {
        PageHolder[] holders = [.. pages.SelectMany(page => page.Holders)];
        foreach (PageHolder holder in holders.Take(MaxNamed))
            text.AppendLine().Append(holder.Describe(MaxFrames, indent: "  "));
        if (holders.Length > MaxNamed)
            text.AppendLine().Append(CultureInfo.InvariantCulture, $"  and {holders.Length - MaxNamed} more holders");
        if (pages.All(page => page.Holders.Count > 0))
            return;
        if (holders.Length > 0)
            text.AppendLine().Append("  Who holds the other pages is not known.");
        text.Append(map.FollowsAll
            ? " They were taken before their references were followed."
            : $" Set {nameof(DevmapDiagnostics)}.{nameof(DevmapDiagnostics.Level)} to {nameof(DiagnosticLevel.Full)} (or {nameof(DiagnosticLevel.Sampled)}: one activation in {NativeMethods.DEVMAP_SAMPLE_PERIOD}) to learn who holds them.");
    }
}
