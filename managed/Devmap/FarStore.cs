// SPDX-License-Identifier: MIT
using System.Text;
using Devmap.Interop;
using Devmap.Native;

namespace Devmap;

/// <summary>
/// Where the data of <see cref="FarMemory"/> lie while they are not in memory. This describes a store; each far memory opens
/// one of its own, as large as itself, and closes it when it is disposed. May be used by any threads.
/// </summary>
public abstract unsafe class FarStore
{
    private protected FarStore()
    {
    }

    /// <summary>
    /// Memory, compressed by LZ4, which needs liblz4.so.1 (on Debian the package liblz4-1). For pages up to 64 MiB. A page
    /// that does not get smaller is kept as it is.
    /// </summary>
    public static FarStore Lz4 { get; } = new Lz4Store();

    /// <summary>Plain memory, for tests and to compare with: it saves nothing.</summary>
    public static FarStore Plain { get; } = new PlainStore();

    /// <summary>
    /// A file, made (for its owner only) or taken over, whose contents are lost: all of its blocks are allocated when it is
    /// opened, so that evicting never meets a full disk. Its contents are of use to one far memory only, and to nobody
    /// afterwards.
    /// </summary>
    /// <param name="path">The file. One store at a time has it.</param>
    /// <param name="options">How to keep it; by default past the page cache, and removed.</param>
    /// <exception cref="ArgumentException">The path is empty, or holds a null character.</exception>
    public static FarStore File(string path, FarStoreFileOptions? options = null)
    {
        ArgumentException.ThrowIfNullOrEmpty(path);
        if (path.Contains('\0', StringComparison.Ordinal))
            throw new ArgumentException("A path holds no null character.", nameof(path));
        return new FileStore(path, options ?? new FarStoreFileOptions());
    }

    /// <summary>Opens the native store. The caller closes it, or gives it to device memory.</summary>
    internal devmap_store* Open(long slots, int pageSize)
    {
        devmap_store* store;
        int result = TryOpen((ulong)slots, (ulong)pageSize, &store);
        if (result == -NativeError.ENOMEM)
        {
            DisposedMaps.Reclaim();
            result = TryOpen((ulong)slots, (ulong)pageSize, &store);
        }

        return result == 0 ? store : throw OpenError(result);
    }

    private protected abstract int TryOpen(ulong slots, ulong pageSize, devmap_store** store);

    private protected virtual Exception OpenError(int result) => NativeError.Create(result, $"Opening {this}");

    private sealed class PlainStore : FarStore
    {
        public override string ToString() => "a store in plain memory";

        private protected override int TryOpen(ulong slots, ulong pageSize, devmap_store** store) =>
            NativeMethods.devmap_store_memory_open(slots, pageSize, store);
    }

    private sealed class Lz4Store : FarStore
    {
        public override string ToString() => "a store in memory compressed by LZ4";

        private protected override int TryOpen(ulong slots, ulong pageSize, devmap_store** store) =>
            NativeMethods.devmap_store_lz4_open(slots, pageSize, store);

        private protected override Exception OpenError(int result) => result switch
        {
            -NativeError.ELIBACC => new DllNotFoundException("liblz4.so.1 could not be loaded, which a store compressed by LZ4 needs. On Debian: apt-get install liblz4-1."),
#pragma warning disable MA0015 // The page size is one of the far memory's options.
            -NativeError.EINVAL => new ArgumentException("A store compressed by LZ4 has pages of at most 64 MiB."),
#pragma warning restore MA0015
            _ => base.OpenError(result),
        };
    }

    private sealed class FileStore(string path, FarStoreFileOptions options) : FarStore
    {
        private readonly byte[] _path = Encoding.UTF8.GetBytes(path + '\0');

        private readonly devmap_store_file_flag _flags =
            (options.Cached ? devmap_store_file_flag.DEVMAP_STORE_FILE_CACHED : default)
            | (options.DeleteOnClose ? devmap_store_file_flag.DEVMAP_STORE_FILE_UNLINK : default);

        public override string ToString() => $"a store in '{path}'";

        private protected override int TryOpen(ulong slots, ulong pageSize, devmap_store** store)
        {
            fixed (byte* utf8 = _path)
                return NativeMethods.devmap_store_file_open((sbyte*)utf8, (uint)_flags, slots, pageSize, store);
        }

        private protected override Exception OpenError(int result) => result switch
        {
            -NativeError.ENOENT or -NativeError.ENOTDIR => new DirectoryNotFoundException($"There is no directory for '{path}'."),
            -NativeError.EISDIR => new UnauthorizedAccessException($"'{path}' is a directory."),
            -NativeError.EACCES or -NativeError.EPERM or -NativeError.EROFS =>
                new UnauthorizedAccessException($"Access to '{path}' is denied: {NativeError.SystemMessage(result)}."),
            -NativeError.ENAMETOOLONG => new PathTooLongException($"The path '{path}' is too long."),
            -NativeError.EINVAL => new IOException($"'{path}' is not a regular file.", NativeError.EINVAL),
            -NativeError.EBUSY => new IOException($"'{path}' is another store's, or claimed by an open of it.", NativeError.EBUSY),
            -NativeError.EOPNOTSUPP => new PlatformNotSupportedException($"The file system of '{path}' cannot allocate its blocks."),
            -NativeError.ENOMEM => base.OpenError(result),
            _ => NativeError.System(result, $"Opening {this}"),
        };
    }
}
