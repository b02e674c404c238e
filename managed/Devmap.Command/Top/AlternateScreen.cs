// SPDX-License-Identifier: MIT
using Spectre.Console;

namespace Devmap.CommandLine.Top;

/// <summary>The terminal's other screen, without a cursor: what was on the first one is there again at the end. Any thread.</summary>
internal sealed class AlternateScreen : IDisposable
{
    private const string Enter = "\e[?1049h\e[?25l";
    private const string Leave = "\e[?25h\e[?1049l";

    private readonly IAnsiConsole _console;
    private bool _isLeft;

    public AlternateScreen(IAnsiConsole console)
    {
        _console = console;
        LastSteps.Add(this);
        console.Write(new ControlCode(Enter));
    }

    public void Dispose()
    {
        if (Interlocked.Exchange(ref _isLeft, value: true))
            return;
        LastSteps.Remove(this);
        _console.Write(new ControlCode(Leave));
    }
}
