// SPDX-License-Identifier: MIT
using System.Diagnostics;
using System.Globalization;
using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;
using Xunit;
using static Devmap.Tests.FarMemories;

namespace Devmap.Tests;

/// <summary>
/// The rule that everything native keeps: a managed thread that stands still in a page fault, in the middle of managed code,
/// is served whatever the garbage collector wants of it, as a collection waits for that thread, and all others for it.
/// </summary>
[Collection(FarCollectorCollection.Name)]
public sealed unsafe partial class FarCollectorTests
{
    /// <summary>Environment variable with how long to try, in seconds; 60 unless set.</summary>
    private const string SecondsVariable = "DEVMAP_GC_TEST_SECONDS";

    private const int Pages = 512;
    private const int ResidentPages = 64;
    private const int WordsPerPage = Page / sizeof(long);

    /// <summary>Long: what is looked for does not end by itself, as a machine does that stands still, or waits for its disk.</summary>
    private static readonly TimeSpan s_patience = TimeSpan.FromMinutes(3);

    [Theory]
    [InlineData("plain", 1)]
    [InlineData("lz4", 3)]
    [InlineData("file", 2)]
    public void Faults_are_served_while_memory_is_collected(string store, int faultThreads)
    {
        if (!ServesFaults)
            return;
        using var directory = new TemporaryDirectory();
        var observer = new CountingObserver();
        using HmmDevice device = new(new() { FaultThreads = faultThreads });
        FarMemory memory = FarMemory.Create(
            device, Pages * Page, new() { Store = Store(store, directory), ResidentLimit = ResidentPages * Page, Observer = observer });
        int[] collections = [GC.CollectionCount(0), GC.CollectionCount(1), GC.CollectionCount(2)];
        Worker[] workers = Run(memory, TimeSpan.FromSeconds(Seconds() / 3.0));
        FarMemoryStatistics statistics = memory.GetStatistics();
        Verify(memory, workers);
        memory.Dispose();

        Assert.NotEqual(0, statistics.DeviceFaults);
        Assert.NotEqual(0, statistics.ToDevice);
        Assert.Equal(0, statistics.FaultsFailed);
        Assert.True(observer.Faults + observer.Lost > 0);
        for (int generation = 0; generation < collections.Length; generation++)
            Assert.True(GC.CollectionCount(generation) - collections[generation] > 10);
    }

    private static Worker[] Run(FarMemory memory, TimeSpan time)
    {
        Action<Worker>[] work =
        [
            worker => Touch(memory, worker),
            worker => Touch(memory, worker),
            worker => Lease(memory, worker),
            worker => Copy(memory, worker),
            worker => Evict(memory, worker),
            Allocate,
            Collect,
        ];
        Worker[] workers = [.. work.Select((action, number) => new Worker(number, action))];
        using var watchdog = new Watchdog(workers);
        long started = Stopwatch.GetTimestamp();
        foreach (Worker worker in workers)
            worker.Start();
        while (Stopwatch.GetElapsedTime(started) < time && workers.All(worker => worker.Error is null))
            Thread.Sleep(100);
        foreach (Worker worker in workers)
            worker.Stop();
        foreach (Worker worker in workers)
            worker.Join();
        Assert.All(workers, worker => Assert.Null(worker.Error));
        Assert.All(workers, worker => Assert.NotEqual(0, worker.Progress));
        return workers;
    }

    /// <summary>
    /// Reads and writes pages by plain pointer, in cooperative mode. Each page has a word of each worker, where that one counts
    /// what it wrote.
    /// </summary>
    private static void Touch(FarMemory memory, Worker worker)
    {
        long page = worker.Random.Next(Pages);
        ref long word = ref Word(memory.DangerousGetPointer(), page, worker.Number);
        long seen = word;
        Check(worker.Written(page), seen);
        if (worker.Random.Next(2) == 0)
        {
            word = seen + 1;
            worker.Wrote(page);
        }

        // Objects that are young when the next fault comes, which the collector moves.
        string young = page.ToString(CultureInfo.InvariantCulture);
        long next = (page + 1) % Pages;
        Check(worker.Written(next), Word(memory.DangerousGetPointer(), next, worker.Number));
        Check(page, long.Parse(young, CultureInfo.InvariantCulture));
    }

    private static void Lease(FarMemory memory, Worker worker)
    {
        long page = worker.Random.Next(Pages - 4);
        int count = worker.Random.Next(1, 5);
        bool write = worker.Random.Next(2) == 0;
        PageLease lease;
        try
        {
            lease = write ? memory.Lease(page * Page, count * Page) : memory.LeaseForReading(page * Page, count * Page);
        }
        catch (PagesBusyException)
        {
            return;
        }

        using (lease)
        {
            fixed (byte* bytes = lease.ReadOnlySpan)
            {
                for (int i = 0; i < count; i++)
                {
                    ref long word = ref Word(bytes, i, worker.Number);
                    Check(worker.Written(page + i), word);
                    if (!write)
                        continue;
                    word++;
                    worker.Wrote(page + i);
                }
            }
        }
    }

    /// <summary>Copies by what the runtime copies with, which the collector does not interrupt; from pages to the heap and back.</summary>
    private static void Copy(FarMemory memory, Worker worker)
    {
        long page = worker.Random.Next(Pages - 1);
        var words = new long[WordsPerPage];
        new ReadOnlySpan<long>(memory.DangerousGetPointer() + (page * Page), WordsPerPage).CopyTo(words);
        Check(worker.Written(page), words[worker.Number]);
        Word(memory.DangerousGetPointer(), page, worker.Number) = words[worker.Number] + 1;
        worker.Wrote(page);
    }

