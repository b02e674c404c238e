// SPDX-License-Identifier: MIT
using System.Buffers;
using System.Runtime.InteropServices;

namespace Devmap.Benchmarks;

/// <summary>
/// The owner of off-heap memory that a program writes for itself: allocated, and freed when disposed.
/// </summary>
internal sealed unsafe class NativeMemoryOwner : MemoryManager<byte>
{
    private readonly int _length;
    private void* _address;

    public NativeMemoryOwner(int length)
    {
        _length = length;
        _address = NativeMemory.Alloc((nuint)length);
    }

    public override Span<byte> GetSpan()
    {
        ObjectDisposedException.ThrowIf(_address == null, this);
        return new Span<byte>(_address, _length);
    }

    public override MemoryHandle Pin(int elementIndex = 0) => new((byte*)_address + elementIndex, default, this);

    public override void Unpin()
    {
    }

    public void Dispose() => Dispose(disposing: true);

    protected override void Dispose(bool disposing)
    {
        NativeMemory.Free(_address);
        _address = null;
    }
}
