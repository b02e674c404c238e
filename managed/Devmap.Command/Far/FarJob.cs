// SPDX-License-Identifier: MIT
using System.Diagnostics;
using System.Globalization;
using Devmap.CommandLine.Run;

namespace Devmap.CommandLine.Far;

/// <summary>
/// The job: threads fill far memory that has more data than may be resident, and go through it, in order and at random,
/// verifying every byte. It shows nothing; <see cref="Snapshot"/> tells where it stands, from any thread.
/// </summary>
internal sealed class FarJob : IAsyncDisposable
{
    private static readonly TimeSpan s_sample = TimeSpan.FromMilliseconds(10);

    private readonly FarSettings _settings;
    private readonly DevmapStatistics _before;
    private readonly MemoryGuard _guard;
    private readonly FarMemory _memory;
    private readonly FarLedger _ledger;
    private readonly FaultLog _faults;
    private readonly FarMismatches _mismatches = new();
    private readonly List<FarPhaseReport> _phases = [];
    private readonly List<string> _errors = [];
    private readonly FarWalker[] _walkers;
    private readonly Lock _lock = new();
    private readonly long _started = Stopwatch.GetTimestamp();

    // Under the lock: the memory tells nothing once it is disposed.
    private FarMemoryStatistics _statistics;
    private bool _isClosed;
    private long _peakResident;

    // The phase, and the visits that end it: one reference, so that they belong together.
    private IReadOnlyList<FarTask> _tasks;

    private FarJob(FarSettings settings, DevmapStatistics before, MemoryGuard guard, FarMemory memory, string description, string access)
    {
        _settings = settings;
        _before = before;
        _guard = guard;
        _memory = memory;
        Description = description;
        Access = access;
        _ledger = new FarLedger(settings.Pages);
        _faults = new FaultLog();
        _tasks = FarTask.Divide(FarPhase.Fill, settings);
        var content = new FarContent(settings.Seed);
        _walkers = [.. Enumerable.Range(0, settings.Threads).Select(number =>
            new FarWalker(memory, _ledger, content, _mismatches, settings, number, IsByPointer(settings.Access, number)))];
    }

    /// <summary>The memory and its store.</summary>
    public string Description { get; }

    /// <summary>Who goes through it.</summary>
    public string Access { get; }

    /// <summary>The memory limit that the job runs under.</summary>
    public string LimitDescription => _guard.Description;

    /// <summary>Once it is disposed, why something of its memory limit was left, or null.</summary>
    public string? Warning => _guard.Warning;

    /// <summary>Whether all phases were done to their end; the last one visits every page.</summary>
    private bool IsWhole => _phases is [.., { Phase: FarPhase.Final } last] && last.Visits == _settings.Pages;

    /// <summary>Puts the process under its limit, and makes the memory.</summary>
    /// <param name="settings">What to do.</param>
    /// <param name="files">The cgroups; by default the system's.</param>
    public static FarJob Open(FarSettings settings, ICgroupFiles? files = null)
    {
        DevmapStatistics before = DevmapDiagnostics.ReadStatistics();
        FarStoreFile? file = settings.Store == FarStoreKind.File ? FarStoreFile.Find(settings) : null;
        MemoryPlan plan = MemoryPlan.Of(settings, file is { IsInMemory: true });
        ThrowIfTooLarge(plan);
        MemoryGuard guard = MemoryGuard.Start(plan, settings, files ?? new CgroupFiles());
        FarMemory? memory = null;
        try
        {
            using var device = new HmmDevice(new HmmDeviceOptions { Name = "devmap far", Faults = settings.Faults, FaultThreads = settings.FaultThreads });
            FarSettings possible = settings with { Access = PossibleAccess(settings.Access, device) };
            FarStore store = StoreOf(settings.Store, file);
            memory = FarMemory.Create(device, settings.Length, new FarMemoryOptions
            {
                Store = store,
                ResidentLimit = settings.ResidentLimit,
                PageSize = settings.PageSize,
                ReuseLeases = true,

                // So that a store that fails is reported, and not the end of the process.
                OnError = FarMemoryError.ZeroPage,
            });
            string description = $"{new ByteSize(settings.Length)} in pages of {new ByteSize(settings.PageSize)}, {new ByteSize(settings.ResidentLimit)} of it resident, the rest in {file?.Description ?? store.ToString()}";
            return new FarJob(possible, before, guard, memory, description, DescribeAccess(possible, device));
        }
        catch
        {
            memory?.Dispose();
            guard.Dispose();
            throw;
        }
    }

