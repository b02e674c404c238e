// SPDX-License-Identifier: MIT
using System.Globalization;
using System.Text.Json;
using System.Text.Json.Nodes;
using Devmap.Native;
using Xunit;

namespace Devmap.Tests.Diagnostics;

/// <summary>Snapshots as JSON and in files, whole and damaged.</summary>
public sealed class SnapshotJsonTests : IDisposable
{
    private readonly TemporaryDirectory _directory = new();

    public static TheoryData<string, string, string> Damages => new()
    {
        { "mapCount", "4", "it counts other maps than it has" },
        { "processId", "0", "its process has no number" },
        { "trackedReferences", "-1", "less than no references" },
        { "gate.userHolders", "9", "more holders that are users" },
        { "gate.changes", "1", "changed less often" },
        { "callbacks.count", "7", "its callbacks are not as many as their buckets" },
        { "layoutBreaks.buckets", "[1]", "its layout breaks have 1 buckets, and not 40" },
        { "maps.0.pagesInUse", "16385", "map 3 has more pages in use than pages" },
        { "maps.0.length", "1", "map 3 has another length than its pages" },
        { "maps.0.id", "6", "not in the order of their ids" },
        { "maps.0.type", "77", "map 3 has a type" },
        { "maps.2.resident", "-1", "map 9 has more pages of far memory than pages" },
        { "maps.0.heatMap.pagesPerCell", "8", "map 3 has a heat map of another size" },
        { "maps.0.heatMap.cells", "\"AA==\"", "map 3 has a heat map of another size" },
        { "maps.0.heatMap.cells", "\"gA==\"", "A heat map's cells are cut off" },
        { "maps.0.heatMap.cells", "\"Af//////fw==\"", "A heat map's cells are cut off" },
        { "maps.0.heatMap.cells", "\"Af///w8=\"", "A heat map's cells are damaged" },
        { "maps.0.heatMap.cells", "\"!\"", "A heat map's cells are no Base64" },
        { "maps.1", "null", "a map is null" },
        { "maps", "null", "no snapshot of Devmap, or a damaged one" },
        { "busyPages.0.count", "0", "a page in use has no index, or no count" },
        { "busyPages.0.holders.0.references", "0", "a page's holder holds nothing" },
        { "busyPages.0.holders.0.age", "\"-00:00:01\"", "held it for less than no time" },
        { "busyPages.0.history", "[13]", "has an event that there is not" },
        { "busyPages.0.history", "[1,2,3,1,2,3,1,2,3,1,2,3,1,2,3,1,2]", "a page's history is too long" },
        { "faults.0", "null", "a fault is null" },
        { "faults.0.kind", "99", "a fault is of no kind" },
        { "level", "\"Loud\"", "no snapshot of Devmap, or a damaged one" },
    };

    public void Dispose() => _directory.Dispose();

    [Fact]
    public void What_is_written_is_read()
    {
        string json = Snapshots.Busy().ToJson();
        Assert.Equal(json, DevmapSnapshot.FromJson(json).ToJson());
        Assert.Equal(Snapshots.Busy().Maps[0].HeatMap!.Cells, DevmapSnapshot.FromJson(json).Maps[0].HeatMap!.Cells);
        Assert.Equal(Snapshots.Busy().Statistics, DevmapSnapshot.FromJson(json).Statistics);
        Assert.Equal(Snapshots.Busy().BusyPages[0].Holders, DevmapSnapshot.FromJson(json).BusyPages[0].Holders);
        Assert.Equal(Snapshots.Busy().Faults, DevmapSnapshot.FromJson(json).Faults);
    }

    [Fact]
    public void What_is_captured_is_read()
    {
        using DevicePageMap map = DevicePageMap.Create(new() { PageCount = 64 });
        using PageLease lease = map.Lease(3, 5);
        string json = DevmapDiagnostics.Capture(SnapshotOptions.ForReport).ToJson();
        Assert.Equal(json, DevmapSnapshot.FromJson(json).ToJson());
    }

    [Fact]
    public void A_saturated_page_is_read()
    {
        DevmapSnapshot snapshot = Snapshots.Busy();
        snapshot = snapshot with { BusyPages = [snapshot.BusyPages[0] with { Count = int.MinValue / 2 }] };
        Assert.Equal(int.MinValue / 2, DevmapSnapshot.FromJson(snapshot.ToJson()).BusyPages[0].Count);
    }

    [Fact]
    public void Its_form_is_documented()
    {
        using JsonDocument json = JsonDocument.Parse(Snapshots.Busy().ToJson());
        Assert.Equal(1, json.RootElement.GetProperty("version").GetInt32());
        Assert.Equal("Full", json.RootElement.GetProperty("level").GetString());
        Assert.Equal("FsDax", json.RootElement.GetProperty("maps")[0].GetProperty("type").GetString());
        Assert.Equal(2, json.RootElement.GetProperty("statistics").GetProperty("driverFaults").GetInt64());
        Assert.False(json.RootElement.GetProperty("statistics").TryGetProperty("faults", out _));
    }

