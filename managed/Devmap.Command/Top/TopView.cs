// SPDX-License-Identifier: MIT
using System.Diagnostics;
using System.Globalization;
using Devmap.CommandLine.Snapshots;
using Spectre.Console;
using Spectre.Console.Rendering;

namespace Devmap.CommandLine.Top;

/// <summary>Shows a process's snapshots: in place on a terminal, one after the other elsewhere.</summary>
internal sealed class TopView(IAnsiConsole console, TopSettings settings)
{
    /// <summary>How often it is looked whether the terminal has another size, or the process fell silent.</summary>
    private static readonly TimeSpan s_tick = TimeSpan.FromMilliseconds(250);

    private DevmapSnapshot? _former;
    private DevmapSnapshot? _latest;
    private long _lastTime = Stopwatch.GetTimestamp();
    private (int Width, int Height) _size;
    private string? _drawn;

    /// <summary>Snapshots that were shown.</summary>
    public int Shown { get; private set; }

    /// <summary>Whether all were that were asked for.</summary>
    public bool IsComplete => Shown == settings.Count;

    /// <summary>Shows what comes.</summary>
    /// <returns>When all was shown that was asked for, or the process has ended.</returns>
    /// <exception cref="WatchException">The process sends nothing, or nothing that can be read.</exception>
    public async Task ShowAsync(SnapshotStream stream, CancellationToken interrupt)
    {
        if (!console.IsLive())
        {
            await ShowEachAsync(stream, interrupt).ConfigureAwait(false);
            return;
        }

        try
        {
            using var screen = new AlternateScreen(console);
            await ShowEachAsync(stream, interrupt).ConfigureAwait(false);
        }
        finally
        {
            // The other screen is gone, and with it what it showed.
            if (_latest is not null)
                console.Write(SnapshotView.Create(_latest, _former, SnapshotDetail.Brief));
        }
    }

    private async Task ShowEachAsync(SnapshotStream stream, CancellationToken interrupt)
    {
        Draw(stream);
        Task<bool> next = stream.WaitAsync(interrupt).AsTask();
        while (!IsComplete)
        {
            try
            {
                if (!await next.WaitAsync(s_tick, interrupt).ConfigureAwait(false))
                    return;
            }
            catch (TimeoutException)
            {
                Wait(stream);
                continue;
            }

            if (stream.TryTake(out DevmapSnapshot? snapshot))
                Show(snapshot, stream);
            next = stream.WaitAsync(interrupt).AsTask();
        }
    }

    private void Show(DevmapSnapshot snapshot, SnapshotStream stream)
    {
        _former = _latest;
        _latest = snapshot;
        _lastTime = Stopwatch.GetTimestamp();
        Shown++;
        if (console.IsLive())
        {
            _drawn = null;
            Draw(stream);
            return;
        }

        if (_former is not null)
            console.WriteLine();
        console.Write(SnapshotView.Create(snapshot, _former, SnapshotDetail.Brief));
    }

    private void Wait(SnapshotStream stream)
    {
        // A view that is there stays: the process may be stopped, as by a debugger.
        if (Stopwatch.GetElapsedTime(_lastTime) > settings.Interval + settings.Patience && (_latest is null || !console.IsLive()))
            throw new WatchException(TargetProcess.WhySilent(settings.ProcessId, settings.Interval + settings.Patience));
        Draw(stream);
    }

    /// <summary>Draws the screen, if there is one, and it would look otherwise than it does.</summary>
    private void Draw(SnapshotStream stream)
    {
        if (!console.IsLive())
            return;
        (int Width, int Height) size = (console.Profile.Width, console.Profile.Height);
        string status = Status(stream);
        if (size == _size && string.Equals(status, _drawn, StringComparison.Ordinal))
            return;
        _size = size;
        _drawn = status;
        IRenderable head = new Text(status) { Overflow = Overflow.Ellipsis };
        console.Write(new ScreenFrame(_latest is null ? head : new Rows(head, SnapshotView.CreateForLines(_latest, _former, size.Height - 1)), size.Height));
    }

    private string Status(SnapshotStream stream)
    {
        TimeSpan silence = Stopwatch.GetElapsedTime(_lastTime);
        string silent = silence > settings.Interval + settings.Interval + s_tick
            ? string.Create(CultureInfo.InvariantCulture, $", nothing for {Math.Floor(silence.TotalSeconds)} s")
            : string.Empty;
        string lost = stream.Lost > 0 ? $", {SnapshotText.Count(stream.Lost)} lost" : string.Empty;
        return string.Create(CultureInfo.InvariantCulture, $"devmap top: process {settings.ProcessId} every {settings.Interval.TotalSeconds} s, {SnapshotText.Count(Shown)} shown{lost}{silent}. Ctrl-C ends.");
    }
}
