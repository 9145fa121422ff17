//! The caller's tensors: every rule is checked before the first access, slices are made here and nowhere else.
//!
//! A call names its tensors to [`Tensors`] (which parses them and reads no data), asks [`Tensors::check`] whether an
//! output overlaps anything, and only then turns them into views.
use crate::abi::*;
use crate::boundary::{self, pointer};
use crate::context::Lent;
use core::cell::Cell;
use core::ffi::c_void;
use core::marker::PhantomData;
use truing_core::dtype::{Element, bf16, f16};
use truing_core::matrix::{Floats, FloatsMut, Ints, IntsMut, Layout, Mask, Matrix, MatrixMut};
use truing_core::preference::Labels;
use truing_core::{Dtype, Error, Result, Status, Value};

/// Most tensors of a call.
const MOST: usize = 96;
/// Most elements of a tensor, repeated ones (stride 0) included: more than any memory holds, and few enough that no size
/// which follows from one overflows.
const MOST_ELEMENTS: usize = (1u64 << if usize::BITS < 64 { 28 } else { 48 }) as usize;

/// Where the tensors of a call lie: all of them in one place.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Place {
    /// Memory of the host.
    Cpu,
    /// Memory of the CUDA device of this number.
    Cuda(i32),
}

/// The bytes that a tensor covers, gaps of its strides included.
#[derive(Clone, Copy)]
struct Span {
    field: &'static str,
    start: usize,
    end: usize,
    written: bool,
}

/// A tensor whose description has been checked.
#[derive(Clone, Copy)]
struct Raw {
    field: &'static str,
    data: *mut u8,
    dtype: Dtype,
    ndim: usize,
    dims: [usize; 3],
    strides: [usize; 3],
    span: usize,
    place: Place,
}

/// A call whose struct has been read: the caller's fields, the context, and the tensors that it names from here on.
pub(crate) struct Call<T> {
    /// A copy of the caller's struct.
    pub(crate) args: T,
    /// The caller's context, or that of the calling thread alone.
    pub(crate) context: Lent,
    /// The tensors.
    pub(crate) tensors: Tensors,
    /// Scratch memory.
    pub(crate) workspace: Workspace,
}
impl<T: Args> Call<T> {
    /// Reads the struct and checks what all calls have in common.
    ///
    /// # Safety
    /// `args` is NULL or points to `struct_size` readable bytes; the context in it is NULL or alive. Until the views are
    /// gone, the memory that each tensor describes is readable, what an output describes and the workspace are
    /// writable, and nobody else writes to any of it. All other fields and descriptions may hold any values.
    pub(crate) unsafe fn open(args: *const T, known_flags: u64) -> Result<Call<T>> {
        // SAFETY: this function's contract.
        unsafe { Call::start(args, known_flags, false) }
    }
    /// [`Call::open`] for a call that runs where its tensors lie.
    ///
    /// # Safety
    /// As for [`Call::open`]; of tensors on a device the device does what is said there, until the call's stream has passed it.
    pub(crate) unsafe fn anywhere(args: *const T, known_flags: u64) -> Result<Call<T>> {
        // SAFETY: this function's contract.
        unsafe { Call::start(args, known_flags, cfg!(feature = "cuda")) }
    }
    /// # Safety
    /// As for [`Call::anywhere`].
    unsafe fn start(args: *const T, known_flags: u64, cuda: bool) -> Result<Call<T>> {
        // SAFETY: this function's contract; `Args` begins with `struct_size`.
        let args = unsafe { boundary::read(args) }?;
        let head = *args.head();
        boundary::flags(head.flags, known_flags)?;
        let mut tensors = Tensors {
            spans: [Span { field: "", start: 0, end: 0, written: false }; MOST],
            len: 0,
            stream: head.stream,
            flags: head.flags,
            cuda,
            place: None,
        };
        let workspace = tensors.workspace(head.workspace, head.workspace_size)?;
        // SAFETY: NULL or alive by this function's contract.
        let context = unsafe { Lent::new(head.context) }?;
        Ok(Call { args, context, tensors, workspace })
    }
}

