// SPDX-License-Identifier: MIT
namespace Devmap.CommandLine;

internal static class Program
{
    public static async Task<int> Main(string[] args)
    {
        using var interruption = new Interruption();
        return await DevmapCommand.InvokeAsync(args, Console.Out, Console.Error, interruption.Token).ConfigureAwait(false);
    }
}
