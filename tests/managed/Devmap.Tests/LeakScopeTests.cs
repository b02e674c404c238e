// SPDX-License-Identifier: MIT
using System.Runtime.CompilerServices;
using Xunit;

namespace Devmap.Tests;

/// <summary>A scope fails a test that does not give back what it took, and no other test.</summary>
public sealed class LeakScopeTests : IDisposable
{
    private const int Page = 4096;

    private readonly TemporaryDirectory _directory = new();
    private readonly DevicePageMap _map = DevicePageMap.Create(new() { PageCount = 16, DisposeTimeout = TimeSpan.Zero });

    /// <summary>What can be left out.</summary>
    public static TheoryData<string, string> Kinds => new()
    {
        { "lease", "lease of page 3 of" },
        { "leases", "lease of pages 3 to 5 of" },
        { "share", "lease of page 9 of" },
        { "map", "device map 0x" },
        { "file", "file map 0x" },
        { "far memory", "far memory map 0x" },
        { "hold", "hold of the gate" },
        { "lease of Take's thread", "lease of page 3 of" },
        { "not followed", "lease of page 3 of" },
    };

    public void Dispose()
    {
        _map.Dispose();
        _directory.Dispose();
    }

    [Fact]
    public void A_scope_in_which_all_is_given_back_ends_well()
    {
        using (DevmapLeakScope.Begin())
        {
            using PageLease lease = _map.Lease(1);
            using PageLease share = lease.Share();
            using DevicePageMap map = DevicePageMap.Create(new() { PageCount = 4 });
            using DaxFile file = DaxFile.Open(_directory.KnownFile(Page));
            using PageLease read = file.Lease(0, 1);
            using FarMemory memory = FarMemory.Create(Page);
            using PageLease<int> elements = memory.Lease<int>(0, 1);
            using DevmapGateHold hold = DevmapGate.Hold();
        }

        Assert.Empty(_map.GetBusyPages());
    }

    [Theory]
    [MemberData(nameof(Kinds))]
    public void What_is_not_given_back_is_listed_with_its_stack(string kind, string what)
    {
        using PageLease before = _map.Lease(9);
        if (kind == "not followed")
            _map.DiagnosticLevel = DiagnosticLevel.Off;
        var scope = DevmapLeakScope.Begin();
        IDisposable taken = Take(kind, before);
        var leak = Assert.Throws<DevmapLeakException>(scope.Dispose);
        taken.Dispose();

        Assert.StartsWith(what, Assert.Single(leak.Leaks).What, StringComparison.Ordinal);
        Assert.Equal(kind != "lease of Take's thread", leak.Leaks[0].ManagedThreadId == Environment.CurrentManagedThreadId);
        Assert.Contains(nameof(Take), leak.Leaks[0].Stack, StringComparison.Ordinal);
        Assert.Contains(what, leak.Message, StringComparison.Ordinal);
        scope.Dispose();
    }

    [Fact]
    public void What_was_taken_before_or_after_does_not_count()
    {
        using PageLease before = _map.Lease(1);
        DevmapLeakScope.Begin().Dispose();
        using PageLease after = _map.Lease(2);
        using (DevmapLeakScope.Begin())
            before.Dispose();
    }

    [Fact]
    public void All_leaks_are_listed_in_order()
    {
        var scope = DevmapLeakScope.Begin();
        using PageLease first = _map.Lease(1);
        _map.Lease(2).Dispose();
        using PageLease third = _map.Lease(3);
        var leak = Assert.Throws<DevmapLeakException>(scope.Verify);

        Assert.Equal([$"lease of page 1 of {_map}", $"lease of page 3 of {_map}"], leak.Leaks.Select(item => item.What));
        Assert.StartsWith("2 not given back", leak.Message, StringComparison.Ordinal);
        scope.Dispose();
    }

