//! From a checked problem to a launch: how arrays are described to kernels, and grids.
use truing_core::matrix::Layout;
use truing_core::{Dtype, Error, Result, Status, Value};

/// An array in device memory, the caller's.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Tensor {
    /// Address on the device.
    pub data: u64,
    /// Element type.
    pub dtype: Dtype,
    /// Where the rows lie.
    pub layout: Layout,
}
impl Tensor {
    /// `rows` x `cols` without gaps.
    pub const fn contiguous(data: u64, dtype: Dtype, rows: usize, cols: usize) -> Tensor {
        Tensor { data, dtype, layout: Layout::contiguous(rows, cols) }
    }
    /// One element a row.
    pub const fn vector(data: u64, dtype: Dtype, rows: usize) -> Tensor {
        Tensor::contiguous(data, dtype, rows, 1)
    }
    /// Shape, one of these types, an address that fits the type.
    pub(crate) fn check(&self, field: &'static str, rows: usize, cols: usize, dtypes: &Dtypes) -> Result<()> {
        self.layout.check(field, rows, cols)?;
        if !dtypes.0.contains(&self.dtype) {
            let expected = Value::Text(dtypes.1);
            return Err(Error::new(Status::UnsupportedDtype, field, Value::Dtype(self.dtype), expected));
        }
        if self.layout.extent().is_none_or(|n| n.checked_mul(self.dtype.size()).is_none()) {
            return Err(Error::shape(field, self.layout.shape(), Value::Text("an array that fits into memory")));
        }
        if rows > 0 && (self.data == 0 || self.data % self.dtype.size() as u64 != 0) {
            let expected = Value::Text("an address that is a multiple of the element's size");
            return Err(Error::invalid(field, Value::Text("another address"), expected));
        }
        Ok(())
    }
    /// [`Tensor::check`], and rows that do not overlap.
    pub(crate) fn check_out(&self, field: &'static str, rows: usize, cols: usize, dtypes: &Dtypes) -> Result<()> {
        self.check(field, rows, cols, dtypes)?;
        if self.layout.ascending() {
            return Ok(());
        }
        Err(Error::shape(field, self.layout.shape(), Value::Text("rows that ascend without overlap")))
    }
    /// First address and the one behind the last.
    pub(crate) fn range(&self) -> (u64, u64) {
        let bytes = self.layout.extent().unwrap_or(0) * self.dtype.size();
        (self.data, self.data.saturating_add(bytes as u64))
    }
}
/// The types a field takes, and how an error names them.
pub(crate) struct Dtypes(pub(crate) &'static [Dtype], pub(crate) &'static str);
pub(crate) const F32: Dtypes = Dtypes(&[Dtype::F32], "f32");
pub(crate) const LOGITS: Dtypes = Dtypes(&[Dtype::F32, Dtype::Bf16, Dtype::F16], "f32, bf16 or f16");
pub(crate) const FLOATS: Dtypes = Dtypes(&[Dtype::F32, Dtype::Bf16, Dtype::F16, Dtype::F64], "f32, bf16, f16 or f64");
/// What is f64 inside.
pub(crate) const WIDE: Dtypes = Dtypes(&[Dtype::F64, Dtype::F32], "f64 or f32");
pub(crate) const IDS: Dtypes = Dtypes(&[Dtype::I32, Dtype::I64], "i32 or i64");
pub(crate) const MASK: Dtypes = Dtypes(&[Dtype::U8, Dtype::I32, Dtype::I64], "u8, i32 or i64");
pub(crate) const I32: Dtypes = Dtypes(&[Dtype::I32], "i32");
pub(crate) const U32: Dtypes = Dtypes(&[Dtype::U32], "u32");
pub(crate) const F64: Dtypes = Dtypes(&[Dtype::F64], "f64");
pub(crate) const I64: Dtypes = Dtypes(&[Dtype::I64], "i64");
pub(crate) const U8: Dtypes = Dtypes(&[Dtype::U8], "u8");

/// `truing_view` of `kernels/dtype.cuh`.
#[repr(C)]
#[derive(Clone, Copy, Debug)]
pub(crate) struct View {
    data: u64,
    inner: i64,
    outer_stride: i64,
    inner_stride: i64,
    dtype: u32,
    reserved: u32,
}
impl View {
    pub(crate) const NONE: View = View { data: 0, inner: 0, outer_stride: 0, inner_stride: 0, dtype: 0, reserved: 0 };
    pub(crate) fn of(x: Option<Tensor>) -> View {
        let Some(Tensor { data, dtype, layout }) = x else { return View::NONE };
        View {
            data,
            inner: if layout.outer == 1 { 0 } else { layout.inner as i64 },
            outer_stride: layout.outer_stride as i64,
            inner_stride: layout.inner_stride as i64,
            dtype: dtype as u32,
            reserved: 0,
        }
    }
    /// A vector as the one row of every row.
    pub(crate) fn shared(x: Tensor) -> View {
        View { inner: 0, inner_stride: 0, ..View::of(Some(x)) }
    }
    /// A vector that may also be one number: its first element for every row then.
    pub(crate) fn each(x: Option<Tensor>) -> View {
        match x {
            Some(x) if x.layout.rows() == 1 => View::shared(x),
            _ => View::of(x),
        }
    }
}

/// Scratch memory on the device, the caller's.
#[derive(Clone, Copy, Debug)]
pub struct Space {
    /// Address on the device, a multiple of 64.
    pub data: u64,
    /// Bytes.
    pub size: usize,
}
impl Space {
    /// None.
    pub const NONE: Space = Space { data: 0, size: 0 };
    pub(crate) fn check(&self, need: usize) -> Result<()> {
        if self.size < need {
            let (got, expected) = (Value::Size(self.size), Value::Size(need));
            return Err(Error::new(Status::WorkspaceTooSmall, "workspace_size", got, expected));
        }
        if need > 0 && (self.data == 0 || self.data % 64 != 0) {
            let (got, expected) = (Value::Text("an unaligned pointer"), Value::Text("64-byte alignment"));
            return Err(Error::invalid("workspace", got, expected));
        }
        Ok(())
    }
}
/// Blocks of `threads` threads, one thread for each of `n`.
pub(crate) fn cover(field: &'static str, n: usize, threads: usize) -> Result<u32> {
    let blocks = n.div_ceil(threads);
    if blocks <= i32::MAX as usize {
        return Ok(blocks as u32);
    }
    Err(Error::shape(field, Value::Size(n), Value::Text("rows that one launch can hold")))
}
