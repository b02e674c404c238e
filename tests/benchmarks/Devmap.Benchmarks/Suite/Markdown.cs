// SPDX-License-Identifier: MIT
using System.Text;

namespace Devmap.Benchmarks.Suite;

/// <summary>Writes Markdown.</summary>
internal static class Markdown
{
    public static StringBuilder Heading(this StringBuilder text, int level, string title) =>
        text.Append(new string('#', level)).Append(' ').Append(title).Append("\n\n");

    public static StringBuilder Paragraph(this StringBuilder text, string words) => text.Append(words).Append("\n\n");

    public static StringBuilder Picture(this StringBuilder text, string title, string path) =>
        text.Append("![").Append(Escape(title)).Append("](").Append(path).Append(")\n\n");

    public static StringBuilder Table(this StringBuilder text, IReadOnlyList<string> columns, IEnumerable<IReadOnlyList<string>> rows)
    {
        text.Row(columns).Row([.. columns.Select(_ => "---")]);
        foreach (IReadOnlyList<string> row in rows)
            text.Row(row);
        return text.Append('\n');
    }

    private static StringBuilder Row(this StringBuilder text, IEnumerable<string> cells) =>
        text.Append("| ").AppendJoin(" | ", cells.Select(Escape)).Append(" |\n");

    /// <summary>Words that come from elsewhere and mean nothing to Markdown.</summary>
    public static string Escape(string words)
    {
        StringBuilder text = new();
        foreach (char letter in words.ReplaceLineEndings(" "))
        {
            if (letter is '\\' or '|' or '[' or '*' or '_' or '`')
                text.Append('\\');
            if (letter == '<')
                text.Append("&lt;");
            else
                text.Append(letter);
        }

        return text.ToString();
    }
}
