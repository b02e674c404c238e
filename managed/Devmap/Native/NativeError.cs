// SPDX-License-Identifier: MIT
using System.Runtime.InteropServices;
using Devmap.Interop;

namespace Devmap.Native;

/// <summary>Turns the native side's negative errno values into the exceptions that a .NET developer expects.</summary>
internal static class NativeError
{
    public const int EPERM = 1;
    public const int ENOENT = 2;
    public const int ENOMEM = 12;
    public const int EAGAIN = 11;
    public const int EACCES = 13;
    public const int EBUSY = 16;
    public const int EEXIST = 17;
    public const int ENODEV = 19;
    public const int EISDIR = 21;
    public const int EINVAL = 22;
    public const int EFBIG = 27;
    public const int ENOSPC = 28;
    public const int EROFS = 30;
    public const int ERANGE = 34;
    public const int ENAMETOOLONG = 36;
    public const int EDEADLK = 35;
    public const int ENOSYS = 38;
    public const int ENOTDIR = 20;
    public const int EOVERFLOW = 75;
    public const int ELIBACC = 79;
    public const int EOPNOTSUPP = 95;
    public const int ETIMEDOUT = 110;
    public const int EALREADY = 114;
    public const int ESTALE = 116;
    public const int EDQUOT = 122;
    public const int ECANCELED = 125;

    /// <summary>The exception for <paramref name="result"/>, a negative errno value that <paramref name="what"/> met.</summary>
    public static Exception Create(int result, string what) => -result switch
    {
#pragma warning disable MA0015 // The native side does not tell which argument.
        EINVAL or ERANGE => new ArgumentException($"{what}: {Describe(result)}"),
#pragma warning restore MA0015
        ENOMEM => new InsufficientMemoryException($"{what}: no memory, or no address space for it."),
        EAGAIN => new LayoutBrokenException(),
        ETIMEDOUT => new TimeoutException($"{what} timed out."),
        ECANCELED => new OperationCanceledException($"{what} was cancelled."),
        EOPNOTSUPP => new PlatformNotSupportedException($"{what}: {Describe(result)}"),
        EACCES or EROFS => new UnauthorizedAccessException($"{what}: {Describe(result)}"),
        EPERM or EBUSY or EEXIST or EDEADLK or EALREADY or EOVERFLOW => new InvalidOperationException($"{what}: {Describe(result)}"),
        _ => Io(result, what),
    };

    /// <summary>An <see cref="IOException"/> with the errno value as its <see cref="Exception.HResult"/>, as .NET's own have.</summary>
    public static IOException Io(int result, string what) => new($"{what}: {Describe(result)}", -result);

    /// <summary>As <see cref="Io"/>, for what the system answered, whose errno values are not Devmap's.</summary>
    public static IOException System(int result, string what) => new($"{what}: {SystemMessage(result)}.", -result);

    public static string SystemMessage(int result) => Marshal.GetPInvokeErrorMessage(-result);

    /// <summary>
    /// The exception for a feature that the loaded library was built without, which answers what it would have to.
    /// </summary>
    public static PlatformNotSupportedException WithoutFeature(devmap_feature feature, string what) =>
        new($"{what} needs {feature}, which the loaded libdevmap was built without (it has: {DevmapLibrary.Features}).");

    private static string Describe(int result) => -result switch
    {
        EPERM => "not the owner.",
        EBUSY => "in use.",
        EEXIST => "the range overlaps another map's.",
        EDEADLK => "called from a callback of the same map, whose end it would wait for.",
        EALREADY => "another thread is at it.",
        EOVERFLOW => "too many references; the page is saturated and leaks.",
        ENOSPC => "no space left on the device.",
        EDQUOT => "the disk quota is used up.",
        ESTALE => "somebody else changed the file's length.",
        EFBIG => "the file is longer than the address space reserved for it (Capacity), or than its file system allows.",
        EOPNOTSUPP => "not supported by the loaded libdevmap, or by the file system.",
        EACCES => "access denied.",
        EROFS => "the file system is read-only.",
        EINVAL => "an argument is not valid.",
        ERANGE => "outside the range.",
        _ => SystemMessage(result) + ".",
    };
}
