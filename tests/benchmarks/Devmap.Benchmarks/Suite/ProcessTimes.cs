// SPDX-License-Identifier: MIT
using System.Globalization;

namespace Devmap.Benchmarks.Suite;

/// <summary>What a process has used, from /proc/PID/stat.</summary>
/// <param name="Id">The process.</param>
/// <param name="Name">Its program.</param>
/// <param name="Ticks">Clock ticks on any core.</param>
/// <param name="TicksWithChildren">These, and those of its children that have ended.</param>
internal sealed record ProcessTimes(int Id, string Name, long Ticks, long TicksWithChildren)
{
    public static ProcessTimes ReadOwn() => Parse(File.ReadAllText("/proc/self/stat"));

    /// <summary>All processes that can be seen.</summary>
    public static Dictionary<int, ProcessTimes> ReadAll()
    {
        Dictionary<int, ProcessTimes> all = [];
        foreach (string folder in Directory.EnumerateDirectories("/proc"))
        {
            if (int.TryParse(Path.GetFileName(folder), NumberStyles.None, CultureInfo.InvariantCulture, out int id) && TryRead(id) is { } times)
                all.Add(id, times);
        }

        return all;
    }

    /// <summary>Reads a stat line. The name stands in parentheses and may hold any character.</summary>
    public static ProcessTimes Parse(string stat)
    {
        int open = stat.IndexOf('(', StringComparison.Ordinal);
        int close = stat.LastIndexOf(')');
        string[] rest = stat[(close + 2)..].Split(' ');
        long ticks = Number(rest[11]) + Number(rest[12]);
        return new(
            int.Parse(stat.AsSpan(0, open).Trim(), NumberStyles.None, CultureInfo.InvariantCulture),
            Printable(stat[(open + 1)..close]),
            ticks,
            ticks + Number(rest[13]) + Number(rest[14]));
    }

    /// <summary>A process chooses its own name, and it ends on terminals.</summary>
    private static string Printable(string name) =>
        string.Concat(name.Select(letter => char.IsControl(letter) || IsFormat(letter) ? '?' : letter));

    private static bool IsFormat(char letter) => char.GetUnicodeCategory(letter) == UnicodeCategory.Format;

    private static ProcessTimes? TryRead(int id)
    {
        try
        {
            return Parse(File.ReadAllText($"/proc/{id.ToString(CultureInfo.InvariantCulture)}/stat"));
        }
        catch (Exception exception) when (exception is IOException or UnauthorizedAccessException)
        {
            // It ended meanwhile, or /proc is mounted with hidepid and it is somebody else's.
            return null;
        }
    }

    private static long Number(string text) => long.Parse(text, NumberStyles.None, CultureInfo.InvariantCulture);
}
