// SPDX-License-Identifier: MIT
using Devmap.CommandLine.Run;
using Xunit;

namespace Devmap.Tests.Command;

/// <summary>What a report must say for a run to have kept its contracts.</summary>
public sealed class RunContractTests : IAsyncLifetime
{
    private RunReport _report = null!;

    /// <summary>Reports of runs that broke a contract, by its name.</summary>
    public static TheoryData<string> Broken => [.. s_broken.Keys];

    private static readonly Dictionary<string, Func<RunReport, RunReport>> s_broken = new()
    {
        ["every page held what was written to it"] = report => report with { Native = report.Native with { Mismatches = 1 } },
        ["one idle callback for each idle edge"] = report => report with { IdleCallbacks = report.IdleCallbacks - 1 },
        ["every page that came into use went idle"] = report => report with { Before = DevmapDiagnostics.ReadStatistics(), After = WithUse(), IdleCallbacks = 0 },
        ["the gate is as it was"] = report => report with { After = WithGate() },
        ["no faults"] = report => report with { Faults = ["Underflow: a reference was dropped that nobody held"] },
        ["every lease came back"] = report => report with { LeasesLeft = "Disposing timed out" },
        ["nothing was left open"] = report => report with { After = WithMap() },
        ["a truncation that gave up changed nothing"] = report => report with { GivenUp = 2, HalfDone = 1 },
        ["the file is what it should be by ordinary reads"] = report => report with { FinalLength = report.FinalLength - 1 },
        ["every reader lasted"] = report => report with { ReaderErrors = ["out of memory"] },
    };

    public async Task InitializeAsync()
    {
        await using RunJob job = await RunJob.OpenAsync(new RunSettings { Duration = TimeSpan.FromMilliseconds(50), Size = 1 << 20 });
        _report = await job.RunAsync(CancellationToken.None);
    }

    public Task DisposeAsync() => Task.CompletedTask;

    [Fact]
    public void A_slow_callback_breaks_none()
    {
        RunReport report = _report with { After = _report.After with { SlowCallbackFaults = _report.After.SlowCallbackFaults + 1 } };

        Assert.NotEqual(report.Before.Faults, report.After.Faults);
        Assert.True(report.IsSuccess);
    }

    [Fact]
    public void A_run_keeps_them_all()
    {
        Assert.True(_report.IsSuccess);
        Assert.Equal(s_broken.Keys, _report.Contracts.Select(contract => contract.Name));
    }

    [Theory]
    [MemberData(nameof(Broken))]
    public void Is_broken(string name)
    {
        RunReport report = s_broken[name](_report);

        Assert.False(report.IsSuccess);
        Assert.False(report.Contracts.Single(contract => contract.Name == name).IsKept);
    }

    private static DevmapStatistics WithUse()
    {
        using DevicePageMap map = DevicePageMap.Create(new DevicePageMapOptions { Type = MemoryType.DeviceHost, PageCount = 1 });
        using PageLease lease = map.Lease(0, 1);
        return DevmapDiagnostics.ReadStatistics();
    }

    private static DevmapStatistics WithGate()
    {
        using DevmapGateHold hold = DevmapGate.Hold();
        return DevmapDiagnostics.ReadStatistics();
    }

    private static DevmapStatistics WithMap()
    {
        using DevicePageMap map = DevicePageMap.Create(new DevicePageMapOptions { Type = MemoryType.DeviceHost, PageCount = 1 });
        return DevmapDiagnostics.ReadStatistics();
    }
}
