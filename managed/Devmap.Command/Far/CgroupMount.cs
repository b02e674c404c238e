// SPDX-License-Identifier: MIT
using System.Globalization;
using System.Text.RegularExpressions;

namespace Devmap.CommandLine.Far;

/// <summary>The group of this process whose memory is counted, as the file system has it.</summary>
/// <param name="Version">1 or 2.</param>
/// <param name="Directory">Its directory.</param>
internal sealed partial record CgroupMount(int Version, string Directory)
{
    /// <summary>Finds it. Where version 1 counts memory, version 2 does not.</summary>
    /// <exception cref="IOException">There is none, or it is not to be seen from here.</exception>
    public static CgroupMount Find(ICgroupFiles files)
    {
        string[][] groups = [.. Lines(files, "/proc/self/cgroup").Select(line => line.Split(':', 3)).Where(fields => fields.Length == 3)];
        string[]? first = groups.FirstOrDefault(fields => fields[1].Split(',').Contains("memory"));
        string[]? second = groups.FirstOrDefault(fields => fields[0] == "0" && fields[1].Length == 0);
        if ((first ?? second) is not { } own)
            throw new IOException("the system has no memory cgroups");
        int version = first is not null ? 1 : 2;
        foreach (string line in Lines(files, "/proc/self/mountinfo"))
        {
            if (PlaceOf(line, version, own[2]) is { } directory)
                return new CgroupMount(version, directory);
        }

        throw new IOException($"the memory cgroup of this process, '{own[2]}', is not mounted where it could be seen");
    }

    private static string[] Lines(ICgroupFiles files, string path) => files.Read(path).Split('\n', StringSplitOptions.RemoveEmptyEntries);

    /// <summary>Where a mount shows a group, or null where it does not. See proc_pid_mountinfo(5).</summary>
    private static string? PlaceOf(string mount, int version, string group)
    {
        int end = mount.IndexOf(" - ", StringComparison.Ordinal);
        if (end < 0)
            return null;
        string[] fields = mount[..end].Split(' ');
        string[] rest = mount[(end + 3)..].Split(' ');
        if (fields.Length < 5 || rest.Length < 3 || (version == 1 ? rest[0] != "cgroup" || !rest[2].Split(',').Contains("memory") : rest[0] != "cgroup2"))
            return null;
        string root = Unescape(fields[3]);
        string below = root == "/" ? group : group[Math.Min(root.Length, group.Length)..];
        bool isBelow = root == "/" || group == root || group.StartsWith($"{root}/", StringComparison.Ordinal);

        // "/.." is the way to a group outside of this process's namespace.
        return isBelow && !below.StartsWith("/..", StringComparison.Ordinal) ? (Unescape(fields[4]) + below).TrimEnd('/') : null;
    }

    private static string Unescape(string field) => Escape().Replace(field, match => ((char)Convert.ToInt32(match.Value[1..], 8)).ToString(CultureInfo.InvariantCulture));

    [GeneratedRegex(@"\\[0-7]{3}", RegexOptions.None, matchTimeoutMilliseconds: 1000)]
    private static partial Regex Escape();
}
