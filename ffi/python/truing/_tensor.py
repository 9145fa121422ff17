"""Tensors of other libraries as `truing_tensor`, without a copy."""

import contextlib
import ctypes
import functools
import numbers
import struct
import sys

from . import _abi
from ._error import Error

# dtype name -> (DLPack code, bits)
DTYPES = {
    "float32": (_abi.TRUING_DTYPE_FLOAT, 32),
    "float64": (_abi.TRUING_DTYPE_FLOAT, 64),
    "float16": (_abi.TRUING_DTYPE_FLOAT, 16),
    "bfloat16": (_abi.TRUING_DTYPE_BFLOAT, 16),
    "int8": (_abi.TRUING_DTYPE_INT, 8),
    "int32": (_abi.TRUING_DTYPE_INT, 32),
    "int64": (_abi.TRUING_DTYPE_INT, 64),
    "uint8": (_abi.TRUING_DTYPE_UINT, 8),
    "uint16": (_abi.TRUING_DTYPE_UINT, 16),
    "uint32": (_abi.TRUING_DTYPE_UINT, 32),
    "bool": (_abi.TRUING_DTYPE_BOOL, 8),
}
SHORT = {"f32": "float32", "f64": "float64", "f16": "float16", "bf16": "bfloat16", "i8": "int8", "i32": "int32",
         "i64": "int64", "u8": "uint8", "u32": "uint32"}  # fmt: skip


class Tensor:
    """An array read as another element type of the same size; see :func:`tensor`."""

    def __init__(self, array, dtype):
        self.array, self.dtype = array, dtype

    @property
    def shape(self):
        return self.array.shape


def tensor(array, dtype):
    """`array`, whose elements are in truth of type `dtype` ("bf16" in a `uint16` array of numpy, for one)."""
    name = SHORT.get(dtype, dtype)
    if name not in DTYPES:
        raise Error(_abi.TRUING_STATUS_UNSUPPORTED_DTYPE, f"dtype: got {dtype!r}, expected one of {', '.join(SHORT)}")
    return Tensor(array, name)


def is_torch(x):
    torch = sys.modules.get("torch")
    return torch is not None and isinstance(x, torch.Tensor)


def is_numpy(x):
    numpy = sys.modules.get("numpy")
    return numpy is not None and isinstance(x, numpy.ndarray)


def _on_cuda(x):
    """Whether an array that is neither torch's nor numpy's says that it lies on a CUDA device."""
    return hasattr(x, "__cuda_array_interface__") or (
        hasattr(x, "__dlpack_device__") and int(x.__dlpack_device__()[0]) in (_abi.TRUING_DEVICE_CUDA, _abi.TRUING_DEVICE_CUDA_MANAGED)
    )


def cuda_device(x):
    """The number of the CUDA device that holds `x`, 0 if it lies on one and does not say on which; None elsewhere."""
    x = bare(x)
    if is_torch(x):
        return x.device.index or 0 if x.device.type == "cuda" else None
    if is_numpy(x) or not _on_cuda(x):
        return None
    return int(x.__dlpack_device__()[1]) if hasattr(x, "__dlpack_device__") else 0


def current_stream(x):
    """The stream on which the library of a CUDA array works now: torch's current one, else what the array says."""
    x = bare(x)
    if is_torch(x):
        return sys.modules["torch"].cuda.current_stream(x.device).cuda_stream
    return getattr(x, "__cuda_array_interface__", {}).get("stream") or 0


def stream_handle(stream):
    """The handle of a stream: a number, or an object of torch, CuPy or cuda-python."""
    if hasattr(stream, "__cuda_stream__"):
        return int(stream.__cuda_stream__()[1])
    for name in ("cuda_stream", "ptr"):
        stream = getattr(stream, name, stream)
    return stream


def same_stream(a, b):
    """Whether two handles name one stream; 0 and 1 are both the default one."""
    return (a or 0) == (b or 0) or {a or 0, b or 0} == {0, 1}