/// The tensors of one call. Made by [`Call::open`] only, whose contract is the proof of every slice in this file.
pub(crate) struct Tensors {
    spans: [Span; MOST],
    len: usize,
    stream: *mut c_void,
    flags: u64,
    /// Whether the call runs on devices.
    cuda: bool,
    /// Where the first tensor lies, and so all of them.
    place: Option<Place>,
}
/// Proof that [`Tensors::check`] has passed; views live no longer than it.
pub(crate) struct Checked {
    place: Place,
    #[cfg_attr(not(feature = "cuda"), expect(dead_code, reason = "a device's"))]
    stream: *mut c_void,
}
impl Checked {
    /// The number of the CUDA device on which the tensors lie.
    #[cfg(feature = "cuda")]
    pub(crate) fn device(&self) -> Option<i32> {
        match self.place {
            Place::Cpu => None,
            Place::Cuda(id) => Some(id),
        }
    }
    /// The caller's stream.
    #[cfg(feature = "cuda")]
    pub(crate) fn stream(&self) -> truing_cuda::Stream {
        truing_cuda::Stream(self.stream)
    }
}

/// A tensor to read, or none.
pub(crate) struct Input(Option<Raw>);
/// A tensor to write, or none. Not `Copy`: one output gives one view.
pub(crate) struct Output(Option<Raw>);

impl Tensors {
    fn add(&mut self, field: &'static str, start: usize, bytes: usize, written: bool) -> Result<usize> {
        if self.len == MOST {
            return Err(Error::invalid(
                field,
                Value::Text("one tensor more"),
                Value::Text("at most 96 tensors in a call"),
            ));
        }
        self.spans[self.len] = Span { field, start, end: start + bytes, written };
        self.len += 1;
        Ok(self.len - 1)
    }
    /// A tensor that is read; NULL means absent.
    pub(crate) fn input(&mut self, field: &'static str, tensor: *const truing_tensor) -> Result<Input> {
        // SAFETY: the contract of `Call::open`.
        unsafe { self.parse(field, tensor, false) }.map(Input)
    }
    /// A tensor that is read and must be there.
    pub(crate) fn required(&mut self, field: &'static str, tensor: *const truing_tensor) -> Result<Input> {
        pointer(field, tensor)?;
        self.input(field, tensor)
    }
    /// A tensor that is written; NULL means not wanted.
    pub(crate) fn output(&mut self, field: &'static str, tensor: *const truing_tensor) -> Result<Output> {
        // SAFETY: the contract of `Call::open`.
        unsafe { self.parse(field, tensor, true) }.map(Output)
    }
    /// A tensor that is written and must be there.
    pub(crate) fn required_output(&mut self, field: &'static str, tensor: *const truing_tensor) -> Result<Output> {
        pointer(field, tensor)?;
        self.output(field, tensor)
    }
    fn workspace(&mut self, data: *mut c_void, bytes: usize) -> Result<Workspace> {
        let data = data.cast::<u8>();
        if bytes > 0 {
            pointer("workspace", data)?;
            if !(data as usize).is_multiple_of(WORKSPACE_ALIGN) {
                return Err(Error::invalid(
                    "workspace",
                    Value::Text("an unaligned pointer"),
                    Value::Text("64-byte alignment"),
                ));
            }
            if bytes > isize::MAX as usize || (data as usize).checked_add(bytes).is_none() {
                return Err(Error::invalid(
                    "workspace_size",
                    Value::Size(bytes),
                    Value::Text("a size inside the address space"),
                ));
            }
            self.add("workspace", data as usize, bytes, true)?;
        }
        Ok(Workspace { data, bytes })
    }
    /// Whether `output` is `input` itself (same pointer, dtype and strides). If so the input is taken away: from here
    /// on there is one tensor, read and written.
    pub(crate) fn in_place(&mut self, input: &mut Input, output: &Output) -> bool {
        let (Some(a), Some(b)) = (input.0, output.0) else { return false };
        let same =
            a.data == b.data && a.dtype == b.dtype && a.ndim == b.ndim && a.dims == b.dims && a.strides == b.strides;
        if same {
            self.spans[a.span].end = self.spans[a.span].start;
            input.0 = None;
        }
        same
    }
    /// Whether the tensors lie on a CUDA device.
    #[cfg(feature = "cuda")]
    pub(crate) fn on_device(&self) -> bool {
        matches!(self.place, Some(Place::Cuda(_)))
    }
    /// Refuses an output that shares a byte with any other tensor of the call.
    pub(crate) fn check(self) -> Result<Checked> {
        let place = self.place.unwrap_or(Place::Cpu);
        if place != Place::Cpu && self.flags & TRUING_STRICT != 0 {
            let expected = Value::Text("no TRUING_STRICT with CUDA tensors: not available in this version");
            return Err(Error::invalid("flags", Value::Int(TRUING_STRICT as i64), expected));
        }
        if place == Place::Cpu && !self.stream.is_null() {
            return Err(Error::invalid("stream", Value::Text("a stream"), Value::Text("NULL with tensors of the CPU")));
        }
        let spans = &self.spans[..self.len];
        for (i, a) in spans.iter().enumerate().filter(|(_, a)| a.written && a.start < a.end) {
            for (j, b) in spans.iter().enumerate() {
                if i != j && b.start < b.end && a.start < b.end && b.start < a.end {
                    return Err(Error::new(
                        Status::Aliasing,
                        a.field,
                        Value::Text(b.field),
                        Value::Text("memory of its own"),
                    ));
                }
            }
        }
        Ok(Checked { place, stream: self.stream })
    }

