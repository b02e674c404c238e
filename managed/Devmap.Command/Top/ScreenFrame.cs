// SPDX-License-Identifier: MIT
using Spectre.Console;
using Spectre.Console.Rendering;

namespace Devmap.CommandLine.Top;

/// <summary>Replaces the whole screen in one write, which terminals that can show at once; what is too high is cut.</summary>
/// <param name="content">What to show.</param>
/// <param name="height">Lines of the screen.</param>
internal sealed class ScreenFrame(IRenderable content, int height) : Renderable
{
    private const string Begin = "\e[?2026h\e[H\e[2J";
    private const string End = "\e[?2026l";

    protected override IEnumerable<Segment> Render(RenderOptions options, int maxWidth)
    {
        yield return Segment.Control(Begin);
        List<SegmentLine> lines = Segment.SplitLines(content.Render(options, maxWidth), maxWidth);
        for (int i = 0; i < Math.Min(lines.Count, height); i++)
        {
            // None after the last line: it would scroll.
            if (i > 0)
                yield return Segment.LineBreak;
            foreach (Segment segment in lines[i])
                yield return segment;
        }

        yield return Segment.Control(End);
    }
}