def torch_stream(x, stream):
    """torch's object for a stream of the device of `x`; None if it is the current one, whose memory torch looks after."""
    cuda = sys.modules["torch"].cuda
    if same_stream(stream, cuda.current_stream(x.device).cuda_stream):
        return None
    if same_stream(stream, 0):
        return cuda.default_stream(x.device)
    return cuda.ExternalStream(stream, device=x.device)


def using_stream(like, stream):
    """What the library of `like` allocates meanwhile belongs to `stream`: it gives the memory away again in that order only."""
    like = bare(like)
    if is_torch(like):
        own = torch_stream(like, stream)
        return contextlib.nullcontext() if own is None else sys.modules["torch"].cuda.stream(own)
    cupy = sys.modules.get("cupy")
    if cupy is not None and isinstance(like, cupy.ndarray):
        return cupy.cuda.Stream.null if same_stream(stream, 0) else cupy.cuda.ExternalStream(stream, like.device.id)
    return contextlib.nullcontext()


def shape(x):
    """Shape of anything that :func:`describe` takes."""
    if isinstance(x, (int, float)):
        return ()
    if not hasattr(x, "shape"):
        refuse("tensor", f"a {type(x).__name__}", "a numpy array, a torch tensor or anything with __dlpack__")
    return tuple(int(n) for n in x.shape)


def last(field, x):
    """Length of the last dimension."""
    if not shape(x):
        refuse(field, "no dimension", "rows, or columns alone")
    return shape(x)[-1]


def dtype_name(x):
    """Name of the element type; of arrays that do not say it float32."""
    if isinstance(x, Tensor):
        return x.dtype
    if is_torch(x):
        return str(x.dtype).rpartition(".")[2]
    name = getattr(getattr(x, "dtype", None), "name", None)
    return name if is_numpy(x) or name in DTYPES else "float32"


def allocates(x):
    """Whether :func:`empty` can make arrays beside one that lies on a CUDA device."""
    x = bare(x)
    library = sys.modules.get(type(x).__module__.partition(".")[0])
    return is_torch(x) or (hasattr(library, "empty") and hasattr(x, "device"))


def empty(like, shape, dtype):
    """A new array for an output: of torch or CuPy on the same device if `like` is theirs, else numpy's."""
    if isinstance(like, Tensor):
        if dtype == like.dtype and dtype == "bfloat16":
            return Tensor(empty(like.array, shape, "uint16"), dtype)
        like = like.array
    if is_torch(like):
        torch = sys.modules["torch"]
        if hasattr(torch, dtype):
            return torch.empty(shape, dtype=getattr(torch, dtype), device=like.device)
        return Tensor(torch.empty(shape, dtype=torch.int32, device=like.device), dtype)
    if cuda_device(like) is not None:
        if not allocates(like):
            refuse("output", "True", f"a place on the device: arrays of type {type(like).__name__} are not allocated here")
        with like.device:
            return sys.modules[type(like).__module__.partition(".")[0]].empty(shape, dtype=dtype)
    import numpy

    return numpy.empty(shape, dtype=dtype)


def bare(x):
    """The caller's array behind a :class:`Tensor`."""
    return x.array if isinstance(x, Tensor) else x


def refuse(field, got, expected, status=_abi.TRUING_STATUS_INVALID_ARGUMENT):
    raise Error(status, f"{field}: got {got}, expected {expected}")