    public FarSnapshot Snapshot()
    {
        IReadOnlyList<FarTask> tasks = Volatile.Read(ref _tasks);
        return new FarSnapshot
        {
            Elapsed = Stopwatch.GetElapsedTime(_started),
            Phase = tasks[0].Phase,
            Visits = _walkers.Sum(walker => walker.Visits),
            Total = tasks[0].Total is null ? null : tasks.Sum(task => task.Total),
            WrongPages = _mismatches.Pages,
            Statistics = ReadStatistics(),
        };
    }

    /// <summary>Does the job, once.</summary>
    /// <param name="interrupt">Ends it before its time; the report says so.</param>
    public async Task<FarReport> RunAsync(CancellationToken interrupt)
    {
        using var sampling = new CancellationTokenSource();
        Task samples = SampleAsync(sampling.Token);
        foreach (FarPhase phase in Enum.GetValues<FarPhase>())
        {
            _phases.Add(await RunAsync(phase, interrupt).ConfigureAwait(false));
            if (interrupt.IsCancellationRequested || _errors.Count > 0)
                break;
            if (phase == FarPhase.Fill)
                _settings.Spoil?.Invoke(_memory);
        }

        await sampling.CancelAsync().ConfigureAwait(false);
        await samples.ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
        FarMemoryStatistics statistics = ReadStatistics();
        string? leasesLeft = await CloseAsync().ConfigureAwait(false);
        return new FarReport
        {
            Settings = _settings,
            Description = Description,
            Access = Access,
            Phases = _phases,
            IsInterrupted = interrupt.IsCancellationRequested && !IsWhole,
            WrongPages = _mismatches.Pages,
            WrongBytes = _mismatches.Bytes,
            Mismatches = _mismatches.First,
            Errors = _errors,
            Statistics = statistics,
            PeakResident = _peakResident,
            PeakRss = MemoryGuard.PeakRss,
            MemoryLimit = _guard.Summary,
            IsLimitEnforced = _guard.IsEnforced,
            IsPeakObserved = _guard.IsObserved,
            Plan = _guard.Plan,
            LeasesLeft = leasesLeft,
            Faults = _faults.Messages,
            Before = _before,
            After = DevmapDiagnostics.ReadStatistics(),
        };
    }

    /// <summary>Gives everything back. The run, if there was one, must have ended, as <see cref="LiveProgress"/> sees to.</summary>
    public async ValueTask DisposeAsync()
    {
        _faults.Dispose();

        // What could not be closed is in the report.
        _ = await CloseAsync().ConfigureAwait(false);
        _ledger.Dispose();
        _guard.Dispose();
    }

    private static bool IsByPointer(FarAccess access, int number) => access switch
    {
        FarAccess.Lease => false,
        FarAccess.Pointer => true,
        _ => number % 2 == 1,
    };

    private static FarAccess PossibleAccess(FarAccess access, HmmDevice device)
    {
        if (device.Faults != HmmFaultService.None)
            return access;
        return access != FarAccess.Pointer
            ? FarAccess.Lease
            : throw new PlatformNotSupportedException($"--access pointer needs page faults to be served. {device.FaultsAdvice}");
    }

    private static FarStore StoreOf(FarStoreKind kind, FarStoreFile? file) => kind switch
    {
        FarStoreKind.File => FarStore.File(file!.Path),
        FarStoreKind.Lz4 => FarStore.Lz4,
        _ => FarStore.Plain,
    };

