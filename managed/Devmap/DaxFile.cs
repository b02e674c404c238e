// SPDX-License-Identifier: MIT
using System.Diagnostics;
using System.Diagnostics.CodeAnalysis;
using System.Text;
using Devmap.Debugging;
using Devmap.Interop;
using Devmap.Native;
using Devmap.Telemetry;

namespace Devmap;

/// <summary>
/// A mapped file whose pages are counted, so that it can be truncated and punched under its readers: a change waits for
/// those who use the pages it takes away, and for nobody else. All members may be called from any thread.
/// </summary>
/// <remarks>
/// <para>
/// Opening claims the file with an advisory lock, exclusive for <see cref="FileAccess.ReadWrite"/>, shared for
/// <see cref="FileAccess.Read"/>, so that two processes that use this library do not truncate under each other. What
/// cannot be promised: somebody else may shorten the file by other means. Then touching what is gone raises SIGBUS, which
/// ends the process, as with any mapped file; <see cref="ThrowIfChanged"/> tells. A file that is deleted stays whole until
/// it is disposed.
/// </para>
/// <para>Lengths and offsets are in bytes.</para>
/// </remarks>
[DebuggerDisplay("{ToString(),nq}")]
[DebuggerTypeProxy(typeof(DaxFileView))]
public sealed unsafe partial class DaxFile : IDisposable, IAsyncDisposable
{
    private readonly devmap_dax_file* _file;

    private DaxFile(string path, devmap_dax_file* file, DevicePageMap map)
    {
        Path = path;
        _file = file;
        Map = map;
    }

    /// <summary>The path that the file was opened by.</summary>
    public string Path { get; }

    /// <summary>The pages, up to <see cref="Capacity"/>: who uses them, and their driver. Lease them by <see cref="Lease"/>.</summary>
    public DevicePageMap Map { get; }

    /// <summary>Bytes in the file, as this object left it.</summary>
    /// <exception cref="ObjectDisposedException">The file is disposed.</exception>
    public long Length
    {
        get
        {
            Map.ThrowIfDisposed();
            ulong length = NativeMethods.devmap_dax_file_length(_file);
            GC.KeepAlive(Map);
            return (long)length;
        }
    }

    /// <summary>The most bytes that the file can grow to.</summary>
    public long Capacity => Map.PageCount * Map.PageSize;

    /// <summary>Whether the file is on persistent memory and mapped without a page cache (MAP_SYNC).</summary>
    /// <exception cref="ObjectDisposedException">The file is disposed.</exception>
    public bool IsDax
    {
        get
        {
            Map.ThrowIfDisposed();
            bool dax = NativeMethods.devmap_dax_file_is_dax(_file);
            GC.KeepAlive(Map);
            return dax;
        }
    }

    /// <summary>Opens, maps and claims a regular file.</summary>
    /// <param name="path">The file.</param>
    /// <param name="options">How to open it; by default for reading.</param>
    /// <exception cref="ArgumentException">The path is empty, or the options don't fit together.</exception>
    /// <exception cref="FileNotFoundException">There is no such file.</exception>
    /// <exception cref="DirectoryNotFoundException">There is no such directory.</exception>
    /// <exception cref="UnauthorizedAccessException">Access is denied, or the path is a directory.</exception>
    /// <exception cref="IOException">
    /// Another open of this library holds the file, it is no regular file, it is longer than the capacity, or the system failed.
    /// </exception>
    /// <exception cref="OutOfMemoryException">There is no address space for the capacity.</exception>
    /// <exception cref="PlatformNotSupportedException">The native library was built without FS_DAX.</exception>
    /// <exception cref="DevmapLoadException">The native library could not be loaded.</exception>
    public static DaxFile Open(string path, DaxFileOptions? options = null)
    {
        ArgumentException.ThrowIfNullOrEmpty(path);
        options ??= new DaxFileOptions();
        Validate(path, options);
        DevmapLibrary.EnsureFeature(devmap_feature.DEVMAP_FEATURE_FS_DAX, nameof(DaxFile));

        bool write = options.Access == FileAccess.ReadWrite;
        var config = new devmap_dax_file_config
        {
            size = (uint)sizeof(devmap_dax_file_config),
            flags = (uint)((write ? devmap_dax_file_flag.DEVMAP_DAX_FILE_WRITE : default)
                | (options.Mode == FileMode.OpenOrCreate ? devmap_dax_file_flag.DEVMAP_DAX_FILE_CREATE : default)),
            capacity = (ulong)options.Capacity,
            page_size = (ulong)options.PageSize,
        };
        devmap_dax_file* file;
        fixed (byte* utf8 = Encoding.UTF8.GetBytes(path + '\0'))
        {
            int result = NativeMethods.devmap_dax_file_open((sbyte*)utf8, &config, &file);
            if (result == -NativeError.ENOMEM)
            {
                DisposedMaps.Reclaim();
                result = NativeMethods.devmap_dax_file_open((sbyte*)utf8, &config, &file);
            }

            if (result != 0)
                throw OpenError(result, path);
        }

        try
        {
            var map = new DevicePageMap(
                new FileBacking(file, path, isReadOnly: !write),
                NativeMethods.devmap_dax_file_pagemap(file),
                MemoryType.FsDax,
                options.Driver,
                options.DisposeTimeout,
                options.ReuseLeases);
            map.Claim(path);
            return new DaxFile(path, file, map);
        }
        catch
        {
            _ = NativeMethods.devmap_dax_file_close(file, 0, null, null);
            _ = NativeMethods.devmap_dax_file_free(file);
            throw;
        }
    }

