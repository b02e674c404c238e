// SPDX-License-Identifier: MIT
using System.Buffers;
using System.IO.Pipelines;
using System.Net;
using System.Net.Sockets;
using Xunit;

namespace Devmap.Tests;

/// <summary>The memory of a lease where .NET takes memory: streams, sockets, pipelines.</summary>
public sealed class MemoryInteropTests : IDisposable
{
    private const int Length = 100_000;

    private readonly TemporaryDirectory _directory = new();
    private readonly CountingDriver _driver = new(pages: 1 << 18);
    private readonly DaxFile _file;

    public MemoryInteropTests() => _file = DaxFile.Open(_directory.KnownFile(Length), new()
    {
        Access = FileAccess.ReadWrite,
        Driver = _driver,
        DisposeTimeout = TimeSpan.Zero,
    });

    private static byte[] Known => TemporaryDirectory.KnownBytes(0, Length);

    public void Dispose()
    {
        _file.Dispose();
        _directory.Dispose();
    }

    [Fact]
    public async Task A_stream_writes_a_lease()
    {
        using (PageLease lease = _file.Lease(0, Length))
        await using (var stream = new FileStream(_directory["copy"], FileMode.CreateNew, FileAccess.Write, FileShare.None, bufferSize: 0, useAsync: true))
        {
            await stream.WriteAsync(lease.Memory);
            await stream.WriteAsync(lease.ReadOnlyMemory[^10..]);
        }

        byte[] written = await File.ReadAllBytesAsync(_directory["copy"]);
        Assert.Equal([.. Known, .. Known[^10..]], written);
    }

    [Fact]
    public async Task A_stream_reads_into_a_lease()
    {
        await File.WriteAllBytesAsync(_directory["other"], [.. Enumerable.Repeat((byte)9, 5000)]);
        using (PageLease lease = _file.LeaseForWriting(100, 5000))
        await using (var stream = new FileStream(_directory["other"], FileMode.Open, FileAccess.Read, FileShare.Read, bufferSize: 0, useAsync: true))
            await stream.ReadExactlyAsync(lease.Memory);

        byte[] expected = Known;
        expected.AsSpan(100, 5000).Fill(9);
        Assert.Equal(expected, await File.ReadAllBytesAsync(_file.Path));
    }

    [Fact]
    public async Task A_file_handle_writes_leases_at_once()
    {
        using (PageLease head = _file.Lease(0, 5000))
        using (PageLease tail = _file.Lease(Length - 5000, 5000))
        using (Microsoft.Win32.SafeHandles.SafeFileHandle copy = File.OpenHandle(_directory["copy"], FileMode.CreateNew, FileAccess.Write))
            await RandomAccess.WriteAsync(copy, [tail.ReadOnlyMemory, head.ReadOnlyMemory], 0);

        byte[] written = await File.ReadAllBytesAsync(_directory["copy"]);
        Assert.Equal([.. Known[^5000..], .. Known[..5000]], written);
    }

    [Fact]
    public async Task A_socket_sends_and_receives_leases()
    {
        (Socket client, Socket server) = await ConnectAsync();
        using (client)
        using (server)
        using (DevicePageMap map = DevicePageMap.Create(new() { PageCount = 32, DisposeTimeout = TimeSpan.Zero }))
        {
            using PageLease sent = _file.Lease(0, Length);
            using PageLease received = map.Lease(0, 32);
            Task<int> sending = client.SendAsync(sent.Memory).AsTask();

            await ReceiveExactlyAsync(server, received.Memory[..Length]);

            Assert.Equal(Length, await sending);
            Assert.True(received.Span[..Length].SequenceEqual(Known));
        }
    }

    [Fact]
    public async Task A_network_stream_sends_and_receives_leases()
    {
        (Socket client, Socket server) = await ConnectAsync();
        await using var from = new NetworkStream(client, ownsSocket: true);
        await using var to = new NetworkStream(server, ownsSocket: true);
        using DevicePageMap map = DevicePageMap.Create(new() { PageCount = 32, DisposeTimeout = TimeSpan.Zero });
        using PageLease sent = _file.Lease(0, Length);
        using PageLease received = map.Lease(0, 32);
        ValueTask sending = from.WriteAsync(sent.ReadOnlyMemory);

        await to.ReadExactlyAsync(received.Memory[..Length]);

        await sending;
        Assert.True(received.Span[..Length].SequenceEqual(Known));
    }

