// SPDX-License-Identifier: MIT
namespace Devmap.Native;

/// <summary>
/// Waits that block in native code, on a thread of their own: they may last as long as somebody else holds a page, and the
/// thread pool's threads are not theirs to hold.
/// </summary>
internal static class BlockingWait
{
    public static Task RunAsync(Action wait, CancellationToken token = default) =>
        Task.Factory.StartNew(wait, token, TaskCreationOptions.LongRunning | TaskCreationOptions.DenyChildAttach, TaskScheduler.Default);

    public static Task<T> RunAsync<T>(Func<T> wait, CancellationToken token = default) =>
        Task.Factory.StartNew(wait, token, TaskCreationOptions.LongRunning | TaskCreationOptions.DenyChildAttach, TaskScheduler.Default);
}
