// SPDX-License-Identifier: MIT
using System.Buffers;
using FsCheck;
using FsCheck.Fluent;
using Xunit;

namespace Devmap.Tests;

/// <summary>Random scripts on maps and files, next to a model that counts references and keeps bytes in an array.</summary>
public sealed class PropertyTests
{
    private const int Page = 4096;

    [Fact]
    public void A_map_counts_references_and_calls_its_driver_as_the_model_does() => Scripts.Check(
        from action in Gen.Elements(Enum.GetValues<MapAction>())
        from which in Gen.Choose(0, 99)
        from pages in Gen.Choose(1, 5)
        select new MapStep(action, which, pages),
        static script =>
        {
            using var model = new MapModel();
            Array.ForEach(script, model.Run);
        },
        scripts: 200);

    [Fact]
    public void A_file_is_leased_written_cut_and_grown_as_the_model_is() => Scripts.Check(
        from action in Gen.Elements(Enum.GetValues<FileAction>())
        from which in Gen.Choose(0, 99)
        from offset in Gen.Choose(0, FileModel.Capacity)
        from length in Gen.Choose(1, 3 * Page)
        from aligned in Gen.Elements(false, true)
        select new FileStep(action, which, aligned ? offset / Page * Page : offset, length),
        static script =>
        {
            using var model = new FileModel();
            Array.ForEach(script, model.Run);
        },
        scripts: 150);

    private enum MapAction
    {
        Lease,
        Share,
        Pin,
        Unpin,
        Dispose,
        DisposeMap,
    }

    private enum FileAction
    {
        Lease,
        Write,
        Share,
        Dispose,
        SetLength,
        PunchHole,
        DisposeFile,
    }

    private sealed record MapStep(MapAction Action, int Which, int Pages);

    private sealed record FileStep(FileAction Action, int Which, int Offset, int Length);

    /// <summary>What is known of a lease.</summary>
    private sealed class Held(PageLease lease)
    {
        public PageLease Lease { get; } = lease;

        public Stack<MemoryHandle> Pins { get; } = new();

        public bool IsDisposed { get; set; }

        public bool HoldsPages => !IsDisposed || Pins.Count > 0;

        public bool Covers(long page) => page >= Lease.FirstPage && page < Lease.FirstPage + Lease.PageCount;
    }

    private sealed class MapModel : IDisposable
    {
        private const int Pages = 16;

        private readonly CountingDriver _driver = new(Pages);
        private readonly DevicePageMap _map;
        private readonly List<Held> _leases = [];
        private readonly int[] _edges = new int[Pages];

        public MapModel() => _map = DevicePageMap.Create(new() { Type = MemoryType.DevicePublic, PageCount = Pages, Driver = _driver, DisposeTimeout = TimeSpan.Zero });

        public void Run(MapStep step)
        {
            if (step.Action == MapAction.Lease)
                _leases.Add(new Held(_map.Lease(step.Which % (Pages - step.Pages + 1), step.Pages)));
            else if (step.Action == MapAction.DisposeMap)
                DisposeInVain();
            else if (_leases.Count > 0)
                Run(step.Action, _leases[step.Which % _leases.Count]);

            for (int page = 0; page < Pages; page++)
                Assert.Equal((References(page) + 1, _edges[page]), (_map[page].Count, _driver[page]));
        }

        public void Dispose()
        {
            foreach (Held held in _leases)
            {
                held.Lease.Dispose();
                while (held.Pins.TryPop(out MemoryHandle pin))
                    pin.Dispose();
            }

            _map.Dispose();
            Assert.Equal(1, _driver.Detached);
        }

        private int References(int page) => _leases.Count(held => held.HoldsPages && held.Covers(page));

        private void Run(MapAction action, Held held)
        {
            int[] before = [.. Enumerable.Range(0, Pages).Select(References)];
            switch (action)
            {
                case MapAction.Share when held.IsDisposed:
                    Assert.Throws<ObjectDisposedException>(held.Lease.Share);
                    break;
                case MapAction.Share:
                    _leases.Add(new Held(held.Lease.Share()));
                    break;
                case MapAction.Pin when held.IsDisposed:
                    Assert.Throws<ObjectDisposedException>(() => held.Lease.Pin());
                    break;
                case MapAction.Pin:
                    held.Pins.Push(held.Lease.Pin());
                    break;
                case MapAction.Unpin when held.Pins.Count == 0:
                    Assert.Throws<InvalidOperationException>(held.Lease.Unpin);
                    break;
                case MapAction.Unpin:
                    held.Pins.Pop().Dispose();
                    break;
                default:
                    held.Lease.Dispose();
                    held.IsDisposed = true;
                    break;
            }

            for (int page = 0; page < Pages; page++)
                _edges[page] += before[page] > 0 && References(page) == 0 ? 1 : 0;
        }