    [Fact]
    public async Task A_share_that_is_being_sent_keeps_its_pages_when_the_lease_is_disposed()
    {
        const int length = 64 << 20;
        await _file.SetLengthAsync(length, TimeSpan.Zero);
        (Socket client, Socket server) = await ConnectAsync();
        using (client)
        using (server)
        {
            PageLease lease = _file.Lease(0, length);
            Task sending = SendAndDisposeAsync(client, lease.Share());

            // More than the sockets hold, and nobody has received any: the send is pending.
            Assert.False(sending.IsCompleted);
            lease.Dispose();
            Assert.Equal(2, _file.Map[0].Count);
            await Assert.ThrowsAsync<PagesBusyException>(() => _file.SetLengthAsync(0, TimeSpan.Zero));

            byte[] received = new byte[length];
            await ReceiveExactlyAsync(server, received);
            await sending;

            Assert.Equal(Known, received[..Length]);
            Assert.Equal(-1, received.AsSpan(Length).IndexOfAnyExcept((byte)0));
            Assert.Equal(length / 4096, _driver.Total);
            await _file.SetLengthAsync(0, TimeSpan.Zero);
        }
    }

    [Fact]
    public async Task A_pipe_reads_a_sequence_of_leases()
    {
        using PageLease head = _file.Lease(0, 50_000);
        using PageLease tail = _file.Lease(50_000, Length - 50_000);
        var last = new Segment(tail.ReadOnlyMemory, 50_000, next: null);
        var first = new Segment(head.ReadOnlyMemory, 0, last);
        PipeReader reader = PipeReader.Create(new ReadOnlySequence<byte>(first, 0, last, tail.Length));

        ReadResult result = await reader.ReadAtLeastAsync(Length);
        Assert.Equal(Known, result.Buffer.ToArray());
        reader.AdvanceTo(result.Buffer.End);
        await reader.CompleteAsync();
    }

    [Fact]
    public async Task A_pipe_writes_a_lease()
    {
        var pipe = new Pipe(new PipeOptions(pauseWriterThreshold: 0));
        using (PageLease lease = _file.Lease(0, Length))
            await pipe.Writer.WriteAsync(lease.ReadOnlyMemory);
        await pipe.Writer.CompleteAsync();

        ReadResult result = await pipe.Reader.ReadAtLeastAsync(Length);
        Assert.Equal(Known, result.Buffer.ToArray());
        await pipe.Reader.CompleteAsync();
    }

    [Fact]
    public async Task A_pipe_writes_a_lease_to_a_stream()
    {
        await using var stream = new MemoryStream();
        PipeWriter writer = PipeWriter.Create(stream, new StreamPipeWriterOptions(leaveOpen: true));
        using (PageLease lease = _file.Lease(0, Length))
            await writer.WriteAsync(lease.ReadOnlyMemory);
        await writer.CompleteAsync();

        Assert.Equal(Known, stream.ToArray());
    }

    [Fact]
    public async Task A_stream_given_the_memory_of_a_disposed_lease_throws()
    {
        PageLease lease = _file.Lease(0, Length);
        Memory<byte> memory = lease.Memory;
        lease.Dispose();
        await using var stream = new FileStream(_directory["copy"], FileMode.CreateNew, FileAccess.Write, FileShare.None, bufferSize: 0, useAsync: true);

        await Assert.ThrowsAsync<ObjectDisposedException>(() => stream.WriteAsync(memory).AsTask());
        Assert.Equal(0, stream.Length);
    }

    [Fact]
    public void A_lease_is_a_memory_owner()
    {
        Assert.True(UseAndDispose(_file.Lease(0, Length), Known));

        Assert.Empty(_file.Map.GetBusyPages());
    }

    private static bool UseAndDispose<TOwner>(TOwner owner, byte[] expected)
        where TOwner : IMemoryOwner<byte>
    {
        using (owner)
            return owner.Memory.Span.SequenceEqual(expected);
    }

    private static async Task<(Socket Client, Socket Server)> ConnectAsync()
    {
        using var listener = new Socket(AddressFamily.InterNetwork, SocketType.Stream, ProtocolType.Tcp);
        listener.Bind(new IPEndPoint(IPAddress.Loopback, 0));
        listener.Listen();
        var client = new Socket(AddressFamily.InterNetwork, SocketType.Stream, ProtocolType.Tcp);
        await client.ConnectAsync(listener.LocalEndPoint!);
        return (client, await listener.AcceptAsync());
    }

    private static async Task SendAndDisposeAsync(Socket socket, PageLease lease)
    {
        using (lease)
            Assert.Equal(lease.Length, await socket.SendAsync(lease.Memory));
    }

    private static async Task ReceiveExactlyAsync(Socket socket, Memory<byte> memory)
    {
        while (memory.Length > 0)
        {
            int received = await socket.ReceiveAsync(memory);
            Assert.NotEqual(0, received);
            memory = memory[received..];
        }
    }

    private sealed class Segment : ReadOnlySequenceSegment<byte>
    {
        public Segment(ReadOnlyMemory<byte> memory, long runningIndex, Segment? next)
        {
            Memory = memory;
            RunningIndex = runningIndex;
            Next = next;
        }
    }
}
