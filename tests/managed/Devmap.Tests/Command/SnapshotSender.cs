// SPDX-License-Identifier: MIT
using System.Diagnostics;
using System.Diagnostics.Tracing;
using System.Globalization;
using Xunit;

namespace Devmap.Tests.Command;

/// <summary>
/// A process that sends snapshots as the library does, but for what a test wants to go wrong. It says on its standard output
/// what it was asked for.
/// </summary>
internal sealed class SnapshotSender : IDisposable
{
    private const int Pages = 1000;

    private SnapshotSender(Process process) => Process = process;

    public Process Process { get; }

    public string Id => Process.Id.ToString(CultureInfo.InvariantCulture);

    /// <summary>Starts one that sends what a method of <see cref="Source"/> makes of the snapshots.</summary>
    public static async Task<SnapshotSender> StartAsync(string way, (string Name, string Value)? environment = null)
    {
        var sender = new SnapshotSender(ChildProcess.Start(given => Send(given), way, environment));
        Assert.Equal("ready", await sender.Process.StandardOutput.ReadLineAsync());
        return sender;
    }

    /// <summary>The snapshot of a number: a second and 1000 activations after the one before.</summary>
    public static DevmapSnapshot Create(long sequence) => Snapshots.Create() with
    {
        Time = Snapshots.Start + TimeSpan.FromSeconds(sequence),
        Statistics = new DevmapStatistics { Activations = sequence * Pages },
        BusyPages = [],
        Faults = [],
    };

    public void Dispose()
    {
        Process.Kill();
        Process.WaitForExit();
        Process.Dispose();
    }

    private static void Send(string way)
    {
        using var source = new Source(way);
        Console.WriteLine("ready");
        Console.In.ReadToEnd();
    }

    [EventSource(Name = "Devmap")]
    private sealed class Source(string way) : EventSource(throwOnEventWriteErrors: true)
    {
        private readonly ManualResetEventSlim _isEnabled = new();
        private bool _isStarted;

        [Event(40, Level = EventLevel.Informational, Keywords = Keywords.Snapshots)]
        public void Snapshot(long sequence, int part, int parts, string json) => WriteEvent(40, sequence, part, parts, json);

        protected override void OnEventCommand(EventCommandEventArgs command)
        {
            if (command.Command == EventCommand.Disable)
            {
                _isEnabled.Reset();
                Console.WriteLine("disabled");
                return;
            }

            Console.WriteLine($"enabled {Matches()} {command.Arguments?["SnapshotIntervalMilliseconds"]}");
            _isEnabled.Set();
            if (_isStarted)
                return;
            _isStarted = true;
            new Thread(Run) { IsBackground = true }.Start();
        }

        protected override void Dispose(bool disposing)
        {
            if (disposing)
                _isEnabled.Dispose();
            base.Dispose(disposing);
        }

        private bool Matches() => IsEnabled(EventLevel.Informational, Keywords.Snapshots);

        [NonEvent]
        private void Run()
        {
            for (long sequence = 1; ; sequence++)
            {
                _isEnabled.Wait();
                SendOne(sequence, Create(sequence).ToJson());
                Thread.Sleep(20);
            }
        }

        [NonEvent]
        private void SendOne(long sequence, string json)
        {
            switch (way)
            {
                case "nothing":
                    break;
                case "whole":
                    SendParts(sequence, json, [3, 0, 2, 1], 4);
                    break;
                case "every other one torn":
                    SendParts(sequence, json, sequence % 2 == 0 ? [1, 2, 3] : [0, 1, 2, 3], 4);
                    break;
                case "another version":
                    Snapshot(sequence, 0, 1, json.Replace("\"version\":1", "\"version\":7", StringComparison.Ordinal));
                    break;
                case "no JSON":
                    Snapshot(sequence, 0, 1, "hello");
                    break;
                case "two and exit" when sequence > 2:
                    Environment.Exit(0);
                    break;
                case "two and crash" when sequence > 2:
                    Process.GetCurrentProcess().Kill();
                    break;
                default:
                    SendParts(sequence, json, [0], 1);
                    break;
            }
        }

        [NonEvent]
        private void SendParts(long sequence, string json, int[] order, int parts)
        {
            int length = (json.Length + parts - 1) / parts;
            foreach (int part in order)
                Snapshot(sequence, part, parts, json[(part * length)..Math.Min(json.Length, (part + 1) * length)]);
        }

        /// <summary>Found by its name: events may have no keywords but these.</summary>
        public static class Keywords
        {
            public const EventKeywords Snapshots = (EventKeywords)0x80;
        }
    }
}
