// SPDX-License-Identifier: MIT
using System.Collections.Concurrent;
using Devmap.Native;

namespace Devmap;

/// <summary>
/// For tests: leases, shares, maps, files, far memory and holds of the gate that are taken inside, in the asynchronous flow that
/// began the scope, have to be given back by its end.
/// </summary>
/// <remarks>
/// <para>
/// While a scope is open, the process is followed at <see cref="DiagnosticLevel.Full"/>, whatever
/// <see cref="DevmapDiagnostics.Level"/> says, so that stacks are known. Scopes nest, and those of tests that run beside each
/// other do not see each other's. What is taken in a thread or task that the flow started counts, unless the flow was
/// suppressed there (<see cref="ExecutionContext.SuppressFlow"/>); so it is to have ended, and given back, before the scope ends.
/// </para>
/// <para>
/// <see cref="Dispose"/> throws, as a failed assertion does, even while another exception leaves the block, which is lost then:
/// code that gives back what it took while an exception goes through it leaks nothing, and keeps the exception. Where the two are to be
/// told apart, call <see cref="Verify"/> where the block ends well: after it, <see cref="Dispose"/> throws nothing.
/// </para>
/// </remarks>
public sealed class DevmapLeakScope : IDisposable
{
    private static readonly AsyncLocal<DevmapLeakScope?> s_current = new();
    private static int s_open;

    private readonly ConcurrentDictionary<LeakItem, byte> _items = new();
    private readonly DevmapLeakScope? _outer;
    private volatile bool _ended;
    private volatile bool _verified;
    private int _disposed;

    private DevmapLeakScope(DevmapLeakScope? outer) => _outer = outer;

    /// <summary>Whether a scope is open anywhere.</summary>
    internal static bool IsAnyOpen => Volatile.Read(ref s_open) != 0;

    /// <summary>The innermost open scope of this flow.</summary>
    internal static DevmapLeakScope? Current
    {
        get
        {
            // Each lease asks while anything is followed.
            if (!IsAnyOpen)
                return null;
            DevmapLeakScope? scope = s_current.Value;
            while (scope is { _ended: true })
                scope = scope._outer;
            return scope;
        }
    }

    /// <summary>Begins a scope, inside the one that this flow is in, if any.</summary>
    /// <returns>The scope; dispose it in the method that began it.</returns>
    /// <exception cref="DevmapLoadException">The native library could not be loaded.</exception>
    public static DevmapLeakScope Begin()
    {
        DevmapLibrary.EnsureLoaded();
        var scope = new DevmapLeakScope(Current);
        ProcessLevel.Raise();
        Interlocked.Increment(ref s_open);
        s_current.Value = scope;
        return scope;
    }

    /// <summary>Checks now, instead of at the end, that all is given back; <see cref="Dispose"/> checks no more. Any thread.</summary>
    /// <exception cref="DevmapLeakException">Something is not.</exception>
    public void Verify()
    {
        _verified = true;
        LeakItem[] items = [.. _items.Keys.OrderBy(item => item.Number)];
        if (items.Length > 0)
            throw new DevmapLeakException([.. items.Select(item => item.ToLeak())]);
    }

    /// <summary>Ends the scope; again it does nothing.</summary>
    /// <exception cref="DevmapLeakException">Something that was taken inside is not given back, and <see cref="Verify"/> was not called.</exception>
    public void Dispose()
    {
        if (Interlocked.Exchange(ref _disposed, 1) != 0)
            return;
        _ended = true;
        if (s_current.Value == this)
            s_current.Value = _outer;
        Interlocked.Decrement(ref s_open);
        ProcessLevel.Lower();
        if (!_verified)
            Verify();
    }

    /// <summary>Adds to this scope and those around it.</summary>
    internal void Add(LeakItem item)
    {
        for (DevmapLeakScope? scope = this; scope is not null; scope = scope._outer)
            scope._items.TryAdd(item, 0);
    }

    /// <summary>It was given back.</summary>
    internal void Remove(LeakItem item)
    {
        for (DevmapLeakScope? scope = this; scope is not null; scope = scope._outer)
            scope._items.TryRemove(item, out _);
    }
}
