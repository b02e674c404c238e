// SPDX-License-Identifier: MIT
namespace Devmap.CommandLine.Far;

/// <summary>The files of cgroups, and those of /proc that tell where they are.</summary>
internal interface ICgroupFiles
{
    bool Exists(string path);

    string Read(string path);

    /// <summary>Writes all of <paramref name="text"/> at once, to a file that is there.</summary>
    void Write(string path, string text);

    /// <summary>The directories of the groups right below one.</summary>
    IReadOnlyList<string> GroupsIn(string directory);

    /// <summary>Makes a group, which is a directory.</summary>
    /// <exception cref="IOException">It is there already, or can't be made.</exception>
    void Make(string directory);

    /// <summary>Removes a group without processes.</summary>
    void Remove(string directory);
}
