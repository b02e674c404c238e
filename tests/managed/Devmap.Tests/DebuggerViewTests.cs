// SPDX-License-Identifier: MIT
using System.Diagnostics;
using System.Reflection;
using System.Runtime.CompilerServices;
using Xunit;

namespace Devmap.Tests;

/// <summary>What a debugger shows, and what objects say of themselves, is there in any state of theirs, and reports nothing.</summary>
public sealed class DebuggerViewTests : IDisposable
{
    private const int Page = 4096;
    private const BindingFlags AnyMember = BindingFlags.Instance | BindingFlags.Public | BindingFlags.NonPublic;

    private readonly TemporaryDirectory _directory = new();
    private readonly FaultLog _log = new();

    public void Dispose()
    {
        Assert.Empty(_log.Faults);
        _log.Dispose();
        _directory.Dispose();
    }

    [Theory]
    [InlineData(DiagnosticLevel.Off)]
    [InlineData(DiagnosticLevel.Full)]
    public void Live_objects_are_shown(DiagnosticLevel level)
    {
        using var setting = new LevelSetting(level);
        using DevicePageMap map = Create();
        using PageLease lease = map.Lease(3, 2);
        Dictionary<string, object?> shown = Show(lease);

        Assert.Same(map, shown["Map"]);
        Assert.Equal(3L, shown["FirstPage"]);
        Assert.Equal(2, shown["PageCount"]);
        Assert.Equal(level == DiagnosticLevel.Full, shown["IsFollowed"]);
        Assert.Equal(false, shown["IsDisposed"]);
        Assert.Equal(2, Show(map[3])["Count"]);
        Assert.Equal(16L, Show(map)["PageCount"]);
        using DevmapGateHold hold = DevmapGate.Hold();
        Assert.Equal(true, Show(hold)["IsHeld"]);
        Assert.Equal(level == DiagnosticLevel.Full, Show(hold)["Stack"] is not null);
        using DaxFile file = DaxFile.Open(_directory.KnownFile(Page));
        Assert.Equal(file.Path, Show(file)["Path"]);
        using FarMemory memory = FarMemory.Create(Page);
        Assert.Equal((long)Page, Show(memory)["Length"]);
        using PageLease<int> elements = memory.Lease<int>(0, 2);
        Assert.Equal(2, Show(elements)["Length"]);
        using var device = new HmmDevice(new() { Name = "shown" });
        Assert.Equal("shown", Show(device)["Name"]);
    }

    [Theory]
    [InlineData(false, DiagnosticLevel.Counters)]
    [InlineData(true, DiagnosticLevel.Counters)]
    [InlineData(false, DiagnosticLevel.Full)]
    [InlineData(true, DiagnosticLevel.Full)]
    public void Disposed_objects_are_shown(bool reuse, DiagnosticLevel level)
    {
        using var setting = new LevelSetting(level);
        DevicePageMap map = Create(reuse);
        PageLease lease = map.Lease(3);
        lease.Dispose();
        map.Dispose();
        DevmapGateHold hold = DevmapGate.Hold();
        hold.Dispose();
        DaxFile file = DaxFile.Open(_directory.KnownFile(Page));
        PageLease read = file.Lease(0, 1);
        read.Dispose();
        file.Dispose();
        FarMemory memory = FarMemory.Create(Page);
        PageLease<int> elements = memory.Lease<int>(0, 1);
        elements.Dispose();
        memory.Dispose();
        var device = new HmmDevice();
        device.Dispose();

        Assert.Equal(true, Show(map)["IsDisposed"]);
        Assert.Null(Show(map[3])["Count"]);
        Assert.Equal(!reuse, Show(lease)["Map"] is not null);
        Assert.Equal(true, Show(read)["IsDisposed"]);
        Assert.Equal(false, Show(hold)["IsHeld"]);
        Assert.Equal(true, Show(file)["IsDisposed"]);
        Assert.Equal(true, Show(memory)["IsDisposed"]);
        Assert.Null(Show(elements)["Bytes"]);
        Assert.Equal(true, Show(device)["IsDisposed"]);
        Assert.StartsWith("disposed ", Display(map), StringComparison.Ordinal);
        Assert.StartsWith("disposed lease", Display(lease), StringComparison.Ordinal);
    }

