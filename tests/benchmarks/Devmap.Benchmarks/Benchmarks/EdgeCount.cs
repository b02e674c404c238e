// SPDX-License-Identifier: MIT
namespace Devmap.Benchmarks;

/// <summary>What libdevmap counts from here on: it sees the edges whose driver cannot count, too.</summary>
internal sealed class EdgeCount
{
    private readonly DevmapStatistics _before = DevmapDiagnostics.ReadStatistics();

    /// <summary>Pages that the benchmark made idle.</summary>
    public long Expected { get; set; }

    /// <summary>Once everything is given back.</summary>
    public void Verify()
    {
        DevmapStatistics now = DevmapDiagnostics.ReadStatistics();
        Checks.Equal(Expected, now.IdleEdges - _before.IdleEdges, "idle edges");
        Checks.Equal(Expected, now.Activations - _before.Activations, "activations");
        Checks.Equal(0, now.Faults - _before.Faults, "faults");
        Checks.Equal(_before.PageMaps.Current, now.PageMaps.Current, "page maps left");
    }
}
