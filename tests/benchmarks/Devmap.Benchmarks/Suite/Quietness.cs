// SPDX-License-Identifier: MIT
namespace Devmap.Benchmarks.Suite;

/// <summary>Whether the machine had time for the benchmarks alone.</summary>
internal sealed record Quietness
{
    private const double MaxBusyCores = 0.1;
    private const double MaxSteal = 0.01;
    private const double MaxSpin = 0.05;

    /// <summary>The part of all cores' time that others took.</summary>
    public required double BusyShare { get; init; }

    public required int Cores { get; init; }

    /// <summary>How many cores that would be.</summary>
    public double BusyCores => BusyShare * Cores;

    /// <summary>The part that the hypervisor took.</summary>
    public required double Steal { get; init; }

    /// <summary>Who took more than a twentieth of a core.</summary>
    public required IReadOnlyList<string> NoisyProcesses { get; init; }

    /// <summary>The spread of a loop that always does the same, as a part of its median.</summary>
    public required double SpinSpread { get; init; }

    public bool Quiet => BusyCores <= MaxBusyCores && Steal <= MaxSteal && SpinSpread <= MaxSpin;

    /// <summary>What is wrong, or nothing.</summary>
    public string Complaint()
    {
        List<string> reasons = [];
        if (BusyCores > MaxBusyCores)
            reasons.Add($"others keep {Show.Ratio(BusyCores)} of its cores busy");
        if (Steal > MaxSteal)
            reasons.Add($"the hypervisor takes {Show.Percent(Steal)} of its time");
        if (SpinSpread > MaxSpin)
            reasons.Add($"a loop that always does the same varies by {Show.Percent(SpinSpread)}");
        if (reasons.Count > 0 && NoisyProcesses.Count > 0)
            reasons.Add($"busy are {string.Join(", ", NoisyProcesses)}");
        return string.Join("; ", reasons);
    }

    /// <summary>The worse of two looks.</summary>
    public Quietness And(Quietness other) => new()
    {
        BusyShare = Math.Max(BusyShare, other.BusyShare),
        Cores = Cores,
        Steal = Math.Max(Steal, other.Steal),
        NoisyProcesses = [.. NoisyProcesses.Union(other.NoisyProcesses, StringComparer.Ordinal)],
        SpinSpread = Math.Max(SpinSpread, other.SpinSpread),
    };
}
