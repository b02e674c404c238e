// SPDX-License-Identifier: MIT
using System.Diagnostics.Tracing;
using Devmap.Telemetry;
using Xunit;

namespace Devmap.Tests.Telemetry;

/// <summary>Snapshots as events: in parts, one after the other, while somebody wants them.</summary>
public sealed class SnapshotEventTests
{
    private const long Snapshots = 0x80;

    [Fact]
    public async Task Snapshots_come_while_somebody_listens_and_their_parts_are_their_JSON()
    {
        const int count = 400;
        DevicePageMap[] maps = [.. Enumerable.Range(0, count).Select(static _ => DevicePageMap.Create(new() { PageCount = 1 }))];
        var snapshots = new List<DevmapSnapshot>();
        var parts = new List<string>();
        var seen = new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);
        using (var log = new EventLog(keywords: Snapshots, arguments: Interval("100"), act: Read))
            await seen.Task.WaitAsync(TimeSpan.FromMinutes(1));
        foreach (DevicePageMap map in maps)
            await map.DisposeAsync();

        Assert.All(snapshots, snapshot =>
        {
            Assert.Equal(Environment.ProcessId, snapshot.ProcessId);
            Assert.True(snapshot.MapCount >= count);
        });

        void Read(EventWrittenEventArgs happened)
        {
            var (part, all, json) = ((int)happened.Payload![1]!, (int)happened.Payload[2]!, (string)happened.Payload[3]!);
            if (part == 0)
                parts.Clear();
            parts.Add(json);
            if (part < all - 1 || snapshots.Count == 3)
                return;
            try
            {
                // One that was begun for an earlier session, before the maps were there, may still come.
                if (snapshots.Count == 0 && (all == 1 || parts.Count < all))
                    return;
                Assert.InRange(all, 2, int.MaxValue);
                Assert.Equal(all, parts.Count);
                snapshots.Add(DevmapSnapshot.FromJson(string.Concat(parts)));
                if (snapshots.Count == 3)
                    seen.TrySetResult();
            }
            catch (Exception exception)
            {
                seen.TrySetException(exception);
            }
        }
    }

    [Fact]
    public void They_end_with_the_last_who_listens()
    {
        using (new EventLog(keywords: Snapshots))
        {
            using (new EventLog(keywords: Snapshots, arguments: Interval("60000")))
                Assert.True(DevmapEventSource.Log.TakesSnapshots);
            Assert.True(DevmapEventSource.Log.TakesSnapshots);
        }

        Assert.False(DevmapEventSource.Log.TakesSnapshots);
        using (new EventLog())
            Assert.False(DevmapEventSource.Log.TakesSnapshots);
    }

    [Theory]
    [InlineData("250", 250)]
    [InlineData("1", 100)]
    [InlineData("-5", 100)]
    [InlineData("99999999999", 60_000)]
    [InlineData("soon", null)]
    [InlineData("", null)]
    [InlineData(null, null)]
    public void An_interval_is_kept_within_its_bounds(string? text, int? expected) => Assert.Equal(expected, SnapshotPump.IntervalOf(Interval(text)));

    [Fact]
    public void No_arguments_are_no_interval() => Assert.Null(SnapshotPump.IntervalOf(null));

    [Theory]
    [InlineData(0, 1)]
    [InlineData(1, 1)]
    [InlineData(16_000, 1)]
    [InlineData(16_001, 2)]
    [InlineData(160_000, 10)]
    public void Parts_are_the_whole_and_none_is_too_long(int length, int parts)
    {
        string json = string.Concat(Enumerable.Range(0, length).Select(i => (char)('a' + (i % 26))));
        string[] cut = SnapshotPump.Cut(json);

        Assert.Equal(parts, cut.Length);
        Assert.All(cut, part => Assert.InRange(part.Length, 0, SnapshotPump.MaxPart));
        Assert.Equal(json, string.Concat(cut));
    }

    private static Dictionary<string, string?> Interval(string? text) => new(StringComparer.Ordinal) { [SnapshotPump.IntervalArgument] = text };
}
