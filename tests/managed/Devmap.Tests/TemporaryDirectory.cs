// SPDX-License-Identifier: MIT
namespace Devmap.Tests;

/// <summary>A directory that goes with the test, and files in it.</summary>
internal sealed class TemporaryDirectory : IDisposable
{
    public string Root { get; } = Directory.CreateTempSubdirectory("devmap-").FullName;

    public string this[string name] => Path.Combine(Root, name);

    /// <summary>The byte that stands at an offset of a <see cref="KnownFile"/>: no two pages are alike.</summary>
    public static byte KnownByte(long offset) => (byte)((offset * 31) + (offset >> 12) + 1);

    /// <summary>The bytes from an offset of a <see cref="KnownFile"/>.</summary>
    public static byte[] KnownBytes(long offset, int length)
    {
        byte[] bytes = new byte[length];
        for (int i = 0; i < length; i++)
            bytes[i] = KnownByte(offset + i);
        return bytes;
    }

    /// <summary>A file with bytes that a test can tell by their place.</summary>
    public string KnownFile(int length, string name = "known")
    {
        File.WriteAllBytes(this[name], KnownBytes(0, length));
        return this[name];
    }

    /// <summary>A file without blocks.</summary>
    public string SparseFile(long length, string name = "sparse")
    {
        using FileStream file = File.Create(this[name]);
        file.SetLength(length);
        return this[name];
    }

    public void Dispose() => Directory.Delete(Root, recursive: true);
}
