// SPDX-License-Identifier: MIT
using System.ComponentModel;
using System.Diagnostics;

namespace Devmap.CommandLine.Run;

/// <summary>
/// The main job: readers, managed and native, lease and verify pages of a file that is truncated and grown under them. It
/// shows nothing; <see cref="Snapshot"/> tells where it stands, from any thread.
/// </summary>
internal sealed class RunJob : IAsyncDisposable
{
    private readonly RunSettings _settings;
    private readonly DevmapStatistics _before;
    private readonly FaultLog _faults;
    private readonly IdleCounter _driver;
    private readonly WorkFile _work;
    private readonly PageLedger _ledger;
    private readonly Truncator _truncator;
    private readonly ManagedReader[] _managed;
    private readonly RunRecorder? _recorder;
    private NativeReader? _native;
    private long _started;

    private RunJob(RunSettings settings, DevmapStatistics before, IdleCounter driver, WorkFile work)
    {
        _settings = settings;
        _before = before;
        _driver = driver;
        _work = work;
        _ledger = new PageLedger(_work.Size / settings.PageSize);
        _truncator = new Truncator(_work, _ledger, settings.Seed);
        _managed = [.. Enumerable.Range(1, settings.Readers).Select(number =>
            new ManagedReader(_work.File, _ledger, ReadSizes.MaxPages(settings.PageSize), unchecked(settings.Seed + number)))];
        _faults = new FaultLog();
        _recorder = settings.Report is null ? null : new RunRecorder();
    }

    /// <summary>The file.</summary>
    public string Description => _work.Description;

    /// <summary>The snapshots that were taken, oldest first; the last one is of the end. None where no report is wanted.</summary>
    public IReadOnlyList<DevmapSnapshot> Recorded => _recorder?.Snapshots ?? [];

    /// <summary>Opens and claims the file.</summary>
    public static async Task<RunJob> OpenAsync(RunSettings settings)
    {
        DevmapStatistics before = DevmapDiagnostics.ReadStatistics();
        var driver = new IdleCounter();
        WorkFile work = WorkFile.Open(settings, driver);
        try
        {
            return new RunJob(settings, before, driver, work);
        }
        catch
        {
            await work.DisposeAsync().ConfigureAwait(false);
            throw;
        }
    }

    public RunSnapshot Snapshot()
    {
        ReaderCounts managed = ManagedCounts();
        ReaderCounts native = NativeCounts();
        long started = Volatile.Read(ref _started);
        return new RunSnapshot
        {
            Elapsed = started == 0 ? TimeSpan.Zero : Stopwatch.GetElapsedTime(started),
            Length = _truncator.Length,
            Managed = managed,
            Native = native,
            BytesVerified = BytesOf(managed) + BytesOf(native),
            IdleCallbacks = _driver.Pages,
            Truncations = _truncator.Truncations,
            Growths = _truncator.Growths,
        };
    }

    /// <summary>Does the job, once.</summary>
    /// <param name="interrupt">Ends it before its time; the report says so.</param>
    /// <exception cref="IOException">The file could not be filled: the disk is full, or somebody else changed the file.</exception>
    public async Task<RunReport> RunAsync(CancellationToken interrupt)
    {
        await _truncator.CompleteAsync(interrupt).ConfigureAwait(false);
        Volatile.Write(ref _started, Stopwatch.GetTimestamp());
        List<string> readerErrors = await ReadAndTruncateAsync(interrupt).ConfigureAwait(false);
        TimeSpan duration = Stopwatch.GetElapsedTime(_started);
        await _truncator.CompleteAsync(interrupt).ConfigureAwait(false);

        ReaderCounts managed = ManagedCounts();
        ReaderCounts native = NativeCounts();
        long finalLength = _work.OrdinaryLength;
        long wrongPages = CountWrongPages();
        _work.IsDone = true;
        _recorder?.Take();
        string? leasesLeft = await CloseAsync().ConfigureAwait(false);
        return new RunReport
        {
            Description = Description,
            Seed = _settings.Seed,
            Duration = duration,
            IsInterrupted = interrupt.IsCancellationRequested,
            Managed = managed,
            Native = native,
            BytesVerified = BytesOf(managed) + BytesOf(native),
            ReaderErrors = readerErrors,
            IdleCallbacks = _driver.Pages,
            Truncations = _truncator.Truncations,
            Waits = _truncator.Waits,
            GivenUp = _truncator.GivenUp,
            HalfDone = _truncator.HalfDone,
            Growths = _truncator.Growths,
            ExpectedLength = _work.Size,
            FinalLength = finalLength,
            WrongPages = wrongPages,
            LeasesLeft = leasesLeft,
            Faults = _faults.Messages,
            Before = _before,
            After = DevmapDiagnostics.ReadStatistics(),
        };
    }