    /// # Safety
    /// `tensor` is NULL or, if it is aligned, readable; so are its `shape` and `strides` for `ndim` elements.
    unsafe fn parse(
        &mut self,
        field: &'static str,
        tensor: *const truing_tensor,
        written: bool,
    ) -> Result<Option<Raw>> {
        if tensor.is_null() {
            return Ok(None);
        }
        pointer(field, tensor)?;
        // SAFETY: not NULL, aligned, readable by contract.
        let t = unsafe { *tensor };
        let place = self.place_of(field, t.device)?;
        let Some(dtype) = dtype(t.dtype).filter(|_| t.dtype.lanes == 1) else {
            let got = Value::Shape([t.dtype.code.into(), t.dtype.bits.into(), t.dtype.lanes.into()], 3);
            let expected =
                Value::Text("a known [code, bits, 1 lane] (f32, bf16, f16, f64, i32, i64, u8, i8, u32, bool)");
            return Err(Error::new(Status::UnsupportedDtype, field, got, expected));
        };
        if !(0..=3).contains(&t.ndim) {
            return Err(Error::shape(field, Value::Int(t.ndim.into()), Value::Text("0 to 3 dimensions")));
        }
        let ndim = t.ndim as usize;
        if ndim > 0 && t.shape.is_null() {
            return Err(Error::invalid(field, Value::Text("shape NULL"), Value::Text("a pointer to the dimensions")));
        }
        // SAFETY: `ndim` elements are readable by contract.
        let shape = unsafe { boundary::array(field, t.shape, ndim) }?;
        let given = match t.strides.is_null() {
            true => None,
            // SAFETY: as above.
            false => Some(unsafe { boundary::array(field, t.strides, ndim) }?),
        };
        let (mut dims, mut strides) = ([1usize; 3], [0usize; 3]);
        let (mut elements, mut size) = (1usize, 1usize);
        for k in (0..ndim).rev() {
            let n = usize::try_from(shape[k])
                .map_err(|_| Error::shape(field, Value::Int(shape[k]), Value::Text("dimensions >= 0")))?;
            // Of `size`, so that a tensor without elements does not seem to repeat them.
            let stride = given.map_or(size as i64, |s| s[k]);
            // The stride of a dimension that is not walked along says nothing.
            strides[k] = match usize::try_from(stride) {
                _ if n <= 1 => 0,
                Ok(stride) if stride > 0 || !written => stride,
                Ok(_) => {
                    return Err(Error::shape(
                        field,
                        Value::Text("stride 0"),
                        Value::Text("an output that does not repeat elements"),
                    ));
                }
                Err(_) => return Err(Error::shape(field, Value::Int(stride), Value::Text("strides >= 0"))),
            };
            if k + 1 == ndim && n > 1 && strides[k] > 1 {
                return Err(Error::shape(field, Value::Int(stride), Value::Text("stride 1 in the last dimension")));
            }
            dims[k] = n;
            // A dimension of 0 makes no other one legal: sizes are multiplied later on.
            size = (size.checked_mul(n.max(1)).filter(|&e| e <= MOST_ELEMENTS)).ok_or(Error::shape(
                field,
                Value::Shape(shape3(shape), ndim),
                Value::Text("at most 2^48 elements"),
            ))?;
            elements *= n;
        }
        let too_far =
            Error::shape(field, Value::Shape(shape3(shape), ndim), Value::Text("strides inside the address space"));
        let mut extent = usize::from(elements > 0);
        for k in (0..ndim).filter(|_| elements > 0) {
            extent = (dims[k] - 1).checked_mul(strides[k]).and_then(|n| n.checked_add(extent)).ok_or(too_far)?;
        }
        let bytes = extent.checked_mul(dtype.size()).filter(|&b| b <= isize::MAX as usize).ok_or(too_far)?;
        if bytes == 0 {
            // Nothing is read or written, so the pointer may be anything, and no row lies behind the first one.
            let span = self.add(field, 0, 0, written)?;
            return Ok(Some(Raw {
                field,
                data: core::ptr::NonNull::<u64>::dangling().as_ptr().cast(),
                dtype,
                ndim,
                dims,
                strides: [0; 3],
                span,
                place,
            }));
        }
        if t.data.is_null() {
            return Err(Error::invalid(field, Value::Text("data NULL"), Value::Text("a pointer to the elements")));
        }
        let wrap =
            Error::invalid(field, Value::Text("data and byte_offset"), Value::Text("an end inside the address space"));
        let offset = usize::try_from(t.byte_offset).map_err(|_| wrap)?;
        let start = (t.data as usize).checked_add(offset).ok_or(wrap)?;
        start.checked_add(bytes).ok_or(wrap)?;
        if !start.is_multiple_of(dtype.size()) {
            return Err(Error::invalid(
                field,
                Value::Text("unaligned data"),
                Value::Text("data aligned to its element"),
            ));
        }
        let span = self.add(field, start, bytes, written)?;
        Ok(Some(Raw { field, data: t.data.cast::<u8>().wrapping_add(offset), dtype, ndim, dims, strides, span, place }))
    }
    /// Where a tensor lies; refuses another place than that of the tensors before it.
    fn place_of(&mut self, field: &'static str, device: truing_device) -> Result<Place> {
        let other = |got, expected| Err(Error::new(Status::UnsupportedDevice, field, got, Value::Text(expected)));
        let place = match device.device_type {
            TRUING_DEVICE_CPU | TRUING_DEVICE_CUDA_HOST => Place::Cpu,
            TRUING_DEVICE_CUDA | TRUING_DEVICE_CUDA_MANAGED if self.cuda => Place::Cuda(device.device_id),
            TRUING_DEVICE_CUDA | TRUING_DEVICE_CUDA_MANAGED => {
                return other(Value::Text("a CUDA tensor"), "memory of the CPU: this call runs nowhere else");
            }
            unknown => return other(Value::Int(unknown.into()), "memory of the CPU or of CUDA"),
        };
        match (*self.place.get_or_insert(place), place) {
            (first, place) if first == place => Ok(place),
            (Place::Cpu, _) => other(Value::Text("a CUDA tensor"), "memory of the CPU, as the tensors before it"),
            (_, Place::Cpu) => other(Value::Text("memory of the CPU"), "the CUDA device of the tensors before it"),
            (_, Place::Cuda(id)) => other(Value::Int(id.into()), "the CUDA device of the tensors before it"),
        }
    }
}
const WORKSPACE_ALIGN: usize = truing_core::matrix::Arena::ALIGN;

