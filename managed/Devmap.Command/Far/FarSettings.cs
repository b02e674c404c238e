// SPDX-License-Identifier: MIT
using System.Globalization;

namespace Devmap.CommandLine.Far;

/// <summary>What <c>devmap far</c> was asked for.</summary>
internal sealed record FarSettings
{
    private const int MaxLz4PageSize = 64 << 20;

    /// <summary>Bytes of data; of the last page all are used.</summary>
    public long Size { get; init; } = 2L << 30;

    /// <summary>Bytes that may be in memory; of the last page none is used.</summary>
    public long Resident { get; init; } = 256 << 20;

    public FarStoreKind Store { get; init; } = FarStoreKind.Lz4;

    /// <summary>The store's file; null for one in the directory for temporary files.</summary>
    public string? Path { get; init; }

    /// <summary>Whether a file that holds data may be taken.</summary>
    public bool Overwrites { get; init; }

    public int PageSize { get; init; } = 4096;

    public int Threads { get; init; } = 4;

    /// <summary>Native threads that serve page faults.</summary>
    public int FaultThreads { get; init; } = 1;

    public FarAccess Access { get; init; } = FarAccess.Mixed;

    /// <summary>Visits of the random walk, in as many as there are pages; null for once as many, or for as long as <see cref="Duration"/> says.</summary>
    public double? Walks { get; init; }

    /// <summary>How long the random walk takes, or null.</summary>
    public TimeSpan? Duration { get; init; }

    /// <summary>Of a hundred random visits, those that write the page anew.</summary>
    public int Writes { get; init; } = 10;

    public HmmFaultService Faults { get; init; } = HmmFaultService.Auto;

    /// <summary>Whether the process is to run in a memory cgroup.</summary>
    public bool IsLimited { get; init; } = true;

    /// <summary>Bytes for that cgroup; null for what the job needs.</summary>
    public long? MemoryLimit { get; init; }

    /// <summary>What contents and every random choice come from.</summary>
    public int Seed { get; init; } = Random.Shared.Next(1, int.MaxValue);

    /// <summary>For tests: called with the memory once it is filled, to spoil what is in it.</summary>
    public Action<FarMemory>? Spoil { get; init; }

    public long Pages => ((Size - 1) / PageSize) + 1;

    /// <summary>Bytes of all pages.</summary>
    public long Length => Pages * PageSize;

    /// <summary>The resident limit: whole pages, and no more than there are.</summary>
    public long ResidentLimit => Math.Min(Resident / PageSize, Pages) * PageSize;

    /// <summary>Why this cannot be, or null.</summary>
    public string? Error => OptionError ?? SizeError;

    private string? OptionError => this switch
    {
        { Path: not null, Store: not FarStoreKind.File } => "--path is the file of --store file.",
        { Overwrites: true, Path: null } => "--overwrite is about the file of --path.",
        { Walks: not null, Duration: not null } => "--walks and --seconds both say how long the random walk is.",
        { IsLimited: false, MemoryLimit: not null } => "--no-limit and --memory-limit exclude each other.",
        { Access: FarAccess.Pointer, Faults: HmmFaultService.None } => "--access pointer needs page faults to be served: --faults none does not.",
        _ => null,
    };

    private string? SizeError
    {
        get
        {
            if (Store == FarStoreKind.Lz4 && PageSize > MaxLz4PageSize)
                return $"--page-size is {new ByteSize(PageSize)}; --store lz4 takes pages of at most {new ByteSize(MaxLz4PageSize)}.";
            long least = Math.Min(Pages, Threads + 1L) * PageSize;
            if (ResidentLimit < least)
                return string.Create(CultureInfo.InvariantCulture, $"--resident is {new ByteSize(Resident)}; {Threads} threads with a page of {new ByteSize(PageSize)} each need at least {new ByteSize(least)}.");
            return MemoryLimit < MemoryPlan.LeastLimit(this)
                ? $"--memory-limit is {new ByteSize(MemoryLimit.Value)}; the program and what is resident need at least {new ByteSize(MemoryPlan.LeastLimit(this))}."
                : null;
        }
    }
}