    private static string DescribeAccess(FarSettings settings, HmmDevice device)
    {
        int pointers = Enumerable.Range(0, settings.Threads).Count(number => IsByPointer(settings.Access, number));
        string service = device.Faults switch
        {
            HmmFaultService.None => $"no page faults are served{(device.FaultsAdvice is { } advice ? $": {advice.TrimEnd('.')}" : null)}",
            HmmFaultService.User => "page faults are served, but for those of system calls",
            _ => "all page faults are served",
        };
        return string.Create(CultureInfo.InvariantCulture, $"{settings.Threads - pointers} by lease, {pointers} by pointer; {service}");
    }

    /// <summary>Taking all of a machine's memory to find out that it is too little would not be kind to its other users.</summary>
    private static void ThrowIfTooLarge(MemoryPlan plan)
    {
        long memory = GC.GetGCMemoryInfo().TotalAvailableMemoryBytes;
        if (plan.Limit > memory)
            throw new IOException($"This takes up to {new ByteSize(plan.Limit)} of memory, and there are {new ByteSize(memory)} (see --size, --resident and --store).");
    }

    private async Task<FarPhaseReport> RunAsync(FarPhase phase, CancellationToken interrupt)
    {
        IReadOnlyList<FarTask> tasks = FarTask.Divide(phase, _settings);
        FarMemoryStatistics before = ReadStatistics();
        long wrongPages = _mismatches.Pages;
        foreach (FarWalker walker in _walkers)
            walker.Reset();
        Volatile.Write(ref _tasks, tasks);
        long started = Stopwatch.GetTimestamp();
        await WalkAsync(tasks, phase, interrupt).ConfigureAwait(false);
        TimeSpan duration = Stopwatch.GetElapsedTime(started);
        var resident = new LatencyHistogram();
        var absent = new LatencyHistogram();
        foreach (FarWalker walker in _walkers)
        {
            resident.Add(walker.Resident);
            absent.Add(walker.Absent);
        }

        return new FarPhaseReport
        {
            Phase = phase,
            Duration = duration,
            Visits = _walkers.Sum(walker => walker.Visits),
            Writes = _walkers.Sum(walker => walker.Writes),
            Compared = _walkers.Sum(walker => walker.Compared),
            Refused = _walkers.Sum(walker => walker.Refused),
            WrongPages = _mismatches.Pages - wrongPages,
            Resident = resident,
            Absent = absent,
            Before = before,
            After = ReadStatistics(),
        };
    }

    private async Task WalkAsync(IReadOnlyList<FarTask> tasks, FarPhase phase, CancellationToken interrupt)
    {
        using var stop = CancellationTokenSource.CreateLinkedTokenSource(interrupt);
        using var start = new ManualResetEventSlim();
        Task[] walks = [.. _walkers.Zip(tasks, (walker, task) => walker.RunAsync(task, start, stop.Token))];
        if (phase == FarPhase.Random && _settings.Duration is { } duration)
            stop.CancelAfter(duration);
        start.Set();

        // The first that fails ends the others.
        List<Task> left = [.. walks];
        while (left.Count > 0)
        {
            Task walk = await Task.WhenAny(left).ConfigureAwait(false);
            left.Remove(walk);
            if (!walk.IsFaulted)
                continue;
            _errors.Add(walk.Exception!.InnerException!.Message);
            await stop.CancelAsync().ConfigureAwait(false);
        }
    }

    /// <summary>Looks again and again at how much is resident.</summary>
    private async Task SampleAsync(CancellationToken stop)
    {
        while (true)
        {
            _ = ReadStatistics();
            await Task.Delay(s_sample, stop).ConfigureAwait(false);
        }
    }

    private FarMemoryStatistics ReadStatistics()
    {
        lock (_lock)
        {
            if (!_isClosed)
                _statistics = _memory.GetStatistics();
            _peakResident = Math.Max(_peakResident, _statistics.Resident * _settings.PageSize);
            return _statistics;
        }
    }

    /// <summary>Returns why the memory could not be given back.</summary>
    private async Task<string?> CloseAsync()
    {
        lock (_lock)
            _isClosed = true;
        try
        {
            await _memory.DisposeAsync().ConfigureAwait(false);
            return null;
        }
        catch (PagesBusyException exception)
        {
            return exception.Message;
        }
    }
}
