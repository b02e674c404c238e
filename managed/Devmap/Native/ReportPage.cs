// SPDX-License-Identifier: MIT
using System.Security.Cryptography;
using System.Text;
using System.Text.Encodings.Web;
using System.Text.Json;

namespace Devmap.Native;

/// <summary>The page of a report: the files of the folder Report in one, with the snapshots' JSON inside.</summary>
internal static class ReportPage
{
    // In the order in which they need each other.
    private static readonly string[] s_scripts = ["elements.js", "table.js", "charts.js", "heat.js", "report.js"];

    /// <summary>Writes the page. Nothing of the data can end its script or become markup: the JSON has no angle brackets, and the title is encoded.</summary>
    public static void Write(Stream stream, IReadOnlyList<DevmapSnapshot> snapshots)
    {
        string style = Read("report.css");
        string script = $"\"use strict\";\n(() => {{\n{string.Join('\n', s_scripts.Select(Read))}}})();\n";
        DevmapSnapshot last = snapshots[^1];
        string template = Read("report.html");
        for (int at = 0; at < template.Length;)
        {
            int open = template.IndexOf("{{", at, StringComparison.Ordinal);
            if (open < 0)
            {
                Write(stream, template[at..]);
                return;
            }

            int close = template.IndexOf("}}", open, StringComparison.Ordinal);
            Write(stream, template[at..open]);
            at = close + 2;
            switch (template[(open + 2)..close])
            {
                case "policy":
                    Write(stream, $"default-src 'none'; img-src data:; style-src '{HashOf(style)}'; script-src '{HashOf(script)}'; base-uri 'none'; form-action 'none'");
                    break;
                case "title":
                    Write(stream, HtmlEncoder.Default.Encode($"Devmap: {last.ProcessName}, {last.ProcessId}"));
                    break;
                case "style":
                    Write(stream, style);
                    break;
                case "script":
                    Write(stream, script);
                    break;
                case "data":
                    WriteData(stream, snapshots);
                    break;
                case var other:
                    throw new InvalidOperationException($"The report's template asks for '{other}'.");
            }
        }
    }

    private static void WriteData(Stream stream, IReadOnlyList<DevmapSnapshot> snapshots)
    {
        for (int i = 0; i < snapshots.Count; i++)
        {
            Write(stream, i == 0 ? "[" : ",\n");
            JsonSerializer.Serialize(stream, snapshots[i], SnapshotJson.Default.DevmapSnapshot);
        }

        Write(stream, "]");
    }

    private static void Write(Stream stream, string text) => stream.Write(Encoding.UTF8.GetBytes(text));

    /// <summary>How the page's own policy names what it may use, so that nothing else can run in it.</summary>
    private static string HashOf(string text) => $"sha256-{Convert.ToBase64String(SHA256.HashData(Encoding.UTF8.GetBytes(text)))}";

    private static string Read(string name)
    {
        using Stream stream = typeof(ReportPage).Assembly.GetManifestResourceStream($"Devmap.Report.{name}")
            ?? throw new InvalidOperationException($"The assembly has no '{name}' of its report.");
        using var reader = new StreamReader(stream, Encoding.UTF8);
        return reader.ReadToEnd();
    }
}
