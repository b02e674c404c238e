// SPDX-License-Identifier: MIT
using System.Globalization;

namespace Devmap.CommandLine.Far;

/// <summary>
/// A memory cgroup of this process's own, with a limit, below the one that it was in. What it took before is counted where it
/// was. Disposing puts the process back, and removes the group.
/// </summary>
internal sealed class MemoryCgroup : IDisposable
{
    private const string Processes = "cgroup.procs";
    private const string Children = "cgroup.subtree_control";
    private const int Attempts = 50;

    private readonly ICgroupFiles _files;
    private readonly CgroupMount _parent;
    private readonly string _process;
    private bool _isMade;
    private bool _isInside;
    private bool _hasOpened;

    private MemoryCgroup(ICgroupFiles files, CgroupMount parent, int process)
    {
        _files = files;
        _parent = parent;
        _process = process.ToString(CultureInfo.InvariantCulture);
        Directory = $"{parent.Directory}/devmap-far-{_process}";
    }

    /// <summary>Its directory.</summary>
    public string Directory { get; }

    /// <summary>The version of cgroups, 1 or 2.</summary>
    public int Version => _parent.Version;

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
            group.Enter(limit.ToString(CultureInfo.InvariantCulture));
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
        if (_hasOpened)
            _files.Write($"{_parent.Directory}/{Children}", "-memory");
        _hasOpened = false;
        if (_isInside)
            _files.Write($"{_parent.Directory}/{Processes}", _process);
        _isInside = false;
        if (_isMade)
            Remove();
        _isMade = false;
    }

    private void Enter(string limit)
    {
        if (Version == 2 && !Has("cgroup.controllers"))
            throw new IOException($"the memory controller is not delegated to '{_parent.Directory}'");
        _files.Make(Directory);
        _isMade = true;
        if (Version == 2 && !Has(Children))
            OpenParent();

        // Swap would be memory too.
        _files.Write(PathOf(Version == 1 ? "memory.limit_in_bytes" : "memory.max"), limit);
        WriteIfThere(PathOf(Version == 1 ? "memory.memsw.limit_in_bytes" : "memory.swap.max"), Version == 1 ? limit : "0");
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

    private void WriteIfThere(string path, string text)
    {
        try
        {
            if (_files.Exists(path))
                _files.Write(path, text);
        }
        catch (IOException)
        {
            // It is not counted.
        }
    }

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
