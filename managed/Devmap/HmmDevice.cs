// SPDX-License-Identifier: MIT
using System.Diagnostics;
using System.Runtime.InteropServices;
using System.Text;
using Devmap.Debugging;
using Devmap.Interop;
using Devmap.Native;

namespace Devmap;

/// <summary>
/// A device for <see cref="FarMemory"/>: a name, and the native threads that serve page faults on the far memory made of it.
/// All members may be called from any thread.
/// </summary>
/// <remarks>
/// Far memory holds its device by itself, so the order in which the two are disposed does not matter: the threads end with
/// the last of them. A device that is lost without being disposed is given back by the garbage collector.
/// </remarks>
[DebuggerDisplay("{ToString(),nq}")]
[DebuggerTypeProxy(typeof(HmmDeviceView))]
public sealed unsafe class HmmDevice : IDisposable
{
    private const int MaxFaultThreads = 16;

    private readonly HmmDeviceHandle _handle = new();

    /// <summary>Makes a device, and starts its threads.</summary>
    /// <param name="options">What to make; by default a device that serves faults as far as the system permits.</param>
    /// <exception cref="ArgumentException">The name is empty, longer than 63 bytes, or holds a null character.</exception>
    /// <exception cref="ArgumentOutOfRangeException">Another option is out of its range.</exception>
    /// <exception cref="UnauthorizedAccessException">
    /// The system does not permit the faults asked for to be served; the message says how to permit it. Never for
    /// <see cref="HmmFaultService.Auto"/> and <see cref="HmmFaultService.None"/>.
    /// </exception>
    /// <exception cref="PlatformNotSupportedException">
    /// The system cannot serve them at all, or the native library was built without device memory.
    /// </exception>
    /// <exception cref="OutOfMemoryException">There is no memory.</exception>
    /// <exception cref="IOException">The system has no thread or no file descriptor left.</exception>
    /// <exception cref="DevmapLoadException">The native library could not be loaded.</exception>
    public HmmDevice(HmmDeviceOptions? options = null)
    {
        options ??= new HmmDeviceOptions();
        byte[]? name = Validate(options);
        DevmapLibrary.EnsureFeature(devmap_feature.DEVMAP_FEATURE_DEVICE_PRIVATE, nameof(HmmDevice));
        fixed (byte* utf8 = name)
        {
            var config = new devmap_hmm_device_config
            {
                size = (uint)sizeof(devmap_hmm_device_config),
                faults = (int)options.Faults,
                name = (sbyte*)utf8,
                fault_threads = (uint)options.FaultThreads,
            };
            devmap_hmm_device* device;
            int result = NativeMethods.devmap_hmm_device_new(&config, &device);
            if (result == -NativeError.ENOMEM)
            {
                DisposedMaps.Reclaim();
                result = NativeMethods.devmap_hmm_device_new(&config, &device);
            }

            if (result != 0)
            {
                _handle.Dispose();
                throw CreationError(result, options.Faults);
            }

            _handle.Set(device);
            Name = Text(NativeMethods.devmap_hmm_device_name(device));
            Faults = (HmmFaultService)NativeMethods.devmap_hmm_device_faults(device);
            int error = NativeMethods.devmap_hmm_device_faults_error(device);
            FaultsAdvice = error == 0 ? null : Text(NativeMethods.devmap_hmm_faults_advice(error));
        }
    }

    /// <summary>The device's name.</summary>
    public string Name { get; }

    /// <summary>Which faults it serves; never <see cref="HmmFaultService.Auto"/>.</summary>
    public HmmFaultService Faults { get; }

    /// <summary>
    /// Where <see cref="HmmFaultService.Auto"/> was asked for and the system permits less than <see cref="HmmFaultService.All"/>,
    /// one sentence on how to permit more; else null.
    /// </summary>
    public string? FaultsAdvice { get; }

    /// <summary>Gives the device up; far memory made of it goes on. Again it does nothing.</summary>
    public void Dispose() => _handle.Dispose();

    /// <inheritdoc/>
    public override string ToString() => $"device '{Name}'";

    /// <summary>Whether it was given up.</summary>
    internal bool IsDisposed => _handle.IsClosed;

    /// <summary>The native device, held until <see cref="Release"/>.</summary>
    /// <exception cref="ObjectDisposedException">The device is disposed.</exception>
    internal devmap_hmm_device* Hold()
    {
        bool held = false;
        if (_handle.IsClosed)
            throw Misuse.Disposed(nameof(HmmDevice), this);
        _handle.DangerousAddRef(ref held);
        return (devmap_hmm_device*)_handle.DangerousGetHandle();
    }

    /// <summary>Ends a <see cref="Hold"/>.</summary>
    internal void Release() => _handle.DangerousRelease();

    private static byte[]? Validate(HmmDeviceOptions options)
    {
        const string name = nameof(options);
        if (options.Faults is < HmmFaultService.None or > HmmFaultService.Auto)
            throw new ArgumentOutOfRangeException(name, options.Faults, $"{nameof(options.Faults)} is no fault service.");
        if (options.FaultThreads is < 1 or > MaxFaultThreads)
            throw new ArgumentOutOfRangeException(name, options.FaultThreads, $"{nameof(options.FaultThreads)} is not from 1 to {MaxFaultThreads}.");
        if (options.Name is null)
            return null;
        byte[] utf8 = Encoding.UTF8.GetBytes(options.Name + '\0');
        if (options.Name.Length == 0 || options.Name.Contains('\0', StringComparison.Ordinal) || utf8.Length - 1 > NativeMethods.DEVMAP_HMM_NAME_MAX)
            throw new ArgumentException($"{nameof(options.Name)} is not 1 to {NativeMethods.DEVMAP_HMM_NAME_MAX} bytes of UTF-8 without a null character.", name);
        return utf8;
    }

    private static Exception CreationError(int result, HmmFaultService faults)
    {
        string what = $"Making a device that serves page faults ({faults})";
        string Advised() => $"{what}: {Text(NativeMethods.devmap_hmm_faults_advice(result))}";
        return result switch
        {
            -NativeError.EPERM or -NativeError.EACCES => new UnauthorizedAccessException(Advised()),
            -NativeError.ENOSYS or -NativeError.EOPNOTSUPP => new PlatformNotSupportedException(Advised()),
            -NativeError.EAGAIN => NativeError.System(result, what),
            _ => NativeError.Create(result, what),
        };
    }

    private static string Text(sbyte* utf8) => Marshal.PtrToStringUTF8((nint)utf8) ?? string.Empty;
}
