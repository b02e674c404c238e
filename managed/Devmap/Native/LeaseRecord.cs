// SPDX-License-Identifier: MIT
using System.Diagnostics;
using System.Diagnostics.CodeAnalysis;
using System.Globalization;
using System.Text;
using Devmap.Interop;
using Devmap.Telemetry;

namespace Devmap.Native;

/// <summary>
/// A lease that is followed: what its object has instead of its map. Its finalizer says that the lease was lost.
/// </summary>
/// <remarks>
/// It knows its map, so that the two are finalized together at the earliest, and pages are only looked at while the map is not
/// torn down. It is not known by the native side nor by a scope, which would keep it alive: these know its number.
/// </remarks>
[SuppressMessage("Usage", "MA0055:Do not use finalizer", Justification = "Only tells; frees nothing.")]
internal sealed unsafe class LeaseRecord : IDisposable
{
    private static ulong s_records;

    private readonly ulong _owner = Interlocked.Increment(ref s_records);
    private readonly devmap_page* _pages;
    private readonly int _pageCount;
    private readonly bool _isFollowed;
    private readonly long _taken = Stopwatch.GetTimestamp();
    private readonly int _thread = Environment.CurrentManagedThreadId;
    private readonly string? _threadName = Thread.CurrentThread.Name;
    private readonly LeakItem? _item;

    // Of the native side, 0 where it follows none of the pages.
    private uint _stack;

    // Until then there is nothing to lose: the constructor may fail.
    private bool _holds;

    private LeaseRecord(DevicePageMap map, devmap_page* pages, int pageCount, bool isFollowed)
    {
        Map = map;
        _pages = pages;
        _pageCount = pageCount;
        _isFollowed = isFollowed;
        _item = CreateItem(map, map.IndexOf(pages), pageCount);
    }

    ~LeaseRecord()
    {
        if (!_holds)
            return;
        try
        {
            ReportLost();
        }
        catch (OutOfMemoryException)
        {
            // Counted all the same; what leaves a finalizer ends the process.
            FaultReporter.Report(DevmapFaultKind.LostLease, null, "a lease was lost without being disposed");
        }
    }

    /// <summary>The lease's map.</summary>
    public DevicePageMap Map { get; }

    /// <summary>
    /// Follows references that this thread just took and a lease is to hold. Null where that is not asked for, or there is no
    /// memory for it: then they are nobody's in particular.
    /// </summary>
    public static LeaseRecord? TryCreate(DevicePageMap map, devmap_page* pages, int pageCount)
    {
        bool isFollowed = TrackKey.IsFollowed(pages, pageCount);
        if (!isFollowed && DevmapLeakScope.Current is null)
            return null;
        LeaseRecord record;
        try
        {
            record = new LeaseRecord(map, pages, pageCount, isFollowed);
        }
        catch (OutOfMemoryException)
        {
            return null;
        }

        record.Own();
        return record;
    }

    /// <summary>Gives the references back; once.</summary>
    public void Dispose()
    {
        GC.SuppressFinalize(this);
        _item?.End();
        PageHolders.ForgetActivity(_owner);
        if (_isFollowed)
        {
            NativeMethods.devmap_put_owned_pages(_pages, (ulong)_pageCount, _owner);
            DiagnosticEvents.LeaseReleased((long)_owner, Stopwatch.GetElapsedTime(_taken));
        }
        else
        {
            NativeMethods.devmap_put_pages(_pages, (ulong)_pageCount);
        }

        // As of any lease: the last put lets a waiting teardown go on.
        GC.KeepAlive(Map);
    }

    /// <summary>Not of the record, which the item is not to keep alive.</summary>
    private static LeakItem? CreateItem(DevicePageMap map, long firstPage, int pageCount) =>
        LeakItem.Begin(() => Describe(map, firstPage, pageCount));

    private void Own()
    {
        if (_isFollowed)
        {
            _stack = NativeMethods.devmap_own_references(_pages, (ulong)_pageCount, _owner);
            StackDepot.Note(_stack);
            PageHolders.NoteActivity(_owner);
        }

        _holds = true;
        if (_isFollowed)
            DiagnosticEvents.LeaseTracked((long)_owner, Map, Map.IndexOf(_pages), _pageCount, _stack);
    }

    /// <summary>
    /// The references stay: a span of the lease may be in use. They keep the map from being torn down, unless somebody gave them
    /// back who did not hold them; then there is no page to show.
    /// </summary>
    private void ReportLost()
    {
        var text = new StringBuilder();
        text.Append(CultureInfo.InvariantCulture, $"a {Describe(Map, Map.IndexOf(_pages), _pageCount)} was lost without being disposed;");
        text.Append(CultureInfo.InvariantCulture, $" taken on managed thread {_thread}{(_threadName is null ? null : $" ({_threadName})")}");
        text.Append(CultureInfo.InvariantCulture, $" {Stopwatch.GetElapsedTime(_taken).TotalSeconds:0.000} s before");
        if (!ProcessLevel.IsFull)
            text.Append(CultureInfo.InvariantCulture, $" (with {nameof(DevmapDiagnostics)}.{nameof(DevmapDiagnostics.Level)} at {nameof(DiagnosticLevel.Full)} every lease is followed)");
        if (StackDepot.Find(_stack) is { } stack)
            text.AppendLine(":").Append(stack);
        FaultReporter.Report(DevmapFaultKind.LostLease, Map.IsDisposed ? null : _pages, text.ToString());
        GC.KeepAlive(Map);
    }

    private static string Describe(DevicePageMap map, long firstPage, int pageCount) => pageCount == 1
        ? string.Create(CultureInfo.InvariantCulture, $"lease of page {firstPage} of {map}")
        : string.Create(CultureInfo.InvariantCulture, $"lease of pages {firstPage} to {firstPage + pageCount - 1} of {map}");
}
