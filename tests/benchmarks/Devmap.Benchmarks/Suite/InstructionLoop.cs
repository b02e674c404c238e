// SPDX-License-Identifier: MIT
using System.Globalization;

namespace Devmap.Benchmarks.Suite;

/// <summary>One of the loops whose instructions callgrind counts.</summary>
/// <param name="Name">What instruction_loops calls it.</param>
/// <param name="Function">The function that is the loop.</param>
/// <param name="Operations">How many operations it does.</param>
internal sealed record InstructionLoop(string Name, string Function, long Operations)
{
    private const string Collected = "Collected :";

    /// <summary>Reads what <c>instruction_loops list</c> prints.</summary>
    public static IReadOnlyList<InstructionLoop> ParseList(string text) =>
        [.. text.Split('\n', StringSplitOptions.RemoveEmptyEntries | StringSplitOptions.TrimEntries).Select(ParseLine)];

    /// <summary>Reads the instructions from what callgrind wrote to stderr.</summary>
    public static long ParseCount(string errors)
    {
        int at = errors.IndexOf(Collected, StringComparison.Ordinal);
        string rest = at < 0 ? string.Empty : errors[(at + Collected.Length)..].TrimStart();
        string number = rest.Split((char[])[' ', '\n', '\r'], 2)[0];
        if (!long.TryParse(number, NumberStyles.None, CultureInfo.InvariantCulture, out long count) || count == 0)
            throw new SuiteException($"callgrind counted nothing: {errors.Trim().ReplaceLineEndings(" | ")}");
        return count;
    }

    public Sample ToSample(long count) => new($"instructions/{Name}", Tool.Callgrind, Unit.Instructions, (double)count / Operations);

    private static InstructionLoop ParseLine(string line) =>
        line.Split(' ', StringSplitOptions.RemoveEmptyEntries) is [var name, var function, var number]
        && long.TryParse(number, NumberStyles.None, CultureInfo.InvariantCulture, out long operations) && operations > 0
            ? new(name, function, operations)
            : throw new SuiteException($"instruction_loops list printed '{line}', which is not 'WHAT FUNCTION OPERATIONS'.");
}
