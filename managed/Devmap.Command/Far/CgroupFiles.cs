// SPDX-License-Identifier: MIT
using System.Text;
using Microsoft.Win32.SafeHandles;

namespace Devmap.CommandLine.Far;

/// <summary>Those of the system.</summary>
internal sealed class CgroupFiles : ICgroupFiles
{
    public bool Exists(string path) => File.Exists(path);

    public string Read(string path) => File.ReadAllText(path);

    public void Write(string path, string text)
    {
        using SafeFileHandle file = File.OpenHandle(path, FileMode.Open, FileAccess.Write, FileShare.ReadWrite);
        RandomAccess.Write(file, Encoding.ASCII.GetBytes(text), fileOffset: 0);
    }

    public IReadOnlyList<string> GroupsIn(string directory) => Directory.GetDirectories(directory);

    public void Make(string directory)
    {
        if (Directory.Exists(directory))
            throw new IOException($"The cgroup '{directory}' exists.");
        Directory.CreateDirectory(directory);
    }

    public void Remove(string directory) => Directory.Delete(directory);
}