    [Fact]
    public void Scopes_nest()
    {
        var outer = DevmapLeakScope.Begin();
        var inner = DevmapLeakScope.Begin();
        PageLease lease = _map.Lease(1);
        Assert.Throws<DevmapLeakException>(inner.Dispose);
        PageLease between = _map.Lease(2);
        Assert.Equal(2, Assert.Throws<DevmapLeakException>(outer.Verify).Leaks.Count);
        between.Dispose();
        Assert.Single(Assert.Throws<DevmapLeakException>(outer.Verify).Leaks);
        lease.Dispose();

        outer.Verify();
        outer.Dispose();
    }

    [Fact]
    public async Task What_a_task_of_the_flow_takes_counts()
    {
        var scope = DevmapLeakScope.Begin();
        PageLease lease = await Task.Run(() => _map.Lease(1));
        await Task.Yield();
        Assert.Throws<DevmapLeakException>(scope.Verify);
        await Task.Run(lease.Dispose);

        scope.Verify();
        scope.Dispose();
    }

    [Fact]
    public void Scopes_of_flows_beside_each_other_do_not_see_each_others()
    {
        Crowd.RunRounds(
            threads: 4,
            rounds: 50,
            (member, round) =>
            {
                // Each leaks every fourth time, while the others do not.
                bool leaks = round % 4 == member;
                var scope = DevmapLeakScope.Begin();
                using (_map.Lease(member + 4))
                using (_map.Lease(15))
                    Assert.NotNull(scope);
                PageLease? left = leaks ? _map.Lease(member) : null;
                if (leaks)
                    Assert.Equal($"lease of page {member} of {_map}", Assert.Single(Assert.Throws<DevmapLeakException>(scope.Dispose).Leaks).What);
                else
                    scope.Dispose();
                left?.Dispose();
            },
            () => Assert.Empty(_map.GetBusyPages()));
        Assert.Equal(DiagnosticLevel.Counters, DevmapDiagnostics.Level);
    }

    [Theory]
    [InlineData(DiagnosticLevel.Off)]
    [InlineData(DiagnosticLevel.Sampled)]
    public void Inside_all_are_followed_and_afterwards_the_level_is_as_it_was(DiagnosticLevel level)
    {
        using var setting = new LevelSetting(level);
        using (DevmapLeakScope.Begin())
        {
            Assert.Equal(level, DevmapDiagnostics.Level);
            using (DevmapLeakScope.Begin())
            {
            }

            using PageLease lease = _map.Lease(1);
            Assert.Single(Assert.Single(_map.GetBusyPages()).Holders);
        }

        Assert.Equal((int)level, Devmap.Interop.NativeMethods.devmap_get_level());
    }

    [Fact]
    public void A_level_that_is_set_inside_holds_afterwards()
    {
        using var setting = new LevelSetting(DiagnosticLevel.Counters);
        using (DevmapLeakScope.Begin())
        {
            DevmapDiagnostics.Level = DiagnosticLevel.Sampled;
            Assert.Equal((int)DiagnosticLevel.Full, Devmap.Interop.NativeMethods.devmap_get_level());
        }

        Assert.Equal((int)DiagnosticLevel.Sampled, Devmap.Interop.NativeMethods.devmap_get_level());
    }

    [Fact]
    public void After_a_verification_the_end_throws_nothing()
    {
        PageLease lease;
        using (var scope = DevmapLeakScope.Begin())
        {
            lease = _map.Lease(1);
            Assert.Throws<DevmapLeakException>(scope.Verify);
        }

        lease.Dispose();
    }

    [MethodImpl(MethodImplOptions.NoInlining)]
    private IDisposable Take(string kind, PageLease before) => kind switch
    {
        "lease" or "not followed" => _map.Lease(3),
        "leases" => _map.Lease(3, 3),
        "share" => before.Share(),
        "map" => DevicePageMap.Create(new() { PageCount = 4 }),
        "file" => DaxFile.Open(_directory.KnownFile(Page)),
        "far memory" => FarMemory.Create(Page),
        "hold" => DevmapGate.Hold(),
        _ => TakeElsewhere(),
    };

    private PageLease TakeElsewhere()
    {
        PageLease? lease = null;
        var thread = new Thread(() => lease = _map.Lease(3));
        thread.Start();
        thread.Join();
        return lease!;
    }
}