    [Fact]
    public void A_file_holds_it()
    {
        string path = _directory["snapshot.json"];
        Snapshots.Busy().Save(path);
        Assert.Equal(Snapshots.Busy().ToJson(), DevmapSnapshot.Load(path).ToJson());
        File.WriteAllText(path, "what was there");
        Snapshots.Busy().Save(path);
        Assert.Equal(Snapshots.Busy().ToJson(), DevmapSnapshot.Load(path).ToJson());
        Assert.Equal([path], Directory.GetFiles(_directory.Root));
    }

    [Fact]
    public void Another_version_is_named()
    {
        string json = Snapshots.Busy().ToJson().Replace("\"version\":1", "\"version\":7", StringComparison.Ordinal);
        InvalidDataException error = Assert.Throws<InvalidDataException>(() => DevmapSnapshot.FromJson(json));
        Assert.Equal("The snapshot has version 7; this library reads version 1.", error.Message);
        Assert.Equal("The snapshot has version 2; this library reads version 1.", Assert.Throws<InvalidDataException>(() => DevmapSnapshot.FromJson("{\"version\": 2}")).Message);
    }

    [Fact]
    public void What_is_said_twice_is_refused()
    {
        string json = Snapshots.Busy().ToJson();
        string twice = json.Replace("\"version\":1", "\"version\":1,\"version\":2", StringComparison.Ordinal);
        Assert.StartsWith("This is no snapshot of Devmap, or a damaged one", Assert.Throws<InvalidDataException>(() => DevmapSnapshot.FromJson(twice)).Message, StringComparison.Ordinal);
        twice = json.Replace("\"processId\":1234", "\"processId\":1234,\"processId\":1235", StringComparison.Ordinal);
        Assert.NotEqual(json, twice);
        Assert.Throws<InvalidDataException>(() => DevmapSnapshot.FromJson(twice));
    }

