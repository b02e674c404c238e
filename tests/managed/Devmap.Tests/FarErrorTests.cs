// SPDX-License-Identifier: MIT
using Xunit;
using static Devmap.Tests.FarMemories;

namespace Devmap.Tests;

/// <summary>What a thread meets that touches data without a lease that nobody can give back.</summary>
public sealed class FarErrorTests
{
    private const int EIO = 5;

    [Fact]
    public async Task A_zero_page_stands_in_for_what_is_lost()
    {
        if (!ServesFaults)
            return;
        using var directory = new TemporaryDirectory();
        await using FarMemory memory = CreateInFile(directory.Root, FarMemoryError.ZeroPage);
        byte[] stored = await EvictAndLose(memory, directory.Root);

        Assert.Equal(0, Peek(memory, 5));
        Assert.Equal(0, Peek(memory, 6));
        Assert.Equal((1, 1), (memory.GetStatistics().DeviceFaults, memory.GetStatistics().FaultsFailed));
        Assert.Equal(FarPageState.Device | FarPageState.Poisoned, States(memory)[0]);
        Assert.Equal(EIO, Assert.Throws<IOException>(() => memory.LeaseForReading(0, 1)).HResult);
        Poke(memory, 5, 9);

        // The store has it again: what was written meanwhile is lost.
        await File.WriteAllBytesAsync(Path.Combine(directory.Root, "store"), stored);
        Verify(memory);
        Assert.Equal(TemporaryDirectory.KnownByte(5), Peek(memory, 5));
        Assert.DoesNotContain(States(memory), state => state.HasFlag(FarPageState.Poisoned));
    }

    [Fact]
    public void Touching_what_is_lost_ends_the_process()
    {
        if (!ServesFaults)
            return;
        using var directory = new TemporaryDirectory();
        AssertEnds(
            static root =>
            {
                FarMemory memory = CreateInFile(root, FarMemoryError.SigBus);
#pragma warning disable VSTHRD002 // A process of its own.
                EvictAndLose(memory, root).GetAwaiter().GetResult();
#pragma warning restore VSTHRD002
                Assert.Throws<IOException>(() => memory.Lease(0, 1));
                Console.Error.WriteLine("so far");
                _ = Peek(memory, 5);
            },
            directory.Root);
    }

    [Fact]
    public void Touching_what_is_away_without_fault_service_ends_the_process() => AssertEnds(
        static unused =>
        {
            FarMemory memory = CreateWithoutFaults(8);
            Fill(memory);
#pragma warning disable VSTHRD002 // A process of its own.
            EvictAll(memory).GetAwaiter().GetResult();
#pragma warning restore VSTHRD002
            Console.Error.WriteLine("so far");
            _ = Peek(memory, 5);
        },
        string.Empty);

    private static void AssertEnds(Action<string> body, string argument)
    {
        string message = Assert.ThrowsAny<Exception>(() => ChildProcess.Run(body, argument)).Message;
        Assert.Contains("so far", message, StringComparison.Ordinal);
        Assert.DoesNotContain("Unhandled exception. Xunit", message, StringComparison.Ordinal);
    }

    private static FarMemory CreateInFile(string root, FarMemoryError onError) => FarMemory.Create(8 * Page, new()
    {
        Store = FarStore.File(Path.Combine(root, "store"), new() { Cached = true, DeleteOnClose = false }),
        OnError = onError,
    });

    /// <summary>Evicts everything, and takes it out of the store. What the store had.</summary>
    private static async Task<byte[]> EvictAndLose(FarMemory memory, string root)
    {
        Fill(memory);
        await EvictAll(memory);
        string path = Path.Combine(root, "store");

        // A file that is locked by advice is opened and cut all the same by who does not ask.
        using var file = new FileStream(path, new FileStreamOptions { Access = FileAccess.ReadWrite, Share = FileShare.ReadWrite | FileShare.Delete });
        byte[] stored = new byte[file.Length];
        await file.ReadExactlyAsync(stored);
        file.SetLength(0);
        return stored;
    }
}
