// SPDX-License-Identifier: MIT
using System.Text;
using Devmap.CommandLine;
using Devmap.CommandLine.Far;
using Spectre.Console;
using Xunit;

namespace Devmap.Tests.Command;

/// <summary>A job whose progress can't be shown, as where the disk that it is written to is full.</summary>
public sealed class LiveProgressTests
{
    [Theory]
    [InlineData(true)]
    [InlineData(false)]
    public async Task What_can_not_be_shown_is_thrown_once_the_job_has_ended(bool isLive)
    {
        bool hasEnded = false;
        IOException exception = await Assert.ThrowsAsync<IOException>(() => LiveProgress.RunAsync(
            Console(new StringWriter(), isLive),
            async stop =>
            {
                await Task.Delay(Timeout.Infinite, stop).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
                await Task.Delay(100, CancellationToken.None);
                hasEnded = true;
                return 0;
            },
            Failing(() => new Table()),
            () => throw new IOException("No space left on device"),
            CancellationToken.None));

        Assert.Equal("No space left on device", exception.Message);
        Assert.True(hasEnded);
    }

    [Fact]
    public async Task Far_memory_is_freed_after_its_threads_ended()
    {
        await using var output = new FullWriter { Lines = 3 };
        FarSettings settings = new() { Size = 8 << 20, Resident = 2 << 20, IsLimited = false, Duration = TimeSpan.FromSeconds(60) };

        await Assert.ThrowsAsync<IOException>(() => FarCommand.RunAsync(settings, Console(output, isLive: false), TextWriter.Null, CancellationToken.None));
    }

    /// <summary>The first works: it is shown before the job starts.</summary>
    private static Func<Table> Failing(Func<Table> frame)
    {
        int frames = 0;
        return () => frames++ == 0 ? frame() : throw new IOException("No space left on device");
    }

    private static IAnsiConsole Console(TextWriter output, bool isLive)
    {
        IAnsiConsole console = AnsiConsole.Create(new AnsiConsoleSettings
        {
            Ansi = isLive ? AnsiSupport.Yes : AnsiSupport.No,
            Interactive = isLive ? InteractionSupport.Yes : InteractionSupport.No,
            Out = new AnsiConsoleOutput(output),
        });
        console.Profile.Width = 1000;
        return console;
    }

    /// <summary>Has room for some lines.</summary>
    private sealed class FullWriter : TextWriter
    {
        public int Lines { get; set; }

        public override Encoding Encoding => Encoding.UTF8;

        public override void Write(char value)
        {
            if (value == '\n' && --Lines < 0)
                throw new IOException("No space left on device");
        }
    }
}