def describe(field, x, write=False, stream=None):
    """A `truing_tensor` over the memory of `x`, and what must live as long as it. `stream`: that of a call on CUDA, before
    which other libraries have their arrays ready."""
    override = None
    if isinstance(x, Tensor):
        x, override = x.array, x.dtype
    if isinstance(x, (int, float)) and not write:
        value = ctypes.c_double(x)
        t = _fill(ctypes.addressof(value), (), (), DTYPES["float64"], _CPU)
        return t, value
    if is_torch(x):
        t, keep = _torch(field, x, write)
    elif is_numpy(x):
        t, keep = _numpy(field, x, write)
    elif hasattr(x, "__cuda_array_interface__"):
        t, keep = _cuda_array(field, x, write)
    elif hasattr(x, "__dlpack__"):
        t, keep = _dlpack(field, x, write, stream)
    elif isinstance(x, numbers.Real) and not write:
        return describe(field, float(x))  # a number of numpy
    else:
        refuse(field, f"a {type(x).__name__}", "a numpy array, a torch tensor or anything with __dlpack__")
    if override is not None:
        code, bits = DTYPES[override]
        if bits != t.dtype.bits:
            refuse(field, f"elements of {t.dtype.bits} bits", f"{bits} bits, as for {override}")
        t.dtype.code = code
    return t, keep


_CPU = (_abi.TRUING_DEVICE_CPU, 0)


@functools.cache
def _form(n):
    """A `truing_tensor` of n dimensions, and behind it its shape and strides."""
    form = struct.Struct(f"=QiiiBBHQQQ{2 * n}q")
    assert form.size == ctypes.sizeof(_abi.truing_tensor) + 16 * n
    return form


def _fill(data, shape, strides, dtype, device):
    n = len(shape)
    form = _form(n)
    place = bytearray(form.size)
    t = _abi.truing_tensor.from_buffer(place)
    shape_at = ctypes.addressof(t) + form.size - 16 * n if n else 0
    strides_at = shape_at + 8 * n if n and strides is not None else 0
    form.pack_into(place, 0, data, *device, n, *dtype, 1, shape_at, strides_at, 0, *shape, *(strides if strides_at else shape))
    return t


_torch_dtypes = {}  # torch dtype -> (DLPack code, bits) or None


def _torch(field, x, write):
    if x.layout is not sys.modules["torch"].strided or x.is_neg() or x.is_conj():
        refuse(field, "a torch tensor that is sparse, negated or conjugated", "a plain strided tensor")
    if write and x.requires_grad:
        refuse(field, "an output that requires grad", "a tensor that torch does not record")
    try:
        known = _torch_dtypes[x.dtype]
    except KeyError:
        known = _torch_dtypes[x.dtype] = DTYPES.get(dtype_name(x))
    if known is None:
        refuse(field, x.dtype, "f32, bf16, f16, f64, i32, i64, u8, i8, u32 or bool", _abi.TRUING_STATUS_UNSUPPORTED_DTYPE)
    place = x.device
    if place.type == "cpu":
        device = _CPU
    elif place.type == "cuda":
        device = (_abi.TRUING_DEVICE_CUDA, place.index or 0)
    else:
        refuse(field, place, "memory of the CPU or of CUDA", _abi.TRUING_STATUS_UNSUPPORTED_DEVICE)
    return _fill(x.data_ptr(), x.shape, x.stride(), known, device), x


_numpy_dtypes = {}  # numpy dtype -> (DLPack code, bits) or None; looking up the name is slow


