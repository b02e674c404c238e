// SPDX-License-Identifier: MIT
using Devmap.CommandLine;
using Devmap.CommandLine.Far;
using Xunit;

namespace Devmap.Tests.Command;

/// <summary>The memory limit of far memory's proof.</summary>
[Collection(nameof(LastSteps))]
public sealed class FarCgroupTests
{
    private const long Limit = 300 << 20;

    [Fact]
    public void Version_1_has_a_group_below_the_own_one()
    {
        var files = FakeCgroups.Version1();
        using (var group = MemoryCgroup.Enter(files, 42, Limit))
        {
            Assert.Matches("^/sys/fs/cgroup/memory/job/7/devmap-far-42-[0-9a-f]{8}$", group.Directory);
            Assert.Equal(1, group.Version);
            Assert.Equal(group.Directory, files.Place);
            Assert.Equal("314572800", files.Read($"{group.Directory}/memory.limit_in_bytes"));
            Assert.Equal("314572800", files.Read($"{group.Directory}/memory.memsw.limit_in_bytes"));
            Assert.Equal(12345, group.Peak);
        }

        AssertNothingIsLeft(files);
    }

    [Fact]
    public void A_mount_of_a_part_of_the_tree_is_found()
    {
        var files = FakeCgroups.Version1InContainer();
        using (var group = MemoryCgroup.Enter(files, 42, Limit))
            Assert.StartsWith("/a b/memory/deep/devmap-far-42-", group.Directory, StringComparison.Ordinal);

        AssertNothingIsLeft(files);
    }

    [Fact]
    public void Version_2_has_one_once_no_process_is_in_the_own_one()
    {
        var files = FakeCgroups.Version2();
        using (var group = MemoryCgroup.Enter(files, 42, Limit))
        {
            Assert.StartsWith("/sys/fs/cgroup/app.slice/x.scope/devmap-far-42-", group.Directory, StringComparison.Ordinal);
            Assert.Equal(2, group.Version);
            Assert.Equal(group.Directory, files.Place);
            Assert.Equal("314572800", files.Read($"{group.Directory}/memory.max"));
            Assert.Equal("0", files.Read($"{group.Directory}/memory.swap.max"));
            Assert.Equal(12345, group.Peak);
        }

        Assert.Equal("\n", files.Read($"{files.Own}/cgroup.subtree_control"));
        AssertNothingIsLeft(files);
    }

    [Fact]
    public void Version_2_leaves_what_was_open_already()
    {
        var files = FakeCgroups.Version2Root();
        using (var group = MemoryCgroup.Enter(files, 42, Limit))
            Assert.Equal(group.Directory, files.Place);

        Assert.Equal("memory\n", files.Read("/sys/fs/cgroup/cgroup.subtree_control"));
        AssertNothingIsLeft(files);
    }

    [Fact]
    public void Version_2_has_none_where_others_share_the_own_one()
    {
        var files = FakeCgroups.Version2(hasOthers: true);
        IOException exception = Assert.Throws<IOException>(() => MemoryCgroup.Enter(files, 42, Limit));

        Assert.Contains("other processes share '/sys/fs/cgroup/app.slice/x.scope'", exception.Message, StringComparison.Ordinal);
        AssertNothingIsLeft(files);
    }

    [Fact]
    public void Version_2_has_none_where_memory_is_not_delegated()
    {
        var files = FakeCgroups.Version2(isDelegated: false);
        IOException exception = Assert.Throws<IOException>(() => MemoryCgroup.Enter(files, 42, Limit));

        Assert.Contains("not delegated", exception.Message, StringComparison.Ordinal);
        AssertNothingIsLeft(files);
    }

    [Theory]
    [InlineData("cgroup.procs")]
    [InlineData("memory.max")]
    public void What_may_not_be_done_is_undone(string file)
    {
        var files = FakeCgroups.Version2(forbidden: file);
        Assert.Throws<UnauthorizedAccessException>(() => MemoryCgroup.Enter(files, 42, Limit));

        AssertNothingIsLeft(files);
    }

