// SPDX-License-Identifier: MIT
namespace Devmap.Benchmarks.Suite;

/// <summary>What a child process found for one managed benchmark.</summary>
/// <param name="Name">Class/Method, and the parameters in parentheses.</param>
/// <param name="Nanoseconds">The median iteration's, for one operation.</param>
/// <param name="AllocatedBytes">For one operation.</param>
internal sealed record ManagedFigure(string Name, double Nanoseconds, long AllocatedBytes)
{
    public Sample ToSample() => new(Name, Tool.BenchmarkDotNet, Unit.Nanoseconds, Nanoseconds, AllocatedBytes);
}