fn shape3(shape: &[i64]) -> [i64; 3] {
    let mut all = [0; 3];
    all[..shape.len()].copy_from_slice(shape);
    all
}
fn dtype(t: truing_dtype) -> Option<Dtype> {
    Some(match (t.code, t.bits) {
        (TRUING_DTYPE_FLOAT, 32) => Dtype::F32,
        (TRUING_DTYPE_FLOAT, 64) => Dtype::F64,
        (TRUING_DTYPE_FLOAT, 16) => Dtype::F16,
        (TRUING_DTYPE_BFLOAT, 16) => Dtype::Bf16,
        (TRUING_DTYPE_INT, 8) => Dtype::I8,
        (TRUING_DTYPE_INT, 32) => Dtype::I32,
        (TRUING_DTYPE_INT, 64) => Dtype::I64,
        (TRUING_DTYPE_UINT, 8) | (TRUING_DTYPE_BOOL, 8) => Dtype::U8,
        (TRUING_DTYPE_UINT, 32) => Dtype::U32,
        _ => return None,
    })
}

/// How the dimensions of a tensor become rows and columns.
#[derive(Clone, Copy)]
enum Form<'a> {
    /// `[N, cols]` or `[B, T, cols]`.
    Rows(&'a Leading),
    /// `[N]` or `[B, T]`: one element a row.
    Tokens(&'a Leading),
    /// As `Rows`, or `[cols]`, the same for every row.
    Shared(&'a Leading),
    /// `[rows, cols]`.
    Matrix,
    /// A single element or `[n]`.
    List,
    /// One element, whatever the number of dimensions.
    Scalar,
}

/// How the tokens of a call lie, `[N]` or `[B, T]`, which all tensors of tokens share. A flat `[N]` goes with either;
/// where the first tensor is flat, the first `[B, T]` says how the others lie, so that none is transposed.
pub(crate) struct Leading {
    tokens: usize,
    batch: Cell<Option<[usize; 2]>>,
}
impl Leading {
    /// As the first tensor lies: `[N]` or `[B, T]`.
    pub(crate) fn new(dims: &[usize]) -> Leading {
        let batch = if let [b, t] = *dims { Some([b, t]) } else { None };
        Leading { tokens: dims.iter().product(), batch: Cell::new(batch) }
    }
    /// `[B, T]`, as far as it is known by now.
    pub(crate) fn batch(&self) -> Option<[usize; 2]> {
        self.batch.get()
    }
    /// Refuses a tensor whose leading dimensions are others, with `cols` behind them.
    fn check(&self, raw: &Raw, leading: &[usize], cols: Option<usize>) -> Result<()> {
        let fits = match *leading {
            [n] => n == self.tokens,
            [b, t] => match self.batch.get() {
                Some(batch) => batch == [b, t],
                None => b * t == self.tokens,
            },
            _ => false,
        };
        if fits {
            if let [b, t] = *leading {
                self.batch.set(Some([b, t]));
            }
            return Ok(());
        }
        let (mut dims, mut n) = ([0; 3], 0);
        let batch = self.batch.get();
        let lead = batch.as_ref().map_or(core::slice::from_ref(&self.tokens), |b| &b[..]);
        for &d in lead.iter().chain(&cols) {
            dims[n] = d as i64;
            n += 1;
        }
        Err(Error::shape(raw.field, raw.shape(), Value::Shape(dims, n)))
    }
}
impl Raw {
    fn shape(&self) -> Value {
        Value::Shape(self.dims.map(|n| n as i64), self.ndim)
    }
    fn wrong<T>(&self, expected: &'static str) -> Result<T> {
        Err(Error::shape(self.field, self.shape(), Value::Text(expected)))
    }
    fn layout(&self, form: Form<'_>) -> Result<Layout> {
        let (d, s) = (self.dims, self.strides);
        match (form, self.ndim) {
            (Form::Shared(tokens), 1) => {
                self.walked(0)?;
                Ok(Layout::strided(tokens.tokens, d[0], 0))
            }
            (Form::Rows(tokens) | Form::Shared(tokens), 2 | 3) => {
                let last = self.ndim - 1;
                tokens.check(self, &d[..last], Some(d[last]))?;
                self.walked(last)?;
                Ok(if last == 1 { Layout::strided(d[0], d[1], s[0]) } else { leading(d[0], d[1], d[2], s[0], s[1]) })
            }
            (Form::Rows(_), _) => self.wrong("2 or 3 dimensions"),
            (Form::Shared(_), _) => self.wrong("1 to 3 dimensions"),
            (Form::Matrix, 2) => {
                self.walked(1)?;
                Ok(Layout::strided(d[0], d[1], s[0]))
            }
            (Form::Matrix, _) => self.wrong("2 dimensions"),
            (Form::Tokens(tokens), n) => {
                tokens.check(self, &d[..n], None)?;
                Ok(if n == 1 { Layout::strided(d[0], 1, s[0]) } else { leading(d[0], d[1], 1, s[0], s[1]) })
            }
            (Form::List, 0) => Ok(Layout::contiguous(1, 1)),
            (Form::List, 1) => Ok(Layout::strided(d[0], 1, s[0])),
            (Form::List, _) => self.wrong("1 dimension"),
            (Form::Scalar, _) if d == [1; 3] => Ok(Layout::contiguous(1, 1)),
            (Form::Scalar, _) => self.wrong("a single element"),
        }
    }
    /// Refuses what the host cannot read.
    fn host(&self) -> Result<()> {
        if self.place == Place::Cpu {
            return Ok(());
        }
        let (got, expected) = (Value::Text("a CUDA tensor"), Value::Text("memory of the CPU"));
        Err(Error::new(Status::UnsupportedDevice, self.field, got, expected))
    }
    fn walked(&self, last: usize) -> Result<()> {
        if self.dims[last] > 1 && self.strides[last] != 1 && !self.dims.contains(&0) {
            return self.wrong("stride 1 in the last dimension");
        }
        Ok(())
    }
}
/// Two leading dimensions as one where their strides allow it.
fn leading(b: usize, t: usize, cols: usize, sb: usize, st: usize) -> Layout {
    match (b, t) {
        (1, _) => Layout::strided(t, cols, st),
        (_, 1) => Layout::strided(b, cols, sb),
        _ if t.checked_mul(st) == Some(sb) => Layout::strided(b * t, cols, st),
        _ => Layout::batched(b, t, cols, sb, st),
    }
}

/// A type that an input can become.
pub(crate) trait View<'a>: Sized {
    #[doc(hidden)]
    fn of(slice: Slice<'a>, layout: Layout) -> Result<Self>;
}
/// A type that an output can become.
pub(crate) trait ViewMut<'a>: Sized {
    #[doc(hidden)]
    fn of(slice: SliceMut<'a>, layout: Layout) -> Result<Self>;
}
/// What a checked input may be turned into once its element type is chosen. Made in [`Input`] only.
#[derive(Clone, Copy)]
pub(crate) struct Slice<'a>(Raw, PhantomData<&'a Checked>);
/// The same for an output. Made in [`Output`] only, used up by its one view.
pub(crate) struct SliceMut<'a>(Raw, PhantomData<&'a Checked>);

