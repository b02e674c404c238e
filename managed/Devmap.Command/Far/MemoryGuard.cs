// SPDX-License-Identifier: MIT
using System.Globalization;

namespace Devmap.CommandLine.Far;

/// <summary>
/// Sees to it that a job takes no more memory than planned: by a cgroup where one can be made, else by looking at how much it
/// was in the end.
/// </summary>
internal sealed class MemoryGuard : IDisposable
{
    private readonly MemoryCgroup? _group;
    private readonly string? _obstacle;

    private MemoryGuard(MemoryPlan plan, MemoryCgroup? group, string? obstacle)
    {
        Plan = plan;
        _group = group;
        _obstacle = obstacle;
    }

    public MemoryPlan Plan { get; }

    /// <summary>The limit that the process runs under, and what that shows, in a sentence.</summary>
    public string Description
    {
        get
        {
            string limit = _group is null
                ? $"No memory limit: {_obstacle}."
                : $"Memory limit: {Limit} for the program and what it has in memory.";
            if (!Plan.Proves)
                return $"{limit} Nothing is proved: this may take {new ByteSize(Plan.Limit)}, which is not less than the data.";
            if (_group is { IsSwapLimited: false })
                return $"{limit} Nothing is proved: there is swap, which is not limited.";
            return IsObserved ? $"{limit} The program's peak must stay below the data's {new ByteSize(Plan.Size)} instead." : limit;
        }
    }

    /// <summary>The same in a few words.</summary>
    public string Summary => _group is null
        ? $"none: {_obstacle}"
        : $"{Limit}{(_group.Peak is { } peak ? $"; its peak is {new ByteSize(peak)}" : null)}{(_group.IsSwapLimited ? null : "; swap is not limited")}";

    /// <summary>Whether the system itself keeps the limit, for swap too.</summary>
    public bool IsEnforced => _group is { IsSwapLimited: true };

    /// <summary>Once it is disposed, why something of the cgroup was left, or null.</summary>
    public string? Warning => _group?.Warning;

    /// <summary>Whether a peak above the data's size is to be held against the job.</summary>
    public bool IsObserved => _group is null && _obstacle != AsAsked && Plan.Proves;

    /// <summary>The most bytes of the process that were in memory at once.</summary>
    public static long PeakRss
    {
        get
        {
            string line = File.ReadLines("/proc/self/status").First(line => line.StartsWith("VmHWM:", StringComparison.Ordinal));
            return long.Parse(line.Split((char[]?)null, StringSplitOptions.RemoveEmptyEntries)[1], CultureInfo.InvariantCulture) * 1024;
        }
    }

    private static string AsAsked => "--no-limit";

    private string Limit => $"{new ByteSize(Plan.Limit)} by the cgroup {Path.GetFileName(_group!.Directory)} (version {_group.Version.ToString(CultureInfo.InvariantCulture)})";

    public static MemoryGuard Start(MemoryPlan plan, FarSettings settings, ICgroupFiles files)
    {
        if (!settings.IsLimited)
            return new MemoryGuard(plan, group: null, AsAsked);
        try
        {
            var group = MemoryCgroup.Enter(files, Environment.ProcessId, plan.Limit);
            LastSteps.Add(group);
            return new MemoryGuard(plan, group, obstacle: null);
        }
        catch (Exception exception) when (exception is IOException or UnauthorizedAccessException)
        {
            return new MemoryGuard(plan, group: null, exception.Message.TrimEnd('.'));
        }
    }

    public void Dispose()
    {
        if (_group is null)
            return;
        _group.Dispose();
        LastSteps.Remove(_group);
    }
}
