// SPDX-License-Identifier: MIT
using Devmap.CommandLine.Far;

namespace Devmap.Tests.Command;

/// <summary>Cgroups that behave as the kernel's do as far as a memory limit goes: one process in <see cref="Own"/>, and perhaps others.</summary>
internal sealed class FakeCgroups : ICgroupFiles
{
    private readonly Dictionary<string, string> _files = [];
    private readonly int _version;

    private FakeCgroups(int version, string own, string groups, string mounts)
    {
        _version = version;
        Own = own;
        Place = own;
        _files["/proc/self/cgroup"] = groups;
        _files["/proc/self/mountinfo"] = mounts;
        Populate(own);
    }

    /// <summary>The group that the process starts in.</summary>
    public string Own { get; }

    /// <summary>Where the process is.</summary>
    public string Place { get; private set; }

    /// <summary>Whether other processes are in <see cref="Own"/>.</summary>
    public bool HasOthers { get; init; }

    /// <summary>How often the group is said to be in use yet when it is removed.</summary>
    public int BusyRemovals { get; set; }

    /// <summary>A file that may not be written in the new group.</summary>
    public string? Forbidden { get; init; }

    /// <summary>A file that takes what is written, and stays as it is.</summary>
    public string? Ignored { get; set; }

    public IReadOnlyDictionary<string, string> Files => _files;

    public static FakeCgroups Version1() => new(
        1,
        "/sys/fs/cgroup/memory/job/7",
        "9:cpu:/\n4:memory:/job/7\n0::/elsewhere\n",
        "30 20 0:30 / /sys/fs/cgroup/unified rw - cgroup2 cgroup rw\n35 31 0:32 / /sys/fs/cgroup/memory rw,relatime shared:7 - cgroup cgroup rw,memory\n");

    /// <summary>As in a container that sees its own part of the tree, at a place with a space in its name.</summary>
    public static FakeCgroups Version1InContainer() => new(
        1,
        "/a b/memory/deep",
        "4:cpu,memory:/docker/5/deep\n",
        "34 31 0:31 /docker/4 /other rw - cgroup cgroup rw,cpu,memory\n35 31 0:32 /docker/5 /a\\040b/memory rw - cgroup cgroup rw,cpu,memory\n");

    public static FakeCgroups Version2(bool hasOthers = false, bool isDelegated = true, string? forbidden = null)
    {
        var files = new FakeCgroups(
            2,
            "/sys/fs/cgroup/app.slice/x.scope",
            "0::/app.slice/x.scope\n",
            "30 20 0:26 / /sys/fs/cgroup rw,nosuid shared:4 - cgroup2 cgroup2 rw,nsdelegate\n")
        {
            HasOthers = hasOthers,
            Forbidden = forbidden,
        };
        files._files[$"{files.Own}/cgroup.controllers"] = isDelegated ? "cpu memory pids\n" : "cpu pids\n";
        return files;
    }

    /// <summary>A group of version 2 that counts memory for its children already, as only the root has with processes in it.</summary>
    public static FakeCgroups Version2Root()
    {
        var files = new FakeCgroups(2, "/sys/fs/cgroup", "0::/\n", "30 20 0:26 / /sys/fs/cgroup rw - cgroup2 cgroup2 rw\n");
        files._files["/sys/fs/cgroup/cgroup.controllers"] = "memory\n";
        files._files["/sys/fs/cgroup/cgroup.subtree_control"] = "memory\n";
        return files;
    }

    public static FakeCgroups Of(string groups, string mounts) => new(1, "/nowhere", groups, mounts);

    public bool Exists(string path) => _files.ContainsKey(path);

    public string Read(string path) => _files[path];

    public void Write(string path, string text)
    {
        if (!Exists(path))
            throw new FileNotFoundException($"There is no '{path}'.");
        if (Path.GetFileName(path) == Forbidden && path.Contains("/devmap-far-", StringComparison.Ordinal))
            throw new UnauthorizedAccessException($"Access to the path '{path}' is denied.");
        string directory = Path.GetDirectoryName(path)!;
        if (path.EndsWith("/cgroup.procs", StringComparison.Ordinal))
            Move(directory);
        else if (path.EndsWith("/cgroup.subtree_control", StringComparison.Ordinal))
            SetChildren(directory, text);
        else
            _files[path] = Ignored == Path.GetFileName(path) ? "max\n" : text;
    }

    public IReadOnlyList<string> GroupsIn(string directory) =>
        [.. _files.Keys.Select(file => Path.GetDirectoryName(file)!).Where(group => Path.GetDirectoryName(group) == directory).Distinct()];

    public void Make(string directory)
    {
        if (GroupsIn(Path.GetDirectoryName(directory)!).Contains(directory))
            throw new IOException($"'{directory}' exists.");
        Populate(directory);
    }

    /// <summary>Makes a file, or what is in it.</summary>
    public void Set(string path, string text) => _files[path] = text;

    public void Remove(string directory)
    {
        if (Place == directory || BusyRemovals-- > 0)
            throw new IOException("Device or resource busy");
        foreach (string file in Children(directory))
            _files.Remove(file);
    }

    private bool Counts(string? directory) => directory is not null && _files.GetValueOrDefault($"{directory}/cgroup.subtree_control", string.Empty).Contains("memory", StringComparison.Ordinal);

    private void Move(string directory)
    {
        if (_version == 2 && Counts(directory) && directory != "/sys/fs/cgroup")
            throw new IOException("Device or resource busy");
        Place = directory;
    }

    private void SetChildren(string directory, string text)
    {
        if (text == "+memory" && (HasOthers || Place == directory))
            throw new IOException("Device or resource busy");
        _files[$"{directory}/cgroup.subtree_control"] = text == "+memory" ? "memory\n" : "\n";
        foreach (string child in _files.Keys.Where(file => file.EndsWith("/cgroup.procs", StringComparison.Ordinal)).Select(file => Path.GetDirectoryName(file)!).ToArray())
        {
            if (Path.GetDirectoryName(child) == directory)
                Populate(child);
        }
    }

    private void Populate(string directory)
    {
        string[] names = _version == 1
            ? ["cgroup.procs", "memory.limit_in_bytes", "memory.memsw.limit_in_bytes", "memory.max_usage_in_bytes"]
            : ["cgroup.procs", "cgroup.subtree_control", .. Counts(Path.GetDirectoryName(directory)) ? new[] { "memory.max", "memory.swap.max", "memory.peak" } : []];
        foreach (string name in names)
            _files.TryAdd($"{directory}/{name}", name is "memory.peak" or "memory.max_usage_in_bytes" ? "12345\n" : "\n");
    }

    private string[] Children(string directory) => [.. _files.Keys.Where(file => file.StartsWith($"{directory}/", StringComparison.Ordinal))];
}
