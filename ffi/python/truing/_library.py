"""The shared library: finding it, contexts, calls."""

import contextlib
import ctypes
import functools
import math
import mmap
import operator
import os
import pathlib
import threading
import types

from . import _abi
from ._error import Error
from ._tensor import (
    allocates,
    bare,
    cuda_device,
    current_stream,
    describe,
    empty,
    is_torch,
    refuse,
    same_stream,
    stream_handle,
    torch_stream,
    using_stream,
)

FOLDER = pathlib.Path(__file__).parent / "lib"
_lib = None


def find():
    """The library inside the package, or None."""
    found = sorted(FOLDER.glob("libtruing.so.*"))
    return found[-1] if found else None


def open_library(path):
    global _lib
    lib = ctypes.CDLL(str(path))
    try:
        version = lib.truing_abi_version
    except AttributeError:
        raise Error(_abi.TRUING_STATUS_ABI_MISMATCH, f"{path} is no Truing library") from None
    version.restype = ctypes.c_uint32
    if version() != _abi.TRUING_ABI_VERSION:
        message = f"{path} has ABI version {version()}, this package needs {_abi.TRUING_ABI_VERSION}"
        raise Error(_abi.TRUING_STATUS_ABI_MISMATCH, message)
    for name, (result, arguments) in _abi.FUNCTIONS.items():
        function = getattr(lib, name)
        function.restype, function.argtypes = result, arguments
    _lib = lib


def library():
    if _lib is None:
        message = "no library: install the package with pip, or call truing.load(path)"
        raise Error(_abi.TRUING_STATUS_INVALID_ARGUMENT, message)
    return _lib


def check(status):
    if status != _abi.TRUING_STATUS_OK:
        raise Error(status, library().truing_last_error().decode())


def enum(field, prefix, value):
    """`TRUING_<prefix>_<VALUE>` by its last word; None stays 0."""
    if value is None:
        return 0
    number = getattr(_abi, f"TRUING_{prefix}_{str(value).upper()}", None)
    if number is None:
        start = f"TRUING_{prefix}_"
        words = [n.removeprefix(start).lower() for n in vars(_abi) if n.startswith(start)]
        refuse(field, repr(value), f"one of {', '.join(words)}")
    return number


def integer(field, kind, value):
    """`value` if the C type holds it; ctypes would drop the bits that do not fit."""
    try:
        value = operator.index(value)
    except TypeError:
        refuse(field, repr(value), "a whole number")
    if kind(value).value != value:
        low = min(0, kind(1 << (8 * ctypes.sizeof(kind) - 1)).value)
        refuse(field, value, f"{low} to {low + (1 << (8 * ctypes.sizeof(kind))) - 1}")
    return value


def real(field, value):
    """`value` as C's double; ctypes would refuse text and arrays without saying what they were meant for."""
    try:
        return ctypes.c_double(value).value
    except (TypeError, ValueError, OverflowError, RuntimeError):  # the last one is torch's
        refuse(field, repr(value), "a number")


def parameters(values):
    """The array of a list of parameters, given by their names, and its length. In C NaN is the default; here None is, and a NaN
    comes from a calculation that went wrong."""
    array = (ctypes.c_double * len(values))()
    for i, (name, value) in enumerate(values.items()):
        array[i] = math.nan if value is None else real(name, value)
        if value is not None and math.isnan(array[i]):
            refuse(name, "nan", "a number, or None for the default")
    return array, len(values)