fn other<T>(raw: &Raw, expected: &'static str) -> Result<T> {
    Err(Error::new(Status::UnsupportedDtype, raw.field, Value::Dtype(raw.dtype), Value::Text(expected)))
}
fn name(raw: &Raw) -> impl Fn(Error) -> Error {
    let field = raw.field;
    // `Matrix::new` does not know which tensor it looks at.
    move |e| Error { field, ..e }
}
impl<'a, T: Element> View<'a> for Matrix<'a, T> {
    fn of(slice: Slice<'a>, layout: Layout) -> Result<Self> {
        let raw = slice.0;
        if raw.dtype != T::DTYPE {
            return other(&raw, T::DTYPE.name());
        }
        raw.host()?;
        let len = layout.extent().unwrap_or(usize::MAX);
        // SAFETY: host memory by the check above; `parse` has checked that the pointer is not NULL, aligned to the element and that the extent of
        // the strides lies inside the address space; `layout` is a rearrangement of the same dimensions, hence the
        // same extent. The memory is readable and constant by the contract of `Call::open`, no view that writes
        // overlaps it (`Tensors::check`), and any bits are a value of `T` (`Pod`).
        let data = unsafe { core::slice::from_raw_parts(raw.data.cast_const().cast::<T>(), len) };
        Matrix::new(data, layout).map_err(name(&raw))
    }
}
impl<'a, T: Element> ViewMut<'a> for MatrixMut<'a, T> {
    fn of(slice: SliceMut<'a>, layout: Layout) -> Result<Self> {
        let raw = slice.0;
        if raw.dtype != T::DTYPE {
            return other(&raw, T::DTYPE.name());
        }
        raw.host()?;
        let len = layout.extent().unwrap_or(usize::MAX);
        // SAFETY: as for `Matrix`, and writable; the output is used up by this view, and `Tensors::check` has found
        // no other tensor of the call that shares a byte with it.
        let data = unsafe { core::slice::from_raw_parts_mut(raw.data.cast::<T>(), len) };
        MatrixMut::new(data, layout).map_err(name(&raw))
    }
}
impl<'a, T: Element, const N: usize> ViewMut<'a> for &'a mut [T; N] {
    fn of(slice: SliceMut<'a>, layout: Layout) -> Result<Self> {
        let raw = slice.0;
        if raw.dtype != T::DTYPE {
            return other(&raw, T::DTYPE.name());
        }
        raw.host()?;
        let wrong = Error::shape(raw.field, raw.shape(), Value::Shape([N as i64, 0, 0], 1));
        if layout != Layout::contiguous(N, 1) {
            return Err(wrong);
        }
        // SAFETY: as for `MatrixMut`; N elements without gaps by the comparison above.
        let data = unsafe { core::slice::from_raw_parts_mut(raw.data.cast::<T>(), N) };
        data.try_into().map_err(|_| wrong)
    }
}
macro_rules! view {
    ($expected:literal: $view:ident $mutable:ident { $($v:ident: $t:ty),* }) => {
        impl<'a> View<'a> for $view<'a> {
            fn of(slice: Slice<'a>, layout: Layout) -> Result<Self> {
                match slice.0.dtype {
                    $( <$t>::DTYPE => Ok($view::$v(View::of(slice, layout)?)), )*
                    _ => other(&slice.0, $expected),
                }
            }
        }
        view!(@mutable $expected: $mutable { $($v: $t),* });
    };
    (@mutable $expected:literal: None { $($v:ident: $t:ty),* }) => {};
    (@mutable $expected:literal: $mutable:ident { $($v:ident: $t:ty),* }) => {
        impl<'a> ViewMut<'a> for $mutable<'a> {
            fn of(slice: SliceMut<'a>, layout: Layout) -> Result<Self> {
                match slice.0.dtype {
                    $( <$t>::DTYPE => Ok($mutable::$v(ViewMut::of(slice, layout)?)), )*
                    _ => other(&slice.0, $expected),
                }
            }
        }
    };
}
view!("f32, bf16 or f16, or f64 where the header says so": Floats FloatsMut { F32: f32, Bf16: bf16, F16: f16, F64: f64 });
view!("i32 or i64": Ints IntsMut { I32: i32, I64: i64 });
view!("u8, bool, i32 or i64": Mask None { U8: u8, I32: i32, I64: i64 });

