// SPDX-License-Identifier: MIT
using System.Diagnostics;
using System.Diagnostics.Tracing;
using Microsoft.Diagnostics.NETCore.Client;
using Microsoft.Diagnostics.Tracing;
using Microsoft.Diagnostics.Tracing.Parsers;
using Xunit;

namespace Devmap.Tests.Telemetry;

/// <summary>
/// What dotnet-counters and dotnet-trace see: another process, in which no line of code speaks of metrics, asked through the
/// diagnostics client.
/// </summary>
public sealed class EventPipeTests
{
    // Keywords of the runtime's source of metrics, and no bit beyond.
    private const long TimeSeriesValues = 2;

    private static readonly TimeSpan s_patience = TimeSpan.FromMinutes(2);

    [Fact]
    public async Task Metrics_arrive_out_of_process()
    {
        using Process process = await StartAsync();
        var arguments = new Dictionary<string, string>(StringComparer.Ordinal)
        {
            ["SessionId"] = "devmap-tests",
            ["ClientId"] = "devmap-tests",
            ["Metrics"] = "Devmap",
            ["RefreshInterval"] = "0.1",
            ["MaxTimeSeries"] = "1000",
            ["MaxHistograms"] = "20",
        };
        var expected = Instruments.All.Where(line => !line.StartsWith("gauge devmap.callback", StringComparison.Ordinal) && !line.StartsWith("gauge devmap.layout", StringComparison.Ordinal)).Select(line => line.Split(' ')[1]).ToHashSet(StringComparer.Ordinal);
        var values = new Dictionary<string, string>(StringComparer.Ordinal);
        await ObserveAsync(process, new EventPipeProvider("System.Diagnostics.Metrics", EventLevel.Informational, TimeSeriesValues, arguments), happened =>
        {
            if (happened.EventName.EndsWith("ValuePublished", StringComparison.Ordinal) && Equals(happened.PayloadByName("meterName"), "Devmap"))
                values[$"{happened.PayloadByName("instrumentName")}{{{happened.PayloadByName("tags")}}}"] = $"{happened.PayloadByName("value") ?? happened.PayloadByName("lastValue")}";
            return values.Keys.Select(key => key.Split('{')[0]).ToHashSet(StringComparer.Ordinal).IsSupersetOf(expected)
                && values["devmap.page.count{devmap.memory.type=device_public,devmap.page.state=in_use}"] == "3";
        });
        await EndAsync(process);

        Assert.Equal("1", values["devmap.map.count{devmap.map.state=live,devmap.memory.type=device_public}"]);
        Assert.Equal("5", values["devmap.page.count{devmap.memory.type=device_public,devmap.page.state=idle}"]);
        Assert.Equal("1", values["devmap.gate.holders{devmap.gate.holder=map}"]);
    }

    [Fact]
    public async Task Events_and_snapshots_arrive_out_of_process()
    {
        using Process process = await StartAsync();
        var arguments = new Dictionary<string, string>(StringComparer.Ordinal) { ["SnapshotIntervalMilliseconds"] = "100" };
        var names = new HashSet<string>(StringComparer.Ordinal);
        var parts = new List<string>();
        DevmapSnapshot? snapshot = null;
        string? fault = null;
        await ObserveAsync(process, new EventPipeProvider("Devmap", EventLevel.Verbose, 0xff, arguments), happened =>
        {
            names.Add(happened.EventName);
            if (happened.EventName == "Snapshot")
            {
                if ((int)happened.PayloadByName("part") == 0)
                    parts.Clear();
                parts.Add((string)happened.PayloadByName("json"));
                if (parts.Count < (int)happened.PayloadByName("parts") || snapshot is not null)
                    return false;

                // The session is there: what happens from here on arrives.
                snapshot = DevmapSnapshot.FromJson(string.Concat(parts));
                process.StandardInput.WriteLine("act");
                process.StandardInput.Flush();
            }
            else if (happened.EventName == "Misuse")
            {
                fault = (string)happened.PayloadByName("kind");
                Assert.Equal(7, (int)happened.ID);
                Assert.Equal(3L, happened.PayloadByName("page"));
            }

            return names.IsSupersetOf(["Snapshot", "MapCreated", "MapDisposed", "GateHeld", "GateReleased", "Misuse"]);
        });
        await EndAsync(process);

        Assert.Equal("Underflow", fault);
        Assert.Equal(process.Id, snapshot!.ProcessId);
        MapSnapshot map = Assert.Single(snapshot.Maps);
        Assert.Equal((8, 3, MemoryType.DevicePublic), (map.PageCount, map.PagesInUse, map.Type));
    }

    /// <summary>A process with eight pages of which three are leased, that does something for each line that it is told.</summary>
    private static async Task<Process> StartAsync()
    {
        Process process = ChildProcess.Start(static _ =>
        {
            var driver = new CountingDriver();
            using DevicePageMap map = DevicePageMap.Create(new() { Type = MemoryType.DevicePublic, PageCount = 8, Driver = driver });
            using PageLease lease = map.Lease(0, 3);
            Console.WriteLine("ready");
            while (Console.ReadLine() is not null)
            {
                DevmapGate.Hold().Dispose();
                using DevicePageMap other = DevicePageMap.Create(new() { Type = MemoryType.DevicePublic, PageCount = 8, Driver = driver });
                other.Lease(3).Dispose();
                NativeReferences.Put(other[3]);
            }
        });
        process.ErrorDataReceived += static (_, _) => { };
        process.BeginErrorReadLine();
        while (await process.StandardOutput.ReadLineAsync() is { } line)
        {
            if (line == "ready")
                return process;
        }

        throw new InvalidOperationException("The process ended before it was ready.");
    }

    private static async Task EndAsync(Process process)
    {
        process.StandardInput.Close();
        await process.WaitForExitAsync().WaitAsync(s_patience);
        Assert.Equal(0, process.ExitCode);
    }

    /// <summary>Listens to a provider until <paramref name="isEnough"/> says so of an event.</summary>
    private static async Task ObserveAsync(Process process, EventPipeProvider provider, Func<TraceEvent, bool> isEnough)
    {
        var enough = new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);
        var client = new DiagnosticsClient(process.Id);
        using EventPipeSession session = await client.StartEventPipeSessionAsync([provider], requestRundown: false, circularBufferMB: 16, CancellationToken.None);
        Task reading = Task.Factory.StartNew(
            () =>
            {
                using var source = new EventPipeEventSource(session.EventStream);
                new DynamicTraceEventParser(source).All += happened =>
                {
                    try
                    {
                        if (happened.ProviderName == provider.Name && !enough.Task.IsCompleted && isEnough(happened))
                            enough.TrySetResult();
                    }
                    catch (Exception exception)
                    {
                        enough.TrySetException(exception);
                    }
                };
                source.Process();
            },
            CancellationToken.None,
            TaskCreationOptions.LongRunning,
            TaskScheduler.Default);
        await enough.Task.WaitAsync(s_patience);
        await session.StopAsync(CancellationToken.None);
        await reading.WaitAsync(s_patience);
    }
}