    [Fact]
    public void More_than_is_ever_kept_is_refused()
    {
        DevmapSnapshot snapshot = Snapshots.Busy();
        DevmapSnapshot faulty = snapshot with { Faults = [.. Enumerable.Repeat(snapshot.Faults[0], 65)] };
        Assert.Contains("more faults than are kept", Assert.Throws<InvalidDataException>(() => DevmapSnapshot.FromJson(faulty.ToJson())).Message, StringComparison.Ordinal);
        DevmapSnapshot busy = snapshot with { Gate = snapshot.Gate with { Changes = 65, History = [.. Enumerable.Repeat(snapshot.Gate.History[0], 65)] } };
        Assert.Contains("more changes than are kept", Assert.Throws<InvalidDataException>(() => DevmapSnapshot.FromJson(busy.ToJson())).Message, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("")]
    [InlineData("null")]
    [InlineData("[]")]
    [InlineData("{}")]
    [InlineData("{\"version\": \"1\"}")]
    [InlineData("{\"version\": 1}")]
    [InlineData("{\"name\": {\"version\": 1}}")]
    [InlineData("#!/bin/sh\n")]
    [InlineData("\0\u0001\u0002")]
    public void What_is_no_snapshot_is_refused(string text) =>
        Assert.StartsWith("This is no snapshot of Devmap", Assert.Throws<InvalidDataException>(() => DevmapSnapshot.FromJson(text)).Message, StringComparison.Ordinal);

    [Fact]
    public void A_snapshot_that_is_cut_off_is_refused_wherever_it_is()
    {
        string json = Snapshots.Busy().ToJson();
        for (int length = 0; length < json.Length; length += 37)
            Assert.Throws<InvalidDataException>(() => DevmapSnapshot.FromJson(json[..length]));
    }

    [Theory]
    [MemberData(nameof(Damages))]
    public void A_damaged_snapshot_is_refused(string place, string value, string reason)
    {
        JsonNode node = JsonNode.Parse(Snapshots.Busy().ToJson())!;
        JsonNode parent = node;
        string[] steps = place.Split('.');
        foreach (string step in steps[..^1])
            parent = int.TryParse(step, CultureInfo.InvariantCulture, out int index) ? parent[index]! : parent[step]!;
        if (int.TryParse(steps[^1], CultureInfo.InvariantCulture, out int last))
            parent[last] = JsonNode.Parse(value);
        else
            parent[steps[^1]] = JsonNode.Parse(value);
        Assert.Contains(reason, Assert.Throws<InvalidDataException>(() => DevmapSnapshot.FromJson(node.ToJsonString())).Message, StringComparison.Ordinal);
    }

    [Fact]
    public void A_file_that_is_no_snapshot_is_named()
    {
        string path = _directory.KnownFile(4096);
        Assert.StartsWith($"'{path}': This is no snapshot", Assert.Throws<InvalidDataException>(() => DevmapSnapshot.Load(path)).Message, StringComparison.Ordinal);
        Assert.Throws<FileNotFoundException>(() => DevmapSnapshot.Load(_directory["missing"]));
        Assert.Throws<UnauthorizedAccessException>(() => DevmapSnapshot.Load(_directory.Root));
        Assert.Throws<ArgumentException>(() => DevmapSnapshot.Load(string.Empty));
    }

    [Fact]
    public void A_path_that_cannot_be_written_is_named_and_nothing_is_left()
    {
        foreach (Action<string> write in new Action<string>[] { Snapshots.Busy().Save, path => DevmapDiagnostics.WriteHtml(path), path => DevmapDiagnostics.WriteHtml(path, Snapshots.Busy()) })
        {
            string missing = _directory["no/such/file"];
            Assert.Contains(missing, Assert.Throws<DirectoryNotFoundException>(() => write(missing)).Message, StringComparison.Ordinal);
            Assert.Contains(_directory.Root, Assert.Throws<UnauthorizedAccessException>(() => write(_directory.Root)).Message, StringComparison.Ordinal);
            string below = Path.Combine(_directory.KnownFile(1), "file");
            Assert.Contains(below, Assert.ThrowsAny<IOException>(() => write(below)).Message, StringComparison.Ordinal);
            Assert.Throws<ArgumentException>(() => write(string.Empty));
            Assert.Equal([_directory["known"]], Directory.GetFileSystemEntries(_directory.Root));
        }
    }

    [Fact]
    public void A_page_needs_a_snapshot() =>
        Assert.Throws<ArgumentException>("snapshots", () => DevmapDiagnostics.WriteHtml(_directory["page.html"], []));

    [Fact]
    public void What_fails_half_way_leaves_what_was_there()
    {
        string path = _directory["file"];
        File.WriteAllText(path, "before");
        Assert.Throws<IOException>(() => WholeFile.Write(path, stream =>
        {
            stream.WriteByte(1);
            throw new IOException("The disk is full.");
        }));
        Assert.Equal("before", File.ReadAllText(path));
        Assert.Equal([path], Directory.GetFiles(_directory.Root));
    }

    [Fact]
    public void Who_could_not_read_what_was_there_cannot_read_what_takes_its_place()
    {
        string path = _directory["file"];
        File.WriteAllText(path, "before");
        File.SetUnixFileMode(path, UnixFileMode.UserRead | UnixFileMode.UserWrite);
        Snapshots.Busy().Save(path);
        Assert.Equal(UnixFileMode.UserRead | UnixFileMode.UserWrite, File.GetUnixFileMode(path));
    }

    [Theory]
    [InlineData(true)]
    [InlineData(false)]
    public void A_link_stays_and_leads_to_the_file(bool isThere)
    {
        string path = _directory["file"];
        if (isThere)
            File.WriteAllText(path, "before");
        File.CreateSymbolicLink(_directory["link"], "file");
        Snapshots.Busy().Save(_directory["link"]);
        Assert.Equal("file", new FileInfo(_directory["link"]).LinkTarget);
        Assert.Equal(Snapshots.Busy().ToJson(), File.ReadAllText(path));
        Assert.Equal([path, _directory["link"]], Directory.GetFiles(_directory.Root).Order(StringComparer.Ordinal));
    }

    [Fact]
    public void A_device_keeps_its_name()
    {
        File.CreateSymbolicLink(_directory["link"], "/dev/null");
        foreach (string path in new[] { "/dev/null", "/dev/../dev/null", _directory["link"], "/dev/stdout" })
            Assert.Contains($"'{path}' cannot be written", Assert.Throws<IOException>(() => WholeFile.Write(path, _ => Assert.Fail("Written."))).Message, StringComparison.Ordinal);
    }

    [Fact]
    public void Cells_are_packed_and_unpacked()
    {
        var random = new Random(1);
        for (int round = 0; round < 200; round++)
        {
            int most = 1 << random.Next(31);
            int[] cells = [.. Enumerable.Range(0, random.Next(500)).SelectMany(_ => Enumerable.Repeat(random.Next(most), random.Next(1, 9)))];
            Assert.Equal(cells, HeatMapCells.Decode(HeatMapCells.Encode(cells)));
        }

        Assert.Equal(4, HeatMapCells.Encode(new int[SnapshotOptions.MaxHeatMapCells]).Length);
        Assert.Equal([int.MaxValue], HeatMapCells.Decode(HeatMapCells.Encode([int.MaxValue])));
    }

    [Fact]
    public void Quantiles_are_the_ends_of_buckets()
    {
        DurationHistogram histogram = Snapshots.Histogram((5, 90), (10, 9), (20, 1));
        Assert.Equal(32, histogram.QuantileNanoseconds(0));
        Assert.Equal(32, histogram.QuantileNanoseconds(0.5));
        Assert.Equal(32, histogram.QuantileNanoseconds(0.9));
        Assert.Equal(1024, histogram.QuantileNanoseconds(0.99));
        Assert.Equal(histogram.MaxNanoseconds, histogram.QuantileNanoseconds(1));
        Assert.Equal(0, Snapshots.Histogram().QuantileNanoseconds(0.5));
        Assert.Equal(long.MaxValue, (Snapshots.Histogram((39, 1)) with { MaxNanoseconds = long.MaxValue }).QuantileNanoseconds(0.5));
        Assert.All([-0.1, 1.1, double.NaN], wrong => Assert.Throws<ArgumentOutOfRangeException>("share", () => histogram.QuantileNanoseconds(wrong)));
    }
}