def _numpy(field, x, write):
    flags, dtype = x.flags, x.dtype
    if write and not flags.writeable:
        refuse(field, "a read-only array", "an array that may be written")
    try:
        known = _numpy_dtypes[dtype]
    except KeyError:
        known = _numpy_dtypes[dtype] = DTYPES.get(dtype.name) if dtype.isnative else None
    if known is None:
        refuse(field, dtype, "f32, bf16, f16, f64, i32, i64, u8, i8, u32 or bool", _abi.TRUING_STATUS_UNSUPPORTED_DTYPE)
    strides = None
    if not flags.c_contiguous:
        size = x.itemsize
        # The stride of a dimension of size 0 or 1 says nothing, and need not be a whole number of elements.
        if any(s % size for s, n in zip(x.strides, x.shape) if n > 1):
            refuse(field, f"strides of {x.strides} bytes", f"multiples of {size}", _abi.TRUING_STATUS_SHAPE_MISMATCH)
        strides = [s // size for s in x.strides]
    return _fill(x.ctypes.data, x.shape, strides, known, _CPU), x


_KINDS = {"f": _abi.TRUING_DTYPE_FLOAT, "i": _abi.TRUING_DTYPE_INT, "u": _abi.TRUING_DTYPE_UINT, "b": _abi.TRUING_DTYPE_BOOL}


def _cuda_array(field, x, write):
    """CuPy, numba and whatever else has the interface; bf16 comes as `truing.tensor(x, "bf16")`."""
    about = x.__cuda_array_interface__
    data, read_only = about["data"]
    order, kind, size = about["typestr"][0], about["typestr"][1], int(about["typestr"][2:])
    if write and read_only:
        refuse(field, "a read-only array", "an array that may be written")
    if kind not in _KINDS or order == ">":
        refuse(field, about["typestr"], "f32, bf16, f16, f64, i32, i64, u8, i8, u32 or bool", _abi.TRUING_STATUS_UNSUPPORTED_DTYPE)
    strides = about.get("strides")
    if strides is not None:
        if any(s % size for s, n in zip(strides, about["shape"]) if n > 1):
            refuse(field, f"strides of {strides} bytes", f"multiples of {size}", _abi.TRUING_STATUS_SHAPE_MISMATCH)
        strides = [s // size for s in strides]
    device = (_abi.TRUING_DEVICE_CUDA, cuda_device(x))
    return _fill(data, about["shape"], strides, (_KINDS[kind], 8 * size), device), x


class _Version(ctypes.Structure):
    _fields_ = [("major", ctypes.c_uint32), ("minor", ctypes.c_uint32)]


class _Versioned(ctypes.Structure):
    """DLManagedTensorVersioned."""

    _fields_ = [
        ("version", _Version),
        ("manager_ctx", ctypes.c_void_p),
        ("deleter", ctypes.c_void_p),
        ("flags", ctypes.c_uint64),
        ("dl_tensor", _abi.truing_tensor),
    ]


_READ_ONLY = 1
_is_valid = ctypes.pythonapi.PyCapsule_IsValid
_is_valid.argtypes, _is_valid.restype = [ctypes.py_object, ctypes.c_char_p], ctypes.c_int
_pointer = ctypes.pythonapi.PyCapsule_GetPointer
_pointer.argtypes, _pointer.restype = [ctypes.py_object, ctypes.c_char_p], ctypes.c_void_p


def _dlpack(field, x, write, stream):
    # 1 is the default stream; on the CPU there is none
    order = {"stream": stream or 1} if _on_cuda(x) else {}
    try:
        capsule = x.__dlpack__(max_version=(1, 1), **order)
    except TypeError:  # older producers know no version
        capsule = x.__dlpack__(**order)
    if _is_valid(capsule, b"dltensor_versioned"):
        managed = _Versioned.from_address(_pointer(capsule, b"dltensor_versioned"))
        if managed.version.major != 1:
            refuse(field, f"DLPack version {managed.version.major}.{managed.version.minor}", "version 1")
        if write and managed.flags & _READ_ONLY:
            refuse(field, "a read-only DLPack tensor", "one that may be written")
        source = managed.dl_tensor
    elif _is_valid(capsule, b"dltensor"):
        if write:
            refuse(field, "an unversioned DLPack tensor, which cannot say whether it may be written", "DLPack 1")
        source = _abi.truing_tensor.from_address(_pointer(capsule, b"dltensor"))
    else:
        refuse(field, "a capsule that is no DLPack tensor", "one named dltensor_versioned or dltensor")
    t = _abi.truing_tensor.from_buffer_copy(source)  # the layout is DLTensor's
    # The capsule is borrowed, not consumed: it frees what it holds when it dies.
    return t, (capsule, x)
