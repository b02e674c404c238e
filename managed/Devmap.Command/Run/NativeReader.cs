// SPDX-License-Identifier: MIT
using System.ComponentModel;

namespace Devmap.CommandLine.Run;

/// <summary>The native reader: a thread that the runtime did not start, with the same task as a <see cref="ManagedReader"/>.</summary>
internal sealed unsafe class NativeReader : IDisposable
{
    private readonly Lock _lock = new();
    private nint _reader;
    private ReaderCounts _final;

    /// <summary>Starts it. The file and the ledger stay until it is disposed.</summary>
    public NativeReader(DaxFile file, PageLedger ledger, int maxPages, int seed)
    {
        var config = new NativeReaderConfig
        {
            File = file.DangerousGetHandle(),
            Checksums = ledger.Address,
            PageSize = (ulong)file.Map.PageSize,
            MaxPages = (ulong)maxPages,
            Seed = (ulong)seed + 1,
        };
        nint reader;
        int result = NativeReaderLibrary.devmap_reader_start(&config, &reader);
        if (result != 0)
            throw new IOException($"The native reader did not start: {new Win32Exception(-result).Message}.");
        _reader = reader;
    }

    /// <summary>What it did so far. Any thread.</summary>
    public ReaderCounts Counts
    {
        get
        {
            lock (_lock)
            {
                ReaderCounts counts = _final;
                if (_reader != 0)
                    NativeReaderLibrary.devmap_reader_read(_reader, &counts);
                return counts;
            }
        }
    }

    /// <summary>Stops it and waits for its end. Again it does nothing.</summary>
    public void Dispose()
    {
        lock (_lock)
        {
            if (_reader == 0)
                return;
            ReaderCounts counts;
            NativeReaderLibrary.devmap_reader_stop(_reader, &counts);
            _final = counts;
            _reader = 0;
        }
    }
}