    [Fact]
    public void A_group_that_is_in_use_for_a_moment_yet_is_removed_later()
    {
        var files = FakeCgroups.Version1();
        files.BusyRemovals = 3;
        MemoryCgroup.Enter(files, 42, Limit).Dispose();

        AssertNothingIsLeft(files);
    }

    [Fact]
    public void A_group_that_can_not_be_removed_is_a_warning()
    {
        var files = FakeCgroups.Version1();
        files.BusyRemovals = int.MaxValue;
        var group = MemoryCgroup.Enter(files, 42, Limit);
        Assert.Null(group.Warning);
        group.Dispose();

        Assert.Equal(files.Own, files.Place);
        Assert.Equal($"the cgroup '{group.Directory}' may be left: Device or resource busy", group.Warning);
    }

    [Fact]
    public void Groups_that_were_left_are_removed()
    {
        var files = FakeCgroups.Version1();
        files.Set("/proc/9/stat", "9 (devmap)");
        files.Make($"{files.Own}/devmap-far-7");
        files.Make($"{files.Own}/devmap-far-7-0a");
        files.Make($"{files.Own}/devmap-far-8-0b");
        files.Set($"{files.Own}/devmap-far-8-0b/cgroup.procs", "80\n");
        files.Make($"{files.Own}/devmap-far-9-0c");
        files.Make($"{files.Own}/other");
        MemoryCgroup.Enter(files, 42, Limit).Dispose();

        Assert.Equal(["devmap-far-8-0b", "devmap-far-9-0c", "other"], files.GroupsIn(files.Own).Select(Path.GetFileName).Order());
    }

    [Theory]
    [InlineData("memory.limit_in_bytes")]
    [InlineData("memory.memsw.limit_in_bytes")]
    public void A_limit_that_the_system_does_not_keep_proves_nothing(string file)
    {
        var files = FakeCgroups.Version1();
        files.Ignored = file;
        files.Set("/proc/swaps", "Filename Type\n/swap file\n");
        using (var guard = MemoryGuard.Start(new MemoryPlan(Limit, 2L << 30), new FarSettings(), files))
        {
            Assert.False(guard.IsEnforced);
            Assert.Matches("does not keep the limit|Nothing is proved: there is swap", guard.Description);
        }

        AssertNothingIsLeft(files);
    }

    [Fact]
    public void Without_swap_it_needs_no_limit()
    {
        var files = FakeCgroups.Version1();
        files.Ignored = "memory.memsw.limit_in_bytes";
        files.Set("/proc/swaps", "Filename Type\n");
        using var guard = MemoryGuard.Start(new MemoryPlan(Limit, 2L << 30), new FarSettings(), files);

        Assert.True(guard.IsEnforced);
    }

    [Theory]
    [InlineData("", "", "has no memory cgroups")]
    [InlineData("9:cpu:/\n", "35 31 0:32 / /sys/fs/cgroup/cpu rw - cgroup cgroup rw,cpu\n", "has no memory cgroups")]
    [InlineData("4:memory:/x\n", "", "'/x', is not mounted")]
    [InlineData("4:memory:/x\n", "35 31 0:32 / /sys/fs/cgroup/cpu rw - cgroup cgroup rw,cpu\n", "is not mounted")]
    [InlineData("4:memory:/xy\n", "35 31 0:32 /x /sys/fs/cgroup/memory rw - cgroup cgroup rw,memory\n", "is not mounted")]
    [InlineData("0::/../x\n", "30 20 0:26 / /sys/fs/cgroup rw - cgroup2 cgroup2 rw\n", "is not mounted")]
    [InlineData("0::/x\n", "garbage\n30 20 - cgroup2\n", "is not mounted")]
    public void Where_there_is_none_it_says_so(string groups, string mounts, string reason)
    {
        IOException exception = Assert.Throws<IOException>(() => CgroupMount.Find(FakeCgroups.Of(groups, mounts)));

        Assert.Contains(reason, exception.Message, StringComparison.Ordinal);
    }

