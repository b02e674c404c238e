// SPDX-License-Identifier: MIT
namespace Devmap.Native;

/// <summary>
/// Something taken inside a scope. It does not know the object that holds what was taken, which is to be collected when it is
/// lost.
/// </summary>
internal sealed class LeakItem
{
    private static long s_items;

    private readonly DevmapLeakScope _scope;
    private readonly Func<string> _what;
    private readonly string? _stack = StackDepot.Capture();
    private readonly DateTimeOffset _takenAt = DateTimeOffset.Now;
    private readonly int _thread = Environment.CurrentManagedThreadId;

    private LeakItem(DevmapLeakScope scope, Func<string> what)
    {
        _scope = scope;
        _what = what;
        scope.Add(this);
    }

    /// <summary>Numbers items in the order in which they were taken.</summary>
    public long Number { get; } = Interlocked.Increment(ref s_items);

    /// <summary>An item of this flow's scope; null where there is none.</summary>
    public static LeakItem? Begin(Func<string> what)
    {
        // No scope is open without the key, which is quicker to look at.
        if (!TrackKey.IsEnabled)
            return null;
        return DevmapLeakScope.Current is { } scope ? new LeakItem(scope, what) : null;
    }

    /// <summary>It was given back.</summary>
    public void End() => _scope.Remove(this);

    public DevmapLeak ToLeak() => new() { What = _what(), TakenAt = _takenAt, ManagedThreadId = _thread, Stack = _stack };
}
