// SPDX-License-Identifier: MIT
using Devmap.Native;
using Devmap.Telemetry;

namespace Devmap;

/// <content>Where changes are awaited, which unsafe code cannot do.</content>
public sealed partial class DaxFile
{
    /// <summary>Waits on a thread of its own. What was told to begin is told to end, where the wait is cancelled before it began too.</summary>
    private async Task FinishAsync(
        Change change, LayoutBreak? told, string what, long offset, long length, TimeSpan timeout, CancellationToken token)
    {
        int result = -NativeError.ECANCELED;
        try
        {
            result = await BlockingWait.RunAsync(() => Execute(change, timeout, token), token).ConfigureAwait(false);
        }
        finally
        {
            Ended(told, result);
        }

        if (result != 0)
            throw ErrorOf(result, what, offset, length, token);
    }
}
