// SPDX-License-Identifier: MIT
using System.Globalization;

namespace Devmap.Tests;

/// <summary>
/// A call that is expected to block, on a thread of its own. Nothing here waits for a time: a test says what must have
/// happened, and waits for just that.
/// </summary>
internal sealed class BlockingCall
{
    private readonly Thread _thread;
    private volatile string? _status;
    private volatile bool _returned;
    private Exception? _exception;

    public BlockingCall(Action call)
    {
        _thread = new Thread(() =>
        {
            // <pid>/task/<tid>
            _status = $"/proc/{new FileInfo("/proc/thread-self").LinkTarget}/stat";
            _exception = Record(call);
            _returned = true;
        });
        _thread.Start();
    }

    /// <summary>
    /// Whether the call waits: decided once the kernel says that its thread sleeps, or once the call has returned. A thread
    /// that sleeps for another reason makes the answer weaker, never wrong.
    /// </summary>
    public bool Waits
    {
        get
        {
            SpinUntil(() => _returned || IsAsleep());
            return !_returned;
        }
    }

    /// <summary>What the call threw, once it has returned.</summary>
    public Exception? Join()
    {
        _thread.Join();
        return _exception;
    }

    /// <summary>Waits for something that another thread is about to do.</summary>
    public static void SpinUntil(Func<bool> happened)
    {
        while (!happened())
            Thread.Yield();
    }

    private static Exception? Record(Action call)
    {
        try
        {
            call();
            return null;
        }
#pragma warning disable CA1031 // Join's to give.
        catch (Exception exception)
#pragma warning restore CA1031
        {
            return exception;
        }
    }

    private bool IsAsleep()
    {
        if (_status is not { } path)
            return false;
        try
        {
            string status = File.ReadAllText(path);
            return status.AsSpan(status.LastIndexOf(')')).StartsWith(") S", StringComparison.Ordinal);
        }
        catch (IOException)
        {
            // The thread has ended.
            return false;
        }
    }
}
