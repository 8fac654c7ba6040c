"""A CUDA device that is none: copies happen when somebody waits for them, as late as they may."""

import ctypes
import weakref
from contextlib import contextmanager
from types import SimpleNamespace

import torch

POISON = 0x5A


class FakeStream:
    def __init__(self, device=None):
        self.device = device
        self.work = []

    def run(self, until=None):
        """Do the work up to an event, or all of it."""
        while self.work:
            done = self.work.pop(0)
            done()
            if getattr(done, "__self__", None) is until and until is not None:
                return

    def wait_event(self, event):
        event.stream.run(until=event)
        assert event.is_done

    def synchronize(self):
        self.run()


class FakeEvent:
    is_done = False

    def record(self, stream):
        self.stream = stream
        stream.work.append(self.end)

    def end(self):
        self.is_done = True

    def query(self):
        return self.is_done


class FakeCuda:
    """Takes the place of a device in torch; see `installed`."""

    def __init__(self):
        self.current = FakeStream()
        self.inside = []  # of torch.cuda.stream(...)
        self.recorded = []  # tensors of the device, and the streams that use them
        self.pinned = {}  # by address: memory that stays, so that a late copy can read it
        self.free = []  # addresses
        self.uploads = 0
        self.room = None  # how many uploads have room on the device

    def empty(self, shape, *, dtype, pin_memory=False):
        """Make a tensor; pinned memory is used again, and spoiled as soon as it is free."""
        if not pin_memory:
            return self.torch_empty(shape, dtype=dtype)
        tensor = self.torch_empty(shape, dtype=dtype)
        for address in self.free:
            if self.pinned[address].nbytes == tensor.nbytes:
                self.free.remove(address)
                tensor = self.pinned[address].view(dtype).reshape(shape)
                break
        else:
            self.pinned[tensor.data_ptr()] = tensor.view(-1).view(torch.uint8)
        address = tensor.data_ptr()

        def numpy():
            array = tensor.numpy()
            weakref.finalize(array, self.let_go, address)
            return array

        return SimpleNamespace(numpy=numpy)

    def let_go(self, address):
        self.pinned[address].fill_(POISON)
        self.free.append(address)

    def to(self, tensor, *args, **options):
        """Return a tensor that has its values when the stream has done its work."""
        if not self.inside:
            return self.torch_to(tensor, *args, **options)
        stream = self.inside[-1]
        if not args:  # on the device, where it stays as it is or becomes another
            result = torch.empty_like(tensor, **options)
            stream.work.append(lambda: result.copy_(tensor))
            return result
        if self.room is not None and self.uploads >= self.room:
            raise torch.cuda.OutOfMemoryError("CUDA out of memory.\nTried to allocate")
        assert options == {"non_blocking": True}
        assert tensor.data_ptr() in self.pinned
        assert tensor.data_ptr() not in self.free
        self.uploads += 1
        result, at_start = torch.zeros_like(tensor), tensor.clone()
        source, size = tensor.data_ptr(), tensor.nbytes

        def copy():  # it holds the address alone, as a device does
            ctypes.memmove(result.data_ptr(), source, size)
            assert torch.equal(result, at_start), "memory was written to or freed before its copy"

        stream.work.append(copy)
        return result

    @contextmanager
    def stream(self, stream):
        self.inside.append(stream)
        yield
        self.inside.pop()

    def installed(self, monkeypatch):
        """Let torch have this device, as the second of two."""
        self.torch_empty, self.torch_to = torch.empty, torch.Tensor.to
        fakes = {
            "is_available": lambda: True,
            "device_count": lambda: 2,
            "current_device": lambda: 1,
            "current_stream": lambda device: self.current,
            "stream": self.stream,
            "Stream": FakeStream,
            "Event": FakeEvent,
        }
        for name, fake in fakes.items():
            monkeypatch.setattr(torch.cuda, name, fake)
        monkeypatch.setattr(torch, "empty", self.empty)
        monkeypatch.setattr(torch.Tensor, "to", lambda *a, **k: self.to(*a, **k))
        monkeypatch.setattr(
            torch.Tensor, "record_stream", lambda t, s: self.recorded.append((t.data_ptr(), s))
        )
        return self