    /// <summary>Gives everything back. The run, if there was one, has ended.</summary>
    public async ValueTask DisposeAsync()
    {
        _native?.Dispose();
        _recorder?.Dispose();
        _faults.Dispose();
        try
        {
            await _work.DisposeAsync().ConfigureAwait(false);
        }
        catch (PagesBusyException)
        {
            // The report has it.
        }

        _ledger.Dispose();
    }

    /// <summary>Returns the errors that ended readers.</summary>
    private async Task<List<string>> ReadAndTruncateAsync(CancellationToken interrupt)
    {
        using var reading = new CancellationTokenSource();
        using var start = new ManualResetEventSlim();
        Task[] readers = [.. _managed.Select(reader => reader.RunAsync(start, reading.Token))];
        start.Set();
        try
        {
            _native = new NativeReader(_work.File, _ledger, ReadSizes.MaxPages(_settings.PageSize), _settings.Seed);
            using var truncating = CancellationTokenSource.CreateLinkedTokenSource(interrupt);
            truncating.CancelAfter(_settings.Duration);
            Task recording = _recorder?.RunAsync(_settings.Duration, truncating.Token) ?? Task.CompletedTask;
            try
            {
                await _truncator.RunAsync(truncating.Token).ConfigureAwait(false);
            }
            finally
            {
                await truncating.CancelAsync().ConfigureAwait(false);
                await recording.ConfigureAwait(false);
            }
        }
        finally
        {
            await reading.CancelAsync().ConfigureAwait(false);
            await Task.WhenAll(readers).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
            _native?.Dispose();
        }

        List<string> errors = [.. readers.Where(reader => reader.IsFaulted).Select(reader => reader.Exception!.InnerException!.Message)];
        if (NativeCounts().Error is var error and not 0)
            errors.Add($"the native reader: {new Win32Exception((int)-error).Message}");
        return errors;
    }

    /// <summary>Holds what ordinary input reads against what was written through the map.</summary>
    private long CountWrongPages()
    {
        long wrong = 0;
        byte[] page = new byte[_settings.PageSize];
        for (long index = 0; index < _ledger.Pages; index++)
        {
            if (_ledger[index] == 0)
                continue;
            _work.ReadOrdinary(page, index * page.Length);
            if (PageChecksum.Compute(page, index) != _ledger[index])
                wrong++;
        }

        return wrong;
    }

    /// <summary>Returns why the file could not be closed.</summary>
    private async Task<string?> CloseAsync()
    {
        try
        {
            await _work.DisposeAsync().ConfigureAwait(false);
            return null;
        }
        catch (PagesBusyException exception)
        {
            return exception.Message;
        }
    }

    private ReaderCounts ManagedCounts() => _managed.Aggregate(default(ReaderCounts), (sum, reader) => sum + reader.Counts);

    private ReaderCounts NativeCounts() => _native?.Counts ?? default;

    private long BytesOf(ReaderCounts counts) => counts.Pages * _settings.PageSize;
}
