// SPDX-License-Identifier: MIT
namespace Devmap.CommandLine.Top;

/// <summary>What the system knows of a process that is watched.</summary>
internal static class TargetProcess
{
    /// <summary>Why the process's runtime could not be asked.</summary>
    /// <param name="processId">The process.</param>
    /// <param name="cause">What the diagnostics client said.</param>
    public static string WhyUnreachable(int processId, Exception cause)
    {
        if (!IsRunning(processId))
            return $"there is no process {processId}.";
        switch (HasMapped(processId, "libcoreclr.so"))
        {
            case null:
                return $"process {processId} belongs to another user; run this as that user, or as root.";
            case false:
                return $"process {processId} has no .NET runtime that answers: {FirstLine(cause)}";
            default:
                return $"process {processId} runs .NET, but can't be asked: diagnostics are disabled there (DOTNET_EnableDiagnostics=0), or its TMPDIR is not this one's, {Path.GetTempPath()}. {FirstLine(cause)}";
        }
    }

    /// <summary>Why a process that answers sends nothing.</summary>
    public static string WhySilent(int processId, TimeSpan patience) => HasMapped(processId, "libdevmap.so") switch
    {
        true => $"process {processId} uses Devmap, but sent no snapshot in {patience.TotalSeconds} s: it is stopped, or its Devmap sends none.",
        _ => $"process {processId} sent no snapshot in {patience.TotalSeconds} s: it has not used Devmap so far.",
    };

    /// <summary>Whether there is such a process, and it has not ended: one that nobody waited for is still listed.</summary>
    public static bool IsRunning(int processId)
    {
        try
        {
            // The state follows the name, which may have any character in it.
            string stat = File.ReadAllText($"/proc/{processId}/stat");
            return stat[stat.LastIndexOf(')')..] is not [_, _, 'Z' or 'X', ..];
        }
        catch (IOException)
        {
            return false;
        }
    }

    /// <summary>Whether a process has a file of this name in its memory; null where that may not be known.</summary>
    private static bool? HasMapped(int processId, string name)
    {
        try
        {
            return File.ReadLines($"/proc/{processId}/maps").Any(line => line.EndsWith($"/{name}", StringComparison.Ordinal));
        }
        catch (UnauthorizedAccessException)
        {
            return null;
        }
        catch (IOException)
        {
            return false;
        }
    }

    private static string FirstLine(Exception cause) => cause.Message.Split('\n', 2)[0].Trim();
}
