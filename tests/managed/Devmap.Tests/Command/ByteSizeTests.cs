// SPDX-License-Identifier: MIT
using Devmap.CommandLine;
using Xunit;

namespace Devmap.Tests.Command;

/// <summary>Numbers of bytes as people write them.</summary>
public sealed class ByteSizeTests
{
    [Theory]
    [InlineData("4096", 4096)]
    [InlineData("0", 0)]
    [InlineData("-1", -1)]
    [InlineData("4096B", 4096)]
    [InlineData("12 bytes", 12)]
    [InlineData("64M", 64L << 20)]
    [InlineData("64MB", 64L << 20)]
    [InlineData("64MiB", 64L << 20)]
    [InlineData("1.5 GiB", 3L << 29)]
    [InlineData("2t", 2L << 40)]
    [InlineData("9223372036854775807", long.MaxValue)]
    public void Are_read(string text, long bytes)
    {
        Assert.True(ByteSize.TryParse(text, out ByteSize size));
        Assert.Equal(bytes, size.Bytes);
    }

    [Theory]
    [InlineData("")]
    [InlineData("M")]
    [InlineData("12Q")]
    [InlineData("12KK")]
    [InlineData("12iB")]
    [InlineData("1e3")]
    [InlineData("1,000")]
    [InlineData("0x10")]
    [InlineData("9223372036854775808")]
    [InlineData("8388608T")]
    public void Are_refused(string text) => Assert.False(ByteSize.TryParse(text, out _));

    [Theory]
    [InlineData(0, "0 bytes")]
    [InlineData(1023, "1023 bytes")]
    [InlineData(4096, "4 KiB")]
    [InlineData(3L << 29, "1.5 GiB")]
    [InlineData(5000L << 40, "5000 TiB")]
    public void Are_written(long bytes, string text) => Assert.Equal(text, new ByteSize(bytes).ToString());
}