        private void DisposeInVain()
        {
            IEnumerable<int> busy = Enumerable.Range(0, Pages).Where(page => References(page) > 0);
            if (!busy.Any())
                return;
            Assert.Equal(
                busy.Select(page => new BusyPage(page, References(page) + 1)),
                Assert.Throws<PagesBusyException>(_map.Dispose).Pages);
            Assert.Throws<ObjectDisposedException>(() => _map.Lease(0));
            _map.Resume();
        }
    }

    private sealed class FileModel : IDisposable
    {
        public const int Capacity = 12 * Page;

        private readonly TemporaryDirectory _directory = new();
        private readonly CountingDriver _driver = new(Capacity / Page);
        private readonly List<PageLease> _leases = [];
        private readonly int[] _edges = new int[Capacity / Page];
        private readonly DaxFile _file;
        private byte[] _content = TemporaryDirectory.KnownBytes(0, 6 * Page);

        public FileModel() => _file = DaxFile.Open(_directory.KnownFile(_content.Length), new()
        {
            Access = FileAccess.ReadWrite,
            Capacity = Capacity,
            Driver = _driver,
            DisposeTimeout = TimeSpan.Zero,
        });

        public void Run(FileStep step)
        {
            bool isInside = step.Offset + step.Length <= _content.Length;
            switch (step.Action)
            {
                case FileAction.Lease or FileAction.Write when !isInside:
                    Assert.Throws<ArgumentOutOfRangeException>(() => step.Action == FileAction.Write ? _file.LeaseForWriting(step.Offset, step.Length) : _file.Lease(step.Offset, step.Length));
                    break;
                case FileAction.Lease:
                    _leases.Add(_file.Lease(step.Offset, step.Length));
                    break;
                case FileAction.Write:
                    Write(step);
                    break;
                case FileAction.Share when _leases.Count > 0:
                    _leases.Add(_leases[step.Which % _leases.Count].Share());
                    break;
                case FileAction.Dispose when _leases.Count > 0:
                    Dispose(_leases[step.Which % _leases.Count]);
                    break;
                case FileAction.SetLength:
                    SetLength(step.Offset);
                    break;
                case FileAction.PunchHole when isInside:
                    PunchHole(step);
                    break;
                case FileAction.DisposeFile when _leases.Count > 0:
                    Assert.Throws<PagesBusyException>(_file.Dispose);
                    _file.Map.Resume();
                    break;
            }

            AssertSame();
        }

        public void Dispose()
        {
            while (_leases.Count > 0)
                Dispose(_leases[0]);
            AssertSame();
            _file.Dispose();
            _directory.Dispose();
        }

        private bool IsInUse(int firstByte, int endByte) => _leases.Any(lease =>
            lease.FirstPage <= (endByte - 1) / Page && lease.FirstPage + lease.PageCount > firstByte / Page);

        private int References(int page) => _leases.Count(lease => page >= lease.FirstPage && page < lease.FirstPage + lease.PageCount);

        private void Write(FileStep step)
        {
            PageLease lease = _file.LeaseForWriting(step.Offset, step.Length);
            _leases.Add(lease);
            lease.Span.Fill((byte)step.Which);
            _content.AsSpan(step.Offset, step.Length).Fill((byte)step.Which);
            _file.Flush(step.Offset, step.Length);
        }

        private void Dispose(PageLease lease)
        {
            _leases.Remove(lease);
            lease.Dispose();
            for (long page = lease.FirstPage; page < lease.FirstPage + lease.PageCount; page++)
                _edges[page] += References((int)page) == 0 ? 1 : 0;
        }

        private void SetLength(int length)
        {
            if (length < _content.Length && IsInUse(length, _content.Length))
            {
                Assert.Throws<PagesBusyException>(() => _file.SetLength(length, TimeSpan.Zero));
                return;
            }

            _file.SetLength(length, TimeSpan.Zero);
            Array.Resize(ref _content, length);
        }

        private void PunchHole(FileStep step)
        {
            if (IsInUse(step.Offset, step.Offset + step.Length))
            {
                Assert.Throws<PagesBusyException>(() => _file.PunchHole(step.Offset, step.Length, TimeSpan.Zero));
                return;
            }

            _file.PunchHole(step.Offset, step.Length, TimeSpan.Zero);
            _content.AsSpan(step.Offset, step.Length).Clear();
        }

        private void AssertSame()
        {
            Assert.Equal(_content.Length, _file.Length);
            Assert.True(File.ReadAllBytes(_file.Path).AsSpan().SequenceEqual(_content));
            for (int page = 0; page < Capacity / Page; page++)
                Assert.Equal((References(page) + 1, _edges[page]), (_file.Map[page].Count, _driver[page]));
            Assert.All(_leases, lease =>
            {
                int offset = (int)(lease.ReadOnlySpan.IsEmpty ? 0 : OffsetOf(lease));
                Assert.True(lease.ReadOnlySpan.SequenceEqual(_content.AsSpan(offset, lease.Length)));
            });
        }

        /// <summary>Where in the file a lease's memory stands.</summary>
        private unsafe long OffsetOf(PageLease lease)
        {
            using MemoryHandle pin = lease.Pin();
            return (nint)pin.Pointer - _file.Map.Address;
        }
    }
}