    /// <summary>Keeps a range of the file in place for reading.</summary>
    /// <param name="offset">Offset of the first byte.</param>
    /// <param name="length">Number of bytes, at least 1.</param>
    /// <returns>The lease, of exactly these bytes; dispose it.</returns>
    /// <exception cref="ArgumentOutOfRangeException">The range is not all in the file.</exception>
    /// <exception cref="LayoutBrokenException">The range is being truncated or punched.</exception>
    /// <exception cref="ObjectDisposedException">The file is disposed, or being disposed.</exception>
    public PageLease Lease(long offset, int length) => LeaseCore(offset, length, write: false);

    /// <summary>As <see cref="Lease"/>, but answers false where the range is being truncated or punched, or is not all in the file.</summary>
    /// <param name="offset">Offset of the first byte, not negative.</param>
    /// <param name="length">Number of bytes, at least 1.</param>
    /// <param name="lease">The lease, of exactly these bytes; dispose it.</param>
    /// <exception cref="ArgumentOutOfRangeException">An argument is negative, or <paramref name="length"/> is zero.</exception>
    /// <exception cref="ObjectDisposedException">The file is disposed, or being disposed.</exception>
    public bool TryLease(long offset, int length, [NotNullWhen(true)] out PageLease? lease)
    {
        int result = TryLeaseCore(offset, length, write: false, out lease);
        return result switch
        {
            0 => true,
            -NativeError.EAGAIN or -NativeError.ERANGE => false,
            _ => throw LeaseError(result, offset, length),
        };
    }

    /// <summary>
    /// Keeps a range of the file in place for writing: allocates its blocks first, so that no write to it can meet a full
    /// disk. Write through this and not through <see cref="Lease"/>, whose memory may be a hole.
    /// </summary>
    /// <param name="offset">Offset of the first byte.</param>
    /// <param name="length">Number of bytes, at least 1.</param>
    /// <returns>The lease, of exactly these bytes; dispose it, and <see cref="Flush"/> to make what was written durable.</returns>
    /// <exception cref="ArgumentOutOfRangeException">The range is not all in the file.</exception>
    /// <exception cref="LayoutBrokenException">The range is being truncated or punched.</exception>
    /// <exception cref="UnauthorizedAccessException">The file is open for reading.</exception>
    /// <exception cref="IOException">The disk is full, somebody else shortened the file, or the system failed.</exception>
    /// <exception cref="PlatformNotSupportedException">The file system cannot allocate.</exception>
    /// <exception cref="ObjectDisposedException">The file is disposed, or being disposed.</exception>
    public PageLease LeaseForWriting(long offset, int length) => LeaseCore(offset, length, write: true);

    /// <summary>Makes what was written to a range durable. The caller holds a lease on it. Blocks.</summary>
    /// <param name="offset">Offset of the first byte.</param>
    /// <param name="length">Number of bytes.</param>
    /// <exception cref="ArgumentOutOfRangeException">The range is not all in the file.</exception>
    /// <exception cref="IOException">The system failed to write.</exception>
    /// <exception cref="ObjectDisposedException">The file is disposed, or being disposed.</exception>
    public void Flush(long offset, long length)
    {
        ArgumentOutOfRangeException.ThrowIfNegative(offset);
        ArgumentOutOfRangeException.ThrowIfNegative(length);
        Map.ThrowIfDisposed();
        int result = NativeMethods.devmap_dax_file_flush(_file, (ulong)offset, (ulong)length);
        GC.KeepAlive(Map);
        if (result != 0)
            throw LeaseError(result, offset, length);
    }

    /// <summary>Asks the file system whether the file is as long as this object left it.</summary>
    /// <exception cref="IOException">Somebody else changed its length: leases may reach beyond its end. Open it again.</exception>
    /// <exception cref="ObjectDisposedException">The file is disposed, or being disposed.</exception>
    public void ThrowIfChanged()
    {
        Map.ThrowIfDisposed();
        int result = NativeMethods.devmap_dax_file_check(_file);
        GC.KeepAlive(Map);
        if (result != 0)
            throw ChangeError(result, "Checking");
    }

    /// <summary>The native <c>devmap_dax_file</c>, for native code; valid while this object is not disposed.</summary>
    public nint DangerousGetHandle() => (nint)_file;