    private static void Evict(FarMemory memory, Worker worker)
    {
        long page = worker.Random.Next(Pages);
        long count = worker.Random.Next(1, (int)(Pages - page) + 1);
#pragma warning disable VSTHRD002 // The worker has a thread of its own.
        FarMigration migration = memory.EvictAsync(page * Page, count * Page).GetAwaiter().GetResult();
        if (worker.Random.Next(4) == 0)
            migration = memory.PrefetchAsync(page * Page, Math.Min(count, 8) * Page).GetAwaiter().GetResult();
#pragma warning restore VSTHRD002
        Assert.Null(migration.Error);
        Thread.Sleep(worker.Random.Next(3));
    }

    private static void Allocate(Worker worker)
    {
        worker.Keep[worker.Random.Next(worker.Keep.Length)] = new byte[worker.Random.Next(10) == 0 ? 100_000 : worker.Random.Next(1, 2000)];
    }

    private static void Collect(Worker worker)
    {
        int generation = worker.Random.Next(3);
        GC.Collect(generation, GCCollectionMode.Forced, blocking: true, compacting: generation == 2 && worker.Random.Next(2) == 0);
    }

    [MethodImpl(MethodImplOptions.NoInlining)]
    private static ref long Word(byte* memory, long page, int word) => ref ((long*)(memory + (page * Page)))[word];

    private static void Check(long expected, long seen)
    {
        if (expected != seen)
            throw new InvalidOperationException($"Found {seen} instead of {expected}.");
    }

    private static void Verify(FarMemory memory, Worker[] workers)
    {
        for (long page = 0; page < Pages; page++)
        {
            using PageLease lease = memory.LeaseForReading(page * Page, Page);
            ReadOnlySpan<long> words = MemoryMarshal.Cast<byte, long>(lease.ReadOnlySpan);
            foreach (Worker worker in workers)
                Assert.Equal(worker.Written(page), words[worker.Number]);
            Assert.Equal(-1, words[workers.Length..].IndexOfAnyExcept(0L));
        }
    }

    private static double Seconds() =>
        Environment.GetEnvironmentVariable(SecondsVariable) is { Length: > 0 } seconds ? double.Parse(seconds, CultureInfo.InvariantCulture) : 60;

    private sealed class Worker
    {
        private readonly Thread _thread;
        private readonly long[] _written = new long[Pages];
        private volatile bool _stop;
        private long _progress;

        public Worker(int number, Action<Worker> work)
        {
            Number = number;
            Random = new Random(number);
            _thread = new Thread(() => Work(work)) { IsBackground = true, Name = $"worker {number}" };
        }

        public int Number { get; }

        public Random Random { get; }

        public byte[]?[] Keep { get; } = new byte[1000][];

        public long Progress => Interlocked.Read(ref _progress);

        public Exception? Error { get; private set; }

        public bool Runs => _thread.IsAlive;

        public long Written(long page) => _written[page];

        public void Wrote(long page) => _written[page]++;

        public void Start() => _thread.Start();

        public void Stop() => _stop = true;

        public void Join() => _thread.Join();

        private void Work(Action<Worker> work)
        {
            try
            {
                for (; !_stop; Interlocked.Increment(ref _progress))
                    work(this);
            }
#pragma warning disable CA1031 // The test's to throw.
            catch (Exception exception)
#pragma warning restore CA1031
            {
                Error = exception;
            }
        }
    }

    [LibraryImport("libc", EntryPoint = "alarm")]
    private static partial uint Alarm(uint seconds);

    /// <summary>
    /// Ends the process when a worker stands still for too long. It would stand still itself, as a managed thread, behind a
    /// collection that does not end: then the alarm that it puts off each second goes off, by which the system ends the
    /// process (SIGALRM). All that the test's runner can say of it is that its host crashed.
    /// </summary>
    private sealed class Watchdog : IDisposable
    {
        private readonly Worker[] _workers;
        private readonly Thread _thread;
        private readonly ManualResetEventSlim _end = new();

        public Watchdog(Worker[] workers)
        {
            _workers = workers;
            _thread = new Thread(Watch) { IsBackground = true, Name = "watchdog", Priority = ThreadPriority.Highest };
            _thread.Start();
        }

        public void Dispose()
        {
            _end.Set();
            _thread.Join();
            _ = Alarm(0);
            _end.Dispose();
        }

        private void Watch()
        {
            long[] seen = new long[_workers.Length];
            long[] since = new long[_workers.Length];
            Array.Fill(since, Stopwatch.GetTimestamp());
            while (!_end.Wait(TimeSpan.FromSeconds(1)))
            {
                _ = Alarm((uint)s_patience.TotalSeconds);
                for (int i = 0; i < _workers.Length; i++)
                {
                    long progress = _workers[i].Progress;
                    if (progress != seen[i] || !_workers[i].Runs)
                    {
                        seen[i] = progress;
                        since[i] = Stopwatch.GetTimestamp();
                    }
                    else if (Stopwatch.GetElapsedTime(since[i]) > s_patience)
                    {
                        Environment.FailFast($"Worker {i} has stood still for {s_patience}, after {progress} steps.");
                    }
                }
            }
        }
    }

    private sealed class CountingObserver : FarMemoryObserver
    {
        private long _faults;
        private long _lost;

        public long Faults => Interlocked.Read(ref _faults);

        public long Lost => Interlocked.Read(ref _lost);

        protected internal override void OnFault(in FarFault fault)
        {
            // It allocates, as observers do.
            _ = fault.ToString();
            Interlocked.Increment(ref _faults);
        }

        protected internal override void OnLost(long events) => Interlocked.Add(ref _lost, events);
    }
}
