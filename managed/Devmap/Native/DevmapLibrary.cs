// SPDX-License-Identifier: MIT
using System.Globalization;
using System.Reflection;
using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;
using System.Text;
using Devmap.Interop;
using Devmap.Telemetry;

namespace Devmap.Native;

/// <summary>
/// The one place that finds, loads and checks libdevmap. It never throws; whoever needs the library calls
/// <see cref="EnsureLoaded"/>, which does, always the same way.
/// </summary>
internal static unsafe class DevmapLibrary
{
    /// <summary>Environment variable with the path of the library to load instead of the one beside the assembly.</summary>
    public const string PathVariable = "DEVMAP_LIBRARY";

    private const string FileName = "libdevmap.so";

    private static readonly List<string> s_attempts = [];
    private static readonly nint s_handle = Load();
    private static readonly string? s_error = Check();

    public static DevmapLoadReport Report => new()
    {
        IsLoaded = s_error is null,
        Error = s_error,
        Attempts = s_attempts,
        RuntimeIdentifier = Rid,
        ExpectedAbiVersion = NativeMethods.DEVMAP_ABI_VERSION,
        AbiVersion = s_handle == 0 ? null : AbiVersion(),
        Version = s_error is null ? Version : null,
        Features = s_error is null ? Features.ToString() : null,
    };

    // An import without transition is bound when the method that calls it is compiled. So each has a method of its own here,
    // which is compiled when it is first called: after the library was loaded and checked.
    public static devmap_feature Features
    {
        [MethodImpl(MethodImplOptions.NoInlining)]
        get => (devmap_feature)NativeMethods.devmap_features();
    }

    /// <summary>How many hold the gate on.</summary>
    public static int GateHolders
    {
        [MethodImpl(MethodImplOptions.NoInlining)]
        get => NativeMethods.devmap_pagemap_ops_count();
    }

    private static string? Version
    {
        [MethodImpl(MethodImplOptions.NoInlining)]
        get => Marshal.PtrToStringUTF8((nint)NativeMethods.devmap_version());
    }

    private static string Rid => "linux-" + RuntimeInformation.ProcessArchitecture.ToString().ToLowerInvariant();

    public static void EnsureLoaded()
    {
        if (s_error is not null)
            throw new DevmapLoadException(s_error);
    }

    /// <summary>Throws unless the loaded library has <paramref name="feature"/>.</summary>
    public static void EnsureFeature(devmap_feature feature, string what)
    {
        EnsureLoaded();
        if ((Features & feature) != feature)
            throw NativeError.WithoutFeature(feature, what);
    }

    /// <summary>The address of a variable that the library exports; 0 where there is none.</summary>
    public static nint AddressOf(string variable) =>
        s_error is null && NativeLibrary.TryGetExport(s_handle, variable, out nint address) ? address : 0;

    private static nint Load()
    {
        nint handle = 0;
        if (Environment.GetEnvironmentVariable(PathVariable) is { Length: > 0 } path)
        {
            TryLoad(path, out handle);
        }
        else
        {
            string directory = AppContext.BaseDirectory;
            _ = TryLoad(Path.Combine(directory, "runtimes", Rid, "native", FileName), out handle)
                || TryLoad(Path.Combine(directory, FileName), out handle)
                || TryLoadByName(out handle);
        }

        if (handle != 0 && !TrySetResolver())
        {
            s_attempts.Add("the program has a DllImport resolver of its own for Devmap.Interop, which stands in the way");
            handle = 0;
        }

        return handle;
    }

    private static bool TrySetResolver()
    {
        try
        {
            NativeLibrary.SetDllImportResolver(
                typeof(NativeMethods).Assembly,
                (name, _, _) => string.Equals(name, "devmap", StringComparison.Ordinal) ? s_handle : 0);
            return true;
        }
        catch (InvalidOperationException)
        {
            return false;
        }
    }

    private static bool TryLoad(string path, out nint handle)
    {
        bool loaded = NativeLibrary.TryLoad(path, out handle);
        s_attempts.Add(path + (loaded ? ": loaded" : File.Exists(path) ? ": there, but could not be loaded" : ": not there"));
        return loaded;
    }

    private static bool TryLoadByName(out nint handle)
    {
        bool loaded = NativeLibrary.TryLoad("devmap", Assembly.GetExecutingAssembly(), searchPath: null, out handle);
        s_attempts.Add("'devmap' as the runtime and the system look for it" + (loaded ? ": loaded" : ": not found"));
        return loaded;
    }

    private static uint? AbiVersion() =>
        NativeLibrary.TryGetExport(s_handle, nameof(NativeMethods.devmap_abi_version), out nint function)
            ? ((delegate* unmanaged[Cdecl]<uint>)function)()
            : null;

    private static string? Check()
    {
        if (!OperatingSystem.IsLinux())
            return Explain($"Devmap runs on Linux; this is {RuntimeInformation.RuntimeIdentifier}.");
        if (s_handle == 0)
            return Explain($"{FileName} could not be loaded for {Rid}.");
        uint? abi = AbiVersion();
        if (abi != NativeMethods.DEVMAP_ABI_VERSION)
        {
            return Explain(string.Create(
                CultureInfo.InvariantCulture,
                $"The {FileName} found has ABI version {abi?.ToString(CultureInfo.InvariantCulture) ?? "none"}; this assembly needs {NativeMethods.DEVMAP_ABI_VERSION}."));
        }

        FaultReporter.Listen();
        DiagnosticEvents.Start();
        return null;
    }

    private static string Explain(string reason)
    {
        var text = new StringBuilder(reason);
        text.Append(CultureInfo.InvariantCulture, $" Devmap {typeof(DevmapLibrary).Assembly.GetName().Version}, {Rid}. Tried:");
        foreach (string attempt in s_attempts)
            text.AppendLine().Append("  ").Append(attempt);
        return text.ToString();
    }
}
