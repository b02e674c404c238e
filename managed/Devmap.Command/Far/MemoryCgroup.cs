// SPDX-License-Identifier: MIT
using System.Globalization;
using System.Security.Cryptography;

namespace Devmap.CommandLine.Far;

/// <summary>
/// A memory cgroup of this process's own, with a limit, below the one that it was in. What it took before is counted where it
/// was. Disposing puts the process back, and removes the group, from any thread; <see cref="Warning"/> has what could not be done.
/// </summary>
internal sealed class MemoryCgroup : IDisposable
{
    private const string Prefix = "devmap-far-";
    private const string Processes = "cgroup.procs";
    private const string Children = "cgroup.subtree_control";
    private const int Attempts = 50;

    private readonly ICgroupFiles _files;
    private readonly CgroupMount _parent;
    private readonly string _process;
    private readonly Lock _lock = new();
    private bool _isMade;
    private bool _isInside;
    private bool _hasOpened;

    private MemoryCgroup(ICgroupFiles files, CgroupMount parent, int process)
    {
        _files = files;
        _parent = parent;
        _process = process.ToString(CultureInfo.InvariantCulture);
        Directory = $"{parent.Directory}/{Prefix}{_process}-{Convert.ToHexStringLower(RandomNumberGenerator.GetBytes(4))}";
    }

    /// <summary>Its directory.</summary>
    public string Directory { get; }

    /// <summary>The version of cgroups, 1 or 2.</summary>
    public int Version => _parent.Version;

    /// <summary>Whether what is swapped out counts too, or there is no swap.</summary>
    public bool IsSwapLimited { get; private set; }

    /// <summary>Once it is disposed, why something of it was left, or null.</summary>
    public string? Warning { get; private set; }

    /// <summary>The most bytes that were in it, or null where the system does not tell.</summary>
    public long? Peak
    {
        get
        {
            string path = PathOf(Version == 1 ? "memory.max_usage_in_bytes" : "memory.peak");
            return _files.Exists(path) && long.TryParse(_files.Read(path), CultureInfo.InvariantCulture, out long peak) ? peak : null;
        }
    }

    /// <summary>Puts a process into a new group.</summary>
    /// <param name="files">The cgroups.</param>
    /// <param name="process">The process.</param>
    /// <param name="limit">Bytes.</param>
    /// <exception cref="IOException">It can't be done, and the process is where it was.</exception>
    /// <exception cref="UnauthorizedAccessException">It may not be done, and the process is where it was.</exception>
    public static MemoryCgroup Enter(ICgroupFiles files, int process, long limit)
    {
        var group = new MemoryCgroup(files, CgroupMount.Find(files), process);
        try
        {
            group.Sweep();
            group.Enter(limit);
            return group;
        }
        catch
        {
            group.Dispose();
            throw;
        }
    }

    public void Dispose()
    {
        lock (_lock)
        {
            if (_hasOpened)
                Try(() => _files.Write($"{_parent.Directory}/{Children}", "-memory"));
            _hasOpened = false;
            if (_isInside)
                Try(() => _files.Write($"{_parent.Directory}/{Processes}", _process));
            _isInside = false;
            if (_isMade)
                Try(Remove);
            _isMade = false;
        }
    }

    private void Try(Action step)
    {
        try
        {
            step();
        }
        catch (Exception exception) when (exception is IOException or UnauthorizedAccessException)
        {
            Warning ??= $"the cgroup '{Directory}' may be left: {exception.Message}";
        }
    }

    /// <summary>Removes groups that were left by programs that were killed.</summary>
    private void Sweep()
    {
        foreach (string group in _files.GroupsIn(_parent.Directory).Where(IsLeft))
        {
            try
            {
                _files.Remove(group);
            }
            catch (Exception exception) when (exception is IOException or UnauthorizedAccessException)
            {
                // It is not in the way.
            }
        }
    }

    /// <summary>Whether a group has no process, and that which made it, after which it is named, is gone: it could be about to enter.</summary>
    private bool IsLeft(string group)
    {
        string name = Path.GetFileName(group);
        if (!name.StartsWith(Prefix, StringComparison.Ordinal) || _files.Exists($"/proc/{name[Prefix.Length..].Split('-')[0]}/stat"))
            return false;
        try
        {
            return string.IsNullOrWhiteSpace(_files.Read($"{group}/{Processes}"));
        }
        catch (Exception exception) when (exception is IOException or UnauthorizedAccessException)
        {
            return false;
        }
    }

    private void Enter(long limit)
    {
        if (Version == 2 && !Has("cgroup.controllers"))
            throw new IOException($"the memory controller is not delegated to '{_parent.Directory}'");
        _files.Make(Directory);
        _isMade = true;
        if (Version == 2 && !Has(Children))
            OpenParent();

        string path = PathOf(Version == 1 ? "memory.limit_in_bytes" : "memory.max");
        if (!IsSet(path, limit))
            throw new IOException($"the system does not keep the limit that '{path}' was given");

        // Swap would be memory too.
        IsSwapLimited = IsSwapLimitSet(limit) || !HasSwap();
        Move();
    }

    /// <summary>
    /// Has a parent of version 2 count memory for each of its children, which it can only while no process is in itself.
    /// </summary>
    private void OpenParent()
    {
        Move();
        try
        {
            _files.Write($"{_parent.Directory}/{Children}", "+memory");
            _hasOpened = true;
        }
        catch (IOException exception)
        {
            throw new IOException($"other processes share '{_parent.Directory}' (start it in a cgroup of its own, as systemd-run --scope -p Delegate=yes does)", exception);
        }
    }

    private void Move()
    {
        if (!_isInside)
            _files.Write(PathOf(Processes), _process);
        _isInside = true;
    }

    private bool IsSwapLimitSet(long limit)
    {
        string path = PathOf(Version == 1 ? "memory.memsw.limit_in_bytes" : "memory.swap.max");
        try
        {
            return _files.Exists(path) && IsSet(path, Version == 1 ? limit : 0);
        }
        catch (Exception exception) when (exception is IOException or UnauthorizedAccessException)
        {
            return false;
        }
    }

    /// <summary>Sets a limit, and looks whether it is: the system rounds it down to whole pages.</summary>
    private bool IsSet(string path, long limit)
    {
        _files.Write(path, limit.ToString(CultureInfo.InvariantCulture));
        return long.TryParse(_files.Read(path), CultureInfo.InvariantCulture, out long taken) && taken <= limit;
    }

    /// <summary>Whether there is a line below the heading; see proc_swaps(5).</summary>
    private bool HasSwap() => _files.Exists("/proc/swaps") && _files.Read("/proc/swaps").Split('\n', StringSplitOptions.RemoveEmptyEntries).Length > 1;

    /// <summary>A group is in use for a moment after its last process left.</summary>
    private void Remove()
    {
        for (int attempt = 1; ; attempt++)
        {
            try
            {
                _files.Remove(Directory);
                return;
            }
            catch (IOException) when (attempt < Attempts)
            {
                Thread.Sleep(10);
            }
        }
    }

    private bool Has(string file)
    {
        string path = $"{_parent.Directory}/{file}";
        return _files.Exists(path) && _files.Read(path).Split((char[]?)null, StringSplitOptions.RemoveEmptyEntries).Contains("memory");
    }

    private string PathOf(string file) => $"{Directory}/{file}";
}