    [Fact]
    public void No_page_is_shown()
    {
        Dictionary<string, object?> shown = Show(default(DevicePage));

        Assert.Null(shown["Map"]);
        Assert.Null(shown["Count"]);
        Assert.Equal("no page", Display(default(DevicePage)));
    }

    [Fact]
    public void A_map_whose_handle_is_freed_is_shown()
    {
        var seen = new Resurrected();
        Forget(seen);
        for (int i = 0; seen.Map is null && i < 10; i++)
        {
            GC.Collect();
            GC.WaitForPendingFinalizers();
        }

        // The map's own finalizer has run too, as it was found with the other.
        GC.WaitForPendingFinalizers();
        Assert.Equal(0, seen.Map!.DangerousGetHandle());
        Assert.Equal(true, Show(seen.Map)["IsDisposed"]);
        Assert.Null(Show(seen.Map[3])["Count"]);
        Assert.Equal(true, Show(seen.Lease!)["IsDisposed"]);
    }

    [Fact]
    public void Objects_are_shown_while_they_are_disposed()
    {
        for (int round = 0; round < 100; round++)
        {
            DevicePageMap map = Create(reuse: round % 2 == 0);
            PageLease lease = map.Lease(3);
            DevicePage page = map[3];
            Crowd.Run(3, member =>
            {
                if (member == 0)
                {
                    lease.Dispose();
                    map.Dispose();
                    return;
                }

                for (int i = 0; i < 20; i++)
                {
                    Show(map);
                    Show(page);
                    Show(lease);
                }
            });
        }
    }

    /// <summary>Each property of the proxy, as a debugger evaluates it; and the display besides.</summary>
    private static Dictionary<string, object?> Show(object subject)
    {
        Assert.NotEmpty(Display(subject));
        Assert.NotEmpty(subject.ToString()!);
        DebuggerTypeProxyAttribute attribute = subject.GetType().GetCustomAttribute<DebuggerTypeProxyAttribute>()!;
        Type type = Type.GetType(attribute.ProxyTypeName, throwOnError: true)!;
        if (type.IsGenericTypeDefinition)
            type = type.MakeGenericType(subject.GetType().GetGenericArguments());
        object proxy = Activator.CreateInstance(type, subject)!;
        return type.GetProperties().ToDictionary(property => property.Name, property => property.GetValue(proxy));
    }

    private static string Display(object subject)
    {
        string text = subject.GetType().GetCustomAttribute<DebuggerDisplayAttribute>()!.Value;
        Assert.Matches(@"^\{\w+(\(\))?,nq\}$", text);
        string member = text[1..^4];
        return (string)(member.EndsWith("()", StringComparison.Ordinal)
            ? subject.GetType().GetMethod(member[..^2], AnyMember, [])!.Invoke(subject, [])!
            : subject.GetType().GetProperty(member, AnyMember)!.GetValue(subject)!);
    }

    private static DevicePageMap Create(bool reuse = false) =>
        DevicePageMap.Create(new() { PageCount = 16, ReuseLeases = reuse, DisposeTimeout = TimeSpan.FromMinutes(1) });

    [MethodImpl(MethodImplOptions.NoInlining)]
    private static void Forget(Resurrected seen)
    {
        DevicePageMap map = Create();
        PageLease lease = map.Lease(3);
        lease.Dispose();
        map.Dispose();
        GC.KeepAlive(new Resurrecting(seen, map, lease));
    }

    private sealed class Resurrected
    {
        public DevicePageMap? Map { get; set; }

        public PageLease? Lease { get; set; }
    }

#pragma warning disable MA0055 // The test is about what finalizers find.
    private sealed class Resurrecting(Resurrected seen, DevicePageMap map, PageLease lease)
    {
        ~Resurrecting()
        {
            seen.Lease = lease;
            seen.Map = map;
        }
    }
#pragma warning restore MA0055
}
