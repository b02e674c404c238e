// SPDX-License-Identifier: MIT
namespace Devmap.CommandLine.Far;

/// <summary>The pages that were wrong: the first few, and how many. Any thread.</summary>
internal sealed class FarMismatches
{
    private const int MaxKept = 5;

    private readonly Lock _lock = new();
    private readonly List<FarMismatch> _first = [];
    private long _pages;
    private long _bytes;

    /// <summary>How many visits of a page found it wrong.</summary>
    public long Pages => Interlocked.Read(ref _pages);

    /// <summary>Bytes that were wrong in them.</summary>
    public long Bytes => Interlocked.Read(ref _bytes);

    public IReadOnlyList<FarMismatch> First
    {
        get
        {
            lock (_lock)
                return [.. _first];
        }
    }

    public void Add(FarMismatch mismatch)
    {
        lock (_lock)
        {
            if (_first.Count < MaxKept)
                _first.Add(mismatch);
        }

        Interlocked.Increment(ref _pages);
        Interlocked.Add(ref _bytes, mismatch.Bytes);
    }
}