impl<'a> View<'a> for Labels<'a> {
    fn of(slice: Slice<'a>, layout: Layout) -> Result<Self> {
        match slice.0.dtype {
            Dtype::U8 => Ok(Labels::U8(View::of(slice, layout)?)),
            Dtype::I8 => Ok(Labels::I8(View::of(slice, layout)?)),
            _ => other(&slice.0, "u8, bool or i8"),
        }
    }
}

/// A tensor on a device: nothing is read or written here. [`Tensors::check`] has found what shares a byte with another.
#[cfg(feature = "cuda")]
impl<'a> View<'a> for truing_cuda::Tensor {
    fn of(slice: Slice<'a>, layout: Layout) -> Result<Self> {
        slice.0.device(layout)
    }
}
#[cfg(feature = "cuda")]
impl<'a> ViewMut<'a> for truing_cuda::Tensor {
    fn of(slice: SliceMut<'a>, layout: Layout) -> Result<Self> {
        slice.0.device(layout)
    }
}
#[cfg(feature = "cuda")]
impl Raw {
    fn device(&self, layout: Layout) -> Result<truing_cuda::Tensor> {
        debug_assert_ne!(self.place, Place::Cpu);
        Ok(truing_cuda::Tensor { data: self.data.addr() as u64, dtype: self.dtype, layout })
    }
}
impl Input {
    fn view<'a, V: View<'a>>(&self, _: &'a Checked, form: Form<'_>) -> Result<Option<V>> {
        let Some(raw) = self.0 else { return Ok(None) };
        V::of(Slice(raw, PhantomData), raw.layout(form)?).map(Some)
    }
    /// `[N, cols]` or `[B, T, cols]`.
    pub(crate) fn rows<'a, V: View<'a>>(&self, ok: &'a Checked, tokens: &Leading) -> Result<Option<V>> {
        self.view(ok, Form::Rows(tokens))
    }
    /// `[N, cols]` or `[B, T, cols]`, or `[cols]` for all rows.
    pub(crate) fn shared<'a, V: View<'a>>(&self, ok: &'a Checked, tokens: &Leading) -> Result<Option<V>> {
        self.view(ok, Form::Shared(tokens))
    }
    /// `[N]` or `[B, T]`.
    pub(crate) fn tokens<'a, V: View<'a>>(&self, ok: &'a Checked, tokens: &Leading) -> Result<Option<V>> {
        self.view(ok, Form::Tokens(tokens))
    }
    /// `[rows, cols]`.
    pub(crate) fn matrix<'a, V: View<'a>>(&self, ok: &'a Checked) -> Result<Option<V>> {
        self.view(ok, Form::Matrix)
    }
    /// `[n]`, or a single element.
    pub(crate) fn list<'a, V: View<'a>>(&self, ok: &'a Checked) -> Result<Option<V>> {
        self.view(ok, Form::List)
    }
    /// One element.
    pub(crate) fn scalar<'a, V: View<'a>>(&self, ok: &'a Checked) -> Result<Option<V>> {
        self.view(ok, Form::Scalar)
    }
    /// Dimensions; none if the tensor is absent.
    pub(crate) fn dims(&self) -> &[usize] {
        self.0.as_ref().map_or(&[], |raw| &raw.dims[..raw.ndim])
    }
    /// Whether there is a tensor.
    pub(crate) fn is_some(&self) -> bool {
        self.0.is_some()
    }
    /// Element type.
    pub(crate) fn dtype(&self) -> Option<Dtype> {
        self.0.as_ref().map(|raw| raw.dtype)
    }
    /// Refuses another number of dimensions.
    pub(crate) fn ndim(self, least: usize, most: usize, expected: &'static str) -> Result<Input> {
        match &self.0 {
            Some(raw) if raw.ndim < least || raw.ndim > most => raw.wrong(expected),
            _ => Ok(self),
        }
    }
}
impl Output {
    fn view<'a, V: ViewMut<'a>>(self, _: &'a Checked, form: Form<'_>) -> Result<Option<V>> {
        let Some(raw) = self.0 else { return Ok(None) };
        let layout = raw.layout(form)?;
        if layout.cols == 0 && layout.rows() > 0 {
            return raw.wrong("at least one column");
        }
        V::of(SliceMut(raw, PhantomData), layout).map(Some)
    }
    /// `[N, cols]` or `[B, T, cols]`.
    pub(crate) fn rows<'a, V: ViewMut<'a>>(self, ok: &'a Checked, tokens: &Leading) -> Result<Option<V>> {
        self.view(ok, Form::Rows(tokens))
    }
    /// `[N]` or `[B, T]`.
    pub(crate) fn tokens<'a, V: ViewMut<'a>>(self, ok: &'a Checked, tokens: &Leading) -> Result<Option<V>> {
        self.view(ok, Form::Tokens(tokens))
    }
    /// `[N, cols]` or `[B, T, cols]`, or `[cols]` as the one row.
    pub(crate) fn shared<'a, V: ViewMut<'a>>(self, ok: &'a Checked, tokens: &Leading) -> Result<Option<V>> {
        self.view(ok, Form::Shared(tokens))
    }
    /// `[rows, cols]`.
    pub(crate) fn matrix<'a, V: ViewMut<'a>>(self, ok: &'a Checked) -> Result<Option<V>> {
        self.view(ok, Form::Matrix)
    }
    /// `[n]`, or a single element.
    pub(crate) fn list<'a, V: ViewMut<'a>>(self, ok: &'a Checked) -> Result<Option<V>> {
        self.view(ok, Form::List)
    }
    /// One element.
    pub(crate) fn scalar<'a, V: ViewMut<'a>>(self, ok: &'a Checked) -> Result<Option<V>> {
        self.view(ok, Form::Scalar)
    }
    /// N elements without gaps.
    pub(crate) fn array<T: Element, const N: usize>(self, ok: &Checked) -> Result<Option<&mut [T; N]>> {
        self.view(ok, Form::List)
    }
    /// Whether the output is wanted.
    pub(crate) fn is_some(&self) -> bool {
        self.0.is_some()
    }
    /// Dimensions; none if the output is not wanted.
    pub(crate) fn dims(&self) -> &[usize] {
        self.0.as_ref().map_or(&[], |raw| &raw.dims[..raw.ndim])
    }
}

/// The caller's scratch memory.
pub(crate) struct Workspace {
    data: *mut u8,
    bytes: usize,
}
impl Workspace {
    /// The bytes, which hold whatever the caller left there.
    #[expect(clippy::mut_from_ref, reason = "used up by its one view; `Checked` only bounds how long that lives")]
    pub(crate) fn bytes(self, ok: &Checked) -> &mut [u8] {
        if self.bytes == 0 || ok.place != Place::Cpu {
            // SAFETY: no bytes; the address is not NULL and aligned as pieces of a workspace are.
            return unsafe { core::slice::from_raw_parts_mut(core::ptr::without_provenance_mut(WORKSPACE_ALIGN), 0) };
        }
        // SAFETY: `Tensors::workspace` has checked the pointer and its end and `Tensors::check` that nothing else of the
        // call lies there; writable by the contract of `Call::open`; used up by this view.
        unsafe { core::slice::from_raw_parts_mut(self.data, self.bytes) }
    }
    /// The same on a device.
    #[cfg(feature = "cuda")]
    pub(crate) fn space(&self, _: &Checked) -> truing_cuda::Space {
        truing_cuda::Space { data: self.data.addr() as u64, size: self.bytes }
    }
}
