// SPDX-License-Identifier: MIT
using System.Collections.Concurrent;
using System.Diagnostics;
using System.Runtime.InteropServices;
using System.Text;
using Devmap.Interop;

namespace Devmap.Native;

/// <summary>
/// The managed stacks of leases, each once: by the number that the native side gave to its return addresses, so that a stack
/// seen before costs no walk of it; and the text of native ones.
/// </summary>
internal static unsafe class StackDepot
{
    private const int MaxFrameText = 512;

    private static readonly ConcurrentDictionary<uint, string> s_stacks = new();
    private static readonly ConcurrentDictionary<uint, string> s_nativeStacks = new();

    /// <summary>Notes the calling stack, if it is new. Throws nothing.</summary>
    public static void Note(uint number)
    {
        if (number == 0 || s_stacks.ContainsKey(number))
            return;
        try
        {
            if (Capture(DepthOf(number)) is { } stack)
                s_stacks.TryAdd(number, stack);
        }
        catch (OutOfMemoryException)
        {
            // It stays unknown until it comes again.
        }
    }

    /// <summary>The managed stack of a number; null where none was noted.</summary>
    public static string? Find(uint number) => s_stacks.GetValueOrDefault(number);

    /// <summary>The native stack of a number, symbolised, a frame a line; null for a number that names none.</summary>
    public static string? ReadNative(uint number)
    {
        // A page may have many holders of one stack, and looking a name up takes the loader's locks.
        if (s_nativeStacks.TryGetValue(number, out string? known))
            return known;
        string? text = Symbolise(number);
        return text is null ? null : s_nativeStacks.GetOrAdd(number, text);
    }

    private static string? Symbolise(uint number)
    {
        void** frames = stackalloc void*[NativeMethods.DEVMAP_STACK_FRAMES];
        uint count = number == 0 ? 0 : NativeMethods.devmap_stack_read(number, frames, NativeMethods.DEVMAP_STACK_FRAMES);
        if (count == 0)
            return null;
        sbyte* name = stackalloc sbyte[MaxFrameText];
        var text = new StringBuilder();
        for (uint i = 0; i < count; i++)
        {
            string? symbol = NativeMethods.devmap_symbolize(frames[i], name, MaxFrameText) > 0 ? Marshal.PtrToStringUTF8((nint)name) : null;
            text.Append(i == 0 ? "   at " : "\n   at ").Append(symbol ?? $"0x{(nuint)frames[i]:x}");
        }

        return text.ToString();
    }

    /// <summary>How many return addresses a number stands for.</summary>
    private static int DepthOf(uint number)
    {
        void** frames = stackalloc void*[NativeMethods.DEVMAP_STACK_FRAMES];
        return (int)NativeMethods.devmap_stack_read(number, frames, NativeMethods.DEVMAP_STACK_FRAMES);
    }

    /// <summary>
    /// The calling stack from the last method of this library on, which is the one that was called; null where there is no memory
    /// for it.
    /// </summary>
    /// <param name="depth">
    /// Frames from this method on. Of a stack that is known by a number, no more than the number tells apart: what lies beyond may be
    /// another caller's the next time.
    /// </param>
    public static string? Capture(int depth = int.MaxValue)
    {
        try
        {
            StackFrame[] frames = new StackTrace(fNeedFileInfo: true).GetFrames();
            int first = 0;
            while (first + 1 < frames.Length && IsOurs(frames[first + 1]))
                first++;
            int count = Math.Clamp(depth - first, 1, NativeMethods.DEVMAP_STACK_FRAMES);
            return new StackTrace(frames.Skip(first).Take(count)).ToString().TrimEnd();
        }
        catch (OutOfMemoryException)
        {
            return null;
        }
    }

    private static bool IsOurs(StackFrame frame) =>
        DiagnosticMethodInfo.Create(frame)?.DeclaringAssemblyName is { } assembly
        && (assembly == typeof(StackDepot).Assembly.FullName || assembly == typeof(NativeMethods).Assembly.FullName);
}
