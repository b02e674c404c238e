// SPDX-License-Identifier: MIT
using System.Diagnostics.Tracing;
using System.Globalization;
using System.Net.Sockets;
using System.Threading.Channels;
using Microsoft.Diagnostics.NETCore.Client;
using Microsoft.Diagnostics.Tracing;

namespace Devmap.CommandLine.Top;

/// <summary>The snapshots that another process sends through its runtime's diagnostics.</summary>
internal sealed class SnapshotStream : IAsyncDisposable
{
    private const string Provider = "Devmap";
    private const long SnapshotsKeyword = 0x80;
    private const int SnapshotEvent = 40;
    private const string IntervalArgument = "SnapshotIntervalMilliseconds";

    /// <summary>Of the other process's memory, at most.</summary>
    private const int BufferMegabytes = 64;

    /// <summary>How long a process that may be stopped is asked to end the session.</summary>
    private static readonly TimeSpan s_farewell = TimeSpan.FromSeconds(3);

    /// <summary>How long a process may take from closing its files to its end.</summary>
    private static readonly TimeSpan s_end = TimeSpan.FromSeconds(2);

    private readonly int _processId;
    private readonly EventPipeSession _session;
    private readonly SnapshotAssembler _assembler = new();
    private readonly Thread _reader;

    // A slow terminal misses some; it is never behind.
    private readonly Channel<DevmapSnapshot> _snapshots = Channel.CreateBounded<DevmapSnapshot>(
        new BoundedChannelOptions(4) { FullMode = BoundedChannelFullMode.DropOldest, SingleReader = true, SingleWriter = true });

    private long _lost;

    private SnapshotStream(int processId, EventPipeSession session)
    {
        _processId = processId;
        _session = session;
        _reader = new Thread(Read) { IsBackground = true, Name = "snapshots" };
        _reader.Start();
    }

    /// <summary>Snapshots that did not come whole: the process was too fast for the stream.</summary>
    public long Lost => Volatile.Read(ref _lost);

    /// <summary>Asks a process for snapshots.</summary>
    /// <exception cref="WatchException">It can't be asked.</exception>
    public static async Task<SnapshotStream> OpenAsync(TopSettings settings, CancellationToken interrupt)
    {
        var provider = new EventPipeProvider(Provider, EventLevel.Informational, SnapshotsKeyword, new Dictionary<string, string>(StringComparer.Ordinal)
        {
            [IntervalArgument] = ((long)settings.Interval.TotalMilliseconds).ToString(CultureInfo.InvariantCulture),
        });
        using var patience = CancellationTokenSource.CreateLinkedTokenSource(interrupt);
        patience.CancelAfter(settings.Patience);
        try
        {
            EventPipeSession session = await new DiagnosticsClient(settings.ProcessId)
                .StartEventPipeSessionAsync([provider], requestRundown: false, BufferMegabytes, patience.Token).ConfigureAwait(false);
            return new SnapshotStream(settings.ProcessId, session);
        }
        catch (OperationCanceledException exception) when (!interrupt.IsCancellationRequested)
        {
            throw new WatchException($"process {settings.ProcessId} did not answer in {settings.Patience.TotalSeconds} s: is it stopped?", exception);
        }
        catch (Exception exception) when (exception is DiagnosticsClientException or IOException or SocketException or UnauthorizedAccessException or TimeoutException)
        {
            throw new WatchException(TargetProcess.WhyUnreachable(settings.ProcessId, exception), exception);
        }
    }

    /// <summary>Waits for the next snapshot; it is there at once where one waits for its reader.</summary>
    /// <returns>Whether there is one; false once the process has ended.</returns>
    /// <exception cref="WatchException">What it sent can't be read.</exception>
    public ValueTask<bool> WaitAsync(CancellationToken cancellation) => _snapshots.Reader.WaitToReadAsync(cancellation);

    /// <summary>Takes the next snapshot, if there is one.</summary>
    public bool TryTake([System.Diagnostics.CodeAnalysis.NotNullWhen(true)] out DevmapSnapshot? snapshot) => _snapshots.Reader.TryRead(out snapshot);

    /// <summary>Ends the session there, and the reading of it here.</summary>
    public async ValueTask DisposeAsync()
    {
        using (var farewell = new CancellationTokenSource(s_farewell))
        {
            try
            {
                await _session.StopAsync(farewell.Token).ConfigureAwait(false);
            }
            catch (Exception exception) when (exception is DiagnosticsClientException or IOException or SocketException or OperationCanceledException)
            {
                // It has ended, or does not answer; its runtime ends the session when it finds the stream closed.
            }
        }

        // Closes the stream, which ends the reading.
        _session.Dispose();
        await Task.Run(_reader.Join).ConfigureAwait(false);
    }

    private void Read()
    {
        try
        {
            using var source = new EventPipeEventSource(_session.EventStream);
            source.Dynamic.All += part => OnEvent(source, part);
            source.Process();
            _snapshots.Writer.TryComplete();
        }
        catch (Exception exception)
        {
            // A process that is killed leaves half an event. If it goes on, the stream is at fault.
            bool hasEnded = exception is IOException or ObjectDisposedException || HasEnded();
            _snapshots.Writer.TryComplete(hasEnded ? null : Unreadable(exception));
        }
    }

    /// <summary>Whether the process has ended, or does now: one that is killed closes its files before it is listed as ended.</summary>
    private bool HasEnded() => SpinWait.SpinUntil(() => !TargetProcess.IsRunning(_processId), s_end);

    private void OnEvent(EventPipeEventSource source, TraceEvent part)
    {
        if ((int)part.ID != SnapshotEvent || !string.Equals(part.ProviderName, Provider, StringComparison.Ordinal))
            return;
        try
        {
            if (Assemble(part) is { } json)
                _snapshots.Writer.TryWrite(DevmapSnapshot.FromJson(json));
        }
        catch (InvalidDataException exception)
        {
            _snapshots.Writer.TryComplete(Unreadable(exception));
            source.StopProcessing();
        }
    }

    private string? Assemble(TraceEvent part)
    {
        if (part.PayloadByName("sequence") is not long sequence || part.PayloadByName("part") is not int number
            || part.PayloadByName("parts") is not int parts || part.PayloadByName("json") is not string text)
        {
            throw new InvalidDataException($"The event {SnapshotEvent} of its Devmap is none that this version knows.");
        }

        string? json = _assembler.Add(sequence, number, parts, text);
        Volatile.Write(ref _lost, _assembler.Lost);
        return json;
    }

    private WatchException Unreadable(Exception exception) => new($"what process {_processId} sends can't be read: {exception.Message}", exception);
}