class Context:
    """Threads, math mode, the kernels of CUDA devices (and a folder that keeps them, `cuda_cache_dir`) and, for tests, a cap
    on the instruction set of the calls that get it. Not usable in a child process."""

    def __init__(self, threads=0, *, mode=None, isa_cap=None, cuda_cache_dir=None):
        options = _abi.truing_context_options()
        options.struct_size = ctypes.sizeof(options)
        options.num_threads = integer("num_threads", ctypes.c_uint32, threads)
        options.mode = enum("mode", "MODE", mode)
        options.isa_cap = enum("isa_cap", "ISA", isa_cap)
        options.cuda_cache_dir = None if cuda_cache_dir is None else os.fsencode(cuda_cache_dir)
        handle = ctypes.c_void_p()
        check(library().truing_context_create(ctypes.byref(options), ctypes.byref(handle)))
        self._handle, self._pid, self._destroy = handle, os.getpid(), library().truing_context_destroy
        self._library = library()._handle

    def handle(self):
        if self._pid != os.getpid():
            refuse("context", "a context of the parent process", "one made after the fork")
        if self._library != library()._handle:
            refuse("context", "a context of another library", "one made after truing.load")
        return self._handle

    def __reduce__(self):
        # What copy, deepcopy and pickle ask; a second owner of the handle would destroy it twice.
        raise TypeError("a Context cannot be copied or pickled")

    def __del__(self):
        if getattr(self, "_pid", None) == os.getpid():
            self._destroy(self._handle)


SERIAL = object()
"""Given as a context: the calling thread only, nothing is created."""

_defaults, _lock = {}, threading.Lock()  # by library


def _context(given):
    """The handle to pass; without a context, one for all cores, made at the first call of this process."""
    if given is SERIAL:
        return None
    if given is not None:
        return given.handle()
    key = library()._handle
    found = _defaults.get(key)
    if found is None or found._pid != os.getpid():
        with _lock:
            found = _defaults.get(key)
            if found is None or found._pid != os.getpid():
                found = _defaults[key] = Context(len(os.sched_getaffinity(0)))
    return found.handle()


def prepare(device=0, *, context=None):
    """Loads every kernel for CUDA device number `device`: calls load what they lack themselves, but not while their stream is
    captured into a graph."""
    check(library().truing_prepare(_context(context), integer("device", ctypes.c_int32, device)))


def _after_fork():
    global _lock
    _lock = threading.Lock()  # another thread of the parent may have held it


os.register_at_fork(after_in_child=_after_fork)


@functools.cache
def _place(struct, path):
    """Where a field lies, its path in words ("a__b" or "a.b"): the groups on the way, its name, and how a number becomes its
    own, if it holds one. Looked up once: a call sets tens of fields."""
    words = path.replace("__", ".")
    *groups, name = words.split(".")
    for group in groups:
        struct = dict(struct._fields_)[group]
    kind = dict(struct._fields_)[name]
    integers = (ctypes.c_int32, ctypes.c_uint32, ctypes.c_int64, ctypes.c_uint64, ctypes.c_size_t)
    if kind in integers:
        return words, groups, name, functools.partial(integer, words, kind)
    return words, groups, name, functools.partial(real, words) if kind is ctypes.c_double else None


_KEPT = 4 << 20  # bytes of workspace that stay with a thread
_kept = threading.local()


def _pages(size):
    """Whole pages of host memory, hence aligned, and their address. Few stay with the thread for its next call: new ones cost
    more than a small call's work. Many are asked for as huge ones, of which a call touches hundreds instead of ten thousands."""
    private = mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS  # a child of a fork has its own
    if size <= _KEPT:
        memory = getattr(_kept, "memory", None)
        if memory is None or len(memory) < size:
            memory = _kept.memory = mmap.mmap(-1, 1 << (size - 1).bit_length(), flags=private)
            _kept.address = ctypes.addressof(ctypes.c_char.from_buffer(memory))
        return memory, _kept.address
    memory = mmap.mmap(-1, size, flags=private)
    if hasattr(mmap, "MADV_HUGEPAGE"):
        with contextlib.suppress(OSError):  # a kernel without them
            memory.madvise(mmap.MADV_HUGEPAGE)
    return memory, ctypes.addressof(ctypes.c_char.from_buffer(memory))


# Outputs that a flag adds to.
_ADDED = {
    **dict.fromkeys(("grad_hidden", "grad_teacher_hidden"), _abi.TRUING_ACCUMULATE_HIDDEN),
    **dict.fromkeys(("grad_weight", "grad_bias", "grad_teacher_weight", "grad_teacher_bias"), _abi.TRUING_ACCUMULATE_WEIGHT),
    **dict.fromkeys(("loss", "grad_scores", "grad_kl"), _abi.TRUING_ACCUMULATE_GRADS),
}