    [Fact]
    public void Without_a_group_the_peak_is_looked_at()
    {
        using var guard = MemoryGuard.Start(new MemoryPlan(Limit, 2L << 30), new FarSettings(), FakeCgroups.Version2(hasOthers: true));

        Assert.False(guard.IsEnforced);
        Assert.True(guard.IsObserved);
        Assert.StartsWith("No memory limit: other processes share", guard.Description, StringComparison.Ordinal);
        Assert.EndsWith("peak must stay below the data's 2 GiB instead.", guard.Description, StringComparison.Ordinal);
        Assert.StartsWith("none: other processes share", guard.Summary, StringComparison.Ordinal);
    }

    [Fact]
    public void With_one_it_is_not()
    {
        var files = FakeCgroups.Version1();
        using (var guard = MemoryGuard.Start(new MemoryPlan(Limit, 2L << 30), new FarSettings(), files))
        {
            Assert.True(guard.IsEnforced);
            Assert.False(guard.IsObserved);
            Assert.StartsWith("Memory limit: 300 MiB by the cgroup devmap-far-", guard.Description, StringComparison.Ordinal);
            Assert.EndsWith("; its peak is 12.06 KiB", guard.Summary, StringComparison.Ordinal);
        }

        AssertNothingIsLeft(files);
    }

    [Fact]
    public void Nothing_is_looked_at_where_nothing_can_be_proved()
    {
        using var guard = MemoryGuard.Start(new MemoryPlan(2L << 30, 1L << 30), new FarSettings(), FakeCgroups.Version2(hasOthers: true));

        Assert.False(guard.IsObserved);
        Assert.Contains("Nothing is proved: this may take 2 GiB", guard.Description, StringComparison.Ordinal);
    }

    [Fact]
    public void Nothing_is_limited_where_no_limit_is_wanted()
    {
        var files = FakeCgroups.Version1();
        using var guard = MemoryGuard.Start(new MemoryPlan(Limit, 2L << 30), new FarSettings { IsLimited = false }, files);

        Assert.False(guard.IsEnforced);
        Assert.False(guard.IsObserved);
        Assert.Equal("No memory limit: --no-limit.", guard.Description);
        Assert.Equal("none: --no-limit", guard.Summary);
        AssertNothingIsLeft(files);
    }

    [Theory]
    [InlineData(FarStoreKind.File, false, 2048, true)]
    [InlineData(FarStoreKind.File, true, 2048, false)]
    [InlineData(FarStoreKind.Lz4, false, 2048, true)]
    [InlineData(FarStoreKind.Lz4, false, 512, false)]
    [InlineData(FarStoreKind.Plain, false, 2048, false)]
    internal void The_limit_is_what_the_store_needs(FarStoreKind store, bool isInMemory, long size, bool proves)
    {
        var settings = new FarSettings { Store = store, Size = size << 20 };
        var plan = MemoryPlan.Of(settings, isInMemory);

        Assert.InRange(plan.Limit, settings.ResidentLimit + (256 << 20), long.MaxValue);
        Assert.Equal(settings.Size, plan.Size);
        Assert.Equal(proves, plan.Proves);
        Assert.Equal(proves, plan.Limit < plan.Size);
    }

    [Fact]
    public void A_limit_that_is_given_is_taken()
    {
        var plan = MemoryPlan.Of(new FarSettings { MemoryLimit = 700 << 20 }, storeIsInMemory: false);

        Assert.Equal(700 << 20, plan.Limit);
        Assert.True(plan.Proves);
    }

    private static void AssertNothingIsLeft(FakeCgroups files)
    {
        Assert.Equal(files.Own, files.Place);
        Assert.DoesNotContain(files.Files.Keys, file => file.Contains("devmap-far", StringComparison.Ordinal));
    }
}
