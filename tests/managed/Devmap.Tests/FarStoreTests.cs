// SPDX-License-Identifier: MIT
using Xunit;
using static Devmap.Tests.FarMemories;

namespace Devmap.Tests;

/// <summary>Stores: how they open, and what cannot be one.</summary>
public sealed class FarStoreTests
{
    [Fact]
    public void A_file_is_allocated_and_gone()
    {
        using var directory = new TemporaryDirectory();
        using (FarMemory memory = FarMemory.Create(64 * Page, new() { Store = FarStore.File(directory["store"]) }))
        {
            Assert.Empty(Directory.GetFiles(directory.Root));
            Assert.InRange(memory.GetStatistics().StoreBytes, 64 * Page, 80 * Page);
        }

        Assert.Empty(Directory.GetFiles(directory.Root));
    }

    [Fact]
    public void A_file_that_is_kept_is_as_long_as_the_memory()
    {
        using var directory = new TemporaryDirectory();
        FarStore store = FarStore.File(directory["store"], new() { DeleteOnClose = false });
        using (FarMemory memory = FarMemory.Create(64 * Page, new() { Store = store }))
        {
            Assert.Equal(64 * Page, new FileInfo(directory["store"]).Length);
            Assert.Throws<IOException>(() => FarMemory.Create(64 * Page, new() { Store = store }));
        }

        Assert.True(File.Exists(directory["store"]));
        FarMemory.Create(8 * Page, new() { Store = store }).Dispose();
    }

    [Fact]
    public void A_store_opens_once_for_each_memory()
    {
        using var directory = new TemporaryDirectory();
        FarStore store = FarStore.File(directory["store"]);
        using FarMemory one = FarMemory.Create(8 * Page, new() { Store = store, ResidentLimit = 2 * Page });
        using FarMemory other = FarMemory.Create(8 * Page, new() { Store = store, ResidentLimit = 2 * Page });
        Fill(one);
        other.Lease(0, 2 * Page).Dispose();
        Fill(other);
        Verify(one);
        Verify(other);
    }

    [Fact]
    public void What_is_no_file_is_no_store()
    {
        using var directory = new TemporaryDirectory();
        Directory.CreateDirectory(directory["directory"]);

        Assert.Throws<UnauthorizedAccessException>(() => Open(directory["directory"]));
        Assert.Throws<DirectoryNotFoundException>(() => Open(directory["no/store"]));
        Assert.Throws<DirectoryNotFoundException>(() => Open(directory.KnownFile(10) + "/store"));
        Assert.Throws<IOException>(() => Open("/dev/null"));
        Assert.Throws<PathTooLongException>(() => Open(directory[new string('x', 300)]));
        Assert.Throws<ArgumentException>(() => FarStore.File(string.Empty));
        Assert.Throws<ArgumentException>(() => FarStore.File("a\0b"));
        Assert.Throws<ArgumentNullException>(() => FarStore.File(null!));

        static void Open(string path) => FarMemory.Create(8 * Page, new() { Store = FarStore.File(path) }).Dispose();
    }

    [Fact]
    public void A_store_has_a_description()
    {
        Assert.Contains("LZ4", FarStore.Lz4.ToString(), StringComparison.Ordinal);
        Assert.Contains("plain", FarStore.Plain.ToString(), StringComparison.Ordinal);
        Assert.Contains("'x'", FarStore.File("x").ToString(), StringComparison.Ordinal);
    }

    [Fact]
    public void A_library_without_device_memory_has_no_far_memory()
    {
        string path = Path.Combine(ChildProcess.HomeDirectory, "libdevmap_opsoff.so");
        ChildProcess.Run(
            static _ =>
            {
                Assert.Throws<PlatformNotSupportedException>(() => FarMemory.Create(Page));
                Assert.Throws<PlatformNotSupportedException>(() => new HmmDevice());
            },
            environment: ("DEVMAP_LIBRARY", path));
    }

    [Fact]
    public void A_store_that_does_not_open_leaves_nothing()
    {
        long maps = DevmapDiagnostics.ReadStatistics().PageMaps.Current;
        Assert.ThrowsAny<IOException>(() => FarMemory.Create(8 * Page, new() { Store = FarStore.File("/proc/store") }));
        Assert.ThrowsAny<ArgumentException>(() => FarMemory.Create(128 << 20, new() { PageSize = 128 << 20 }));

        Assert.Equal(maps, DevmapDiagnostics.ReadStatistics().PageMaps.Current);
    }
}