class Call:
    """One call being put together: fields by path, tensors described and kept alive."""

    def __init__(self, struct, like, context, flags=0, stream=None):
        self.args = struct()
        self.args.struct_size = ctypes.sizeof(struct)
        self.args.flags = flags
        self.args.context = _context(context)
        self.like, self.keep, self.results = like, [], {}
        self.stream = None if stream is None else integer("stream", ctypes.c_uint64, stream_handle(stream))
        self.on_cuda = cuda_device(like) is not None
        self.args.stream = current_stream(like) if self.on_cuda and stream is None else self.stream
        # torch's current stream: its allocator looks after that, and looking it up again takes time
        self.usual = self.on_cuda and stream is None and is_torch(bare(like))

    def _put(self, path, value, root=None):
        target = self.args if root is None else root
        _, groups, name, number = _place(type(target), path)
        for group in groups:
            target = getattr(target, group)
        setattr(target, name, value if number is None else number(value))

    def set(self, root=None, **fields):
        """Plain fields, of the call or of a struct inside it; `__` stands for a dot. None leaves a field at 0."""
        for path, value in fields.items():
            if value is None or (type(value) is int and value == 0):
                continue  # it is 0
            self._put(path, value, root)

    def read(self, root=None, **tensors):
        """Inputs, of the call or of a struct inside it; None is absent."""
        for path, x in tensors.items():
            if x is not None:
                self._tensor(path, x, False, root)

    def write(self, path, name, want, shape, dtype):
        """An output: None or False is not wanted, True allocates it, anything else is the place itself."""
        if want is None or want is False:
            return
        if want is True and self.args.flags & _ADDED.get(name, 0):
            refuse(path, "True", "an array to add to, or False")
        place = self._empty(shape, dtype) if want is True else want
        if self.on_cuda and not allocates(self.like) and allocates(place):
            self.like = place  # JAX allocates nothing for us: the library of a place does
        self._tensor(path, place, True)
        self.results[name] = place

    def _tensor(self, path, x, write, root=None):
        words = _place(type(self.args if root is None else root), path)[0]
        if self.on_cuda and not self.usual:
            self._order(words, bare(x))
        t, keep = describe(words, x, write, self.args.stream)
        self.keep += [t, keep]
        self._put(path, ctypes.pointer(t), root)

    def _order(self, path, x):
        """An array of another stream than the call's is refused, unless the caller has named the stream: then it sees to the
        order, and torch is told who still reads what it may let go of."""
        if self.stream is None:
            own = getattr(x, "__cuda_array_interface__", {}).get("stream") if not is_torch(x) else None
            if own is not None and not same_stream(own, self.args.stream):
                refuse(path, "an array that another stream works on", "arrays of one stream, or `stream`")
        elif is_torch(x) and x.device.type == "cuda":
            own = torch_stream(x, self.args.stream)
            if own is not None:
                x.record_stream(own)

    def _empty(self, shape, dtype):
        if self.usual or not self.on_cuda:
            return empty(self.like, shape, dtype)
        with using_stream(self.like, self.args.stream):
            return empty(self.like, shape, dtype)

    def run(self, function):
        """Allocates the workspace that the call wants, calls, returns the outputs by name."""
        lib = library()
        args = ctypes.byref(self.args)
        minimum, preferred = ctypes.c_size_t(), ctypes.c_size_t()
        check(getattr(lib, function + "_workspace_size")(args, ctypes.byref(minimum), ctypes.byref(preferred)))
        if preferred.value:
            if self.on_cuda:
                memory = self._empty((preferred.value,), "uint8")
                data = describe("workspace", memory, True, self.args.stream)[0].data
            else:
                memory, data = _pages(preferred.value)
            self.keep.append(memory)
            self.args.workspace, self.args.workspace_size = data, preferred.value
        check(getattr(lib, function)(args))
        return types.SimpleNamespace(**{name: bare(x) for name, x in self.results.items()})