    /// <summary>Waits for every lease, then unlocks and closes the file; see <see cref="DevicePageMap.Dispose"/>.</summary>
    /// <exception cref="PagesBusyException">Leases stayed out for the dispose timeout. The file stays open; try again.</exception>
    public void Dispose() => Map.Dispose();

    /// <summary>As <see cref="Dispose"/>, without blocking the caller while leases are out.</summary>
    /// <exception cref="PagesBusyException">Leases stayed out for the dispose timeout. The file stays open; try again.</exception>
    public ValueTask DisposeAsync() => Map.DisposeAsync();

    /// <inheritdoc/>
    public override string ToString() => $"'{Path}'";

    private static void Validate(string path, DaxFileOptions options)
    {
        const string name = nameof(options);
        if (path.Contains('\0', StringComparison.Ordinal))
            throw new ArgumentException("A path holds no null character.", nameof(path));
        if (options.Access is not (FileAccess.Read or FileAccess.ReadWrite))
            throw new ArgumentException($"{nameof(options.Access)} is {options.Access}; a mapped file is opened for {FileAccess.Read} or {FileAccess.ReadWrite}.", name);
        if (options.Mode is not (FileMode.Open or FileMode.OpenOrCreate))
            throw new ArgumentException($"{nameof(options.Mode)} is {options.Mode}; a mapped file is opened by {FileMode.Open} or {FileMode.OpenOrCreate}.", name);
        if (options.Mode == FileMode.OpenOrCreate && options.Access != FileAccess.ReadWrite)
            throw new ArgumentException($"{FileMode.OpenOrCreate} needs {FileAccess.ReadWrite}.", name);
        if (options.Capacity < 0)
            throw new ArgumentOutOfRangeException(name, options.Capacity, $"{nameof(options.Capacity)} is negative.");
        PageSizes.Validate(options.PageSize, $"{name}.{nameof(options.PageSize)}");
        Timeouts.Validate(options.DisposeTimeout, $"{name}.{nameof(options.DisposeTimeout)}");
    }

    private static Exception OpenError(int result, string path) => result switch
    {
        -NativeError.ENOENT when Directory.Exists(System.IO.Path.GetDirectoryName(System.IO.Path.GetFullPath(path))) =>
            new FileNotFoundException($"There is no file '{path}'.", path),
        -NativeError.ENOENT or -NativeError.ENOTDIR => new DirectoryNotFoundException($"There is no directory for '{path}'."),
        -NativeError.EISDIR => new UnauthorizedAccessException($"'{path}' is a directory."),
        -NativeError.EACCES or -NativeError.EPERM or -NativeError.EROFS =>
            new UnauthorizedAccessException($"Access to '{path}' is denied: {NativeError.SystemMessage(result)}."),
        -NativeError.ENAMETOOLONG => new PathTooLongException($"The path '{path}' is too long."),
        -NativeError.EINVAL => new IOException($"'{path}' is not a regular file."),
        -NativeError.ENODEV => new IOException($"'{path}' is on a file system whose files can't be mapped."),
        -NativeError.ENOMEM or -NativeError.EOPNOTSUPP or -NativeError.EFBIG => NativeError.Create(result, $"Opening '{path}'"),
        _ => NativeError.System(result, $"Opening '{path}'"),
    };

    private PageLease LeaseCore(long offset, int length, bool write)
    {
        int result = TryLeaseCore(offset, length, write, out PageLease? lease);
        return result == 0 ? lease! : throw LeaseError(result, offset, length);
    }

    private int TryLeaseCore(long offset, int length, bool write, out PageLease? lease)
    {
        ArgumentOutOfRangeException.ThrowIfNegative(offset);
        ArgumentOutOfRangeException.ThrowIfNegativeOrZero(length);
        Map.ThrowIfDisposed();
        PageLease taken = PageLease.Allocate(Map);
        devmap_page* page;
        ulong pageCount;
        void* address;
        int result = NativeMethods.devmap_dax_file_get_pages(_file, (ulong)offset, (ulong)length, write, &page, &pageCount, &address);
        GC.KeepAlive(Map);
        lease = result == 0 ? taken.Begin(page, (int)pageCount, (byte*)address, length, write) : null;
        if (result != 0)
            DiagnosticEvents.PageRefused(Map, offset / Map.PageSize, ((offset + length - 1) / Map.PageSize) - (offset / Map.PageSize) + 1, result);
        return result;
    }

    private Exception LeaseError(int result, long offset, long length) => result switch
    {
        -NativeError.ERANGE => new ArgumentOutOfRangeException(
            nameof(offset), offset, $"{length} bytes from {offset} are not all in {this}, which has {Length}."),
        -NativeError.EACCES => new UnauthorizedAccessException($"{this} is open for reading."),
        -NativeError.EINVAL => NativeError.Io(result, $"Flushing {this}"),
        -NativeError.ENODEV or -NativeError.EAGAIN => Map.LeaseError(result),
        _ => NativeError.Create(result, $"Leasing {length} bytes from {offset} of {this}"),
    };
}
