// SPDX-License-Identifier: MIT
using Devmap.CommandLine.Top;
using FsCheck;
using FsCheck.Fluent;
using Xunit;

namespace Devmap.Tests.Command;

/// <summary>Snapshots that come in parts.</summary>
public sealed class SnapshotAssemblerTests
{
    private readonly SnapshotAssembler _assembler = new();

    [Fact]
    public void Parts_in_any_order_make_a_whole()
    {
        Assert.Null(_assembler.Add(1, 2, 3, "c"));
        Assert.Null(_assembler.Add(1, 0, 3, "a"));
        Assert.Equal("abc", _assembler.Add(1, 1, 3, "b"));
        Assert.Equal("d", _assembler.Add(2, 0, 1, "d"));
        Assert.Equal(0, _assembler.Lost);
    }

    [Fact]
    public void One_that_misses_a_part_is_lost_once_the_next_begins()
    {
        Assert.Null(_assembler.Add(1, 0, 2, "a"));
        Assert.Equal(0, _assembler.Lost);
        Assert.Equal("c", _assembler.Add(2, 0, 1, "c"));
        Assert.Equal(1, _assembler.Lost);
        Assert.Null(_assembler.Add(1, 1, 2, "b"));
        Assert.Equal(1, _assembler.Lost);
    }

    [Fact]
    public void A_part_that_comes_twice_counts_once()
    {
        Assert.Null(_assembler.Add(1, 0, 2, "a"));
        Assert.Null(_assembler.Add(1, 0, 2, "x"));
        Assert.Equal("ab", _assembler.Add(1, 1, 2, "b"));
        Assert.Null(_assembler.Add(1, 1, 2, "b"));
        Assert.Equal(0, _assembler.Lost);
    }

    [Theory]
    [InlineData(-1, 2)]
    [InlineData(2, 2)]
    [InlineData(1, 3)]
    [InlineData(0, 0)]
    [InlineData(0, -1)]
    [InlineData(0, int.MaxValue)]
    public void A_part_that_can_not_be_spoils_its_snapshot_and_no_other(int part, int parts)
    {
        Assert.Null(_assembler.Add(1, 0, 2, "a"));
        Assert.Null(_assembler.Add(1, part, parts, "x"));
        Assert.Null(_assembler.Add(1, 1, 2, "b"));
        Assert.Equal(1, _assembler.Lost);
        Assert.Equal("c", _assembler.Add(2, 0, 1, "c"));
        Assert.Null(_assembler.Add(3, part == 1 ? -1 : part, parts, "x"));
        Assert.Equal(2, _assembler.Lost);
    }

    [Fact]
    public void One_that_is_too_long_is_lost()
    {
        string part = new('x', SnapshotAssembler.MaxCharacters / 2);

        Assert.Null(_assembler.Add(1, 0, 3, part));
        Assert.Null(_assembler.Add(1, 1, 3, part));
        Assert.Null(_assembler.Add(1, 2, 3, "x"));
        Assert.Equal(1, _assembler.Lost);
        Assert.Equal("a", _assembler.Add(2, 0, 1, "a"));
    }

    [Fact]
    public void Whatever_comes_no_two_snapshots_are_mixed() => Scripts.Check(
        from sequence in Gen.Choose(0, 4)
        from part in Gen.Choose(-1, 4)
        from parts in Gen.Choose(0, 4)
        select (Sequence: sequence, Part: part, Parts: parts),
        script =>
        {
            SnapshotAssembler assembler = new();
            foreach ((int sequence, int part, int parts) in script)
            {
                string? whole = assembler.Add(sequence, part, parts, $"{sequence}.{part} ");
                if (whole is not null)
                    Assert.Equal(string.Concat(Enumerable.Range(0, parts).Select(number => $"{sequence}.{number} ")), whole);
            }
        });
}
