//! Matrices as borrowed slices: where row i lies, checked once, and views of any element type.
//!
//! A per-row vector (`[N]` or `[B, T]`) is a matrix with one column.
use crate::dtype::{Dtype, Element, bf16, f16};
use crate::error::{Error, Result, Value};

/// Row `i` starts at `(i / inner) * outer_stride + (i % inner) * inner_stride` and holds `cols` neighbours.
/// Two strides serve `[B, T, V]` tensors whose leading dimensions do not collapse, such as the first T of T + 1 rows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Layout {
    /// Number of groups (B).
    pub outer: usize,
    /// Rows of a group (T).
    pub inner: usize,
    /// Elements from group to group; 0 repeats the group (inputs only).
    pub outer_stride: usize,
    /// Elements from row to row of a group; 0 repeats the row (inputs only).
    pub inner_stride: usize,
    /// Elements of a row.
    pub cols: usize,
}
impl Layout {
    /// `rows` rows without gaps.
    pub const fn contiguous(rows: usize, cols: usize) -> Layout {
        Layout::strided(rows, cols, cols)
    }
    /// `rows` rows, `stride` elements apart.
    pub const fn strided(rows: usize, cols: usize, stride: usize) -> Layout {
        Layout { outer: 1, inner: rows, outer_stride: 0, inner_stride: stride, cols }
    }
    /// `[b, t, cols]` with the given strides.
    pub const fn batched(b: usize, t: usize, cols: usize, outer_stride: usize, inner_stride: usize) -> Layout {
        Layout { outer: b, inner: t, outer_stride, inner_stride, cols }
    }
    /// Number of rows.
    pub const fn rows(&self) -> usize {
        self.outer * self.inner
    }
    /// First element of row `i`.
    #[inline(always)]
    pub const fn offset(&self, i: usize) -> usize {
        if self.outer == 1 {
            return i * self.inner_stride;
        }
        (i / self.inner) * self.outer_stride + (i % self.inner) * self.inner_stride
    }
    /// Elements from the first to behind the last; `None` beyond `isize::MAX`.
    pub fn extent(&self) -> Option<usize> {
        let rows = self.outer.checked_mul(self.inner)?;
        if rows == 0 || self.cols == 0 {
            return Some(0);
        }
        let n = (self.outer - 1)
            .checked_mul(self.outer_stride)?
            .checked_add((self.inner - 1).checked_mul(self.inner_stride)?)?
            .checked_add(self.cols)?;
        (n <= isize::MAX as usize).then_some(n)
    }
    /// Rows follow each other without overlap, as an output's must.
    pub fn ascending(&self) -> bool {
        let group = self.inner.saturating_sub(1).saturating_mul(self.inner_stride).saturating_add(self.cols);
        (self.inner <= 1 || self.inner_stride >= self.cols) && (self.outer <= 1 || self.outer_stride >= group)
    }
    /// `[rows, cols]`, for messages.
    pub fn shape(&self) -> Value {
        if self.outer == 1 {
            Value::Shape([self.inner as i64, self.cols as i64, 0], 2)
        } else {
            Value::Shape([self.outer as i64, self.inner as i64, self.cols as i64], 3)
        }
    }
    /// Refuses any other shape than `[rows, cols]`.
    pub fn check(&self, field: &'static str, rows: usize, cols: usize) -> Result<()> {
        if self.rows() == rows && self.cols == cols {
            return Ok(());
        }
        // Vectors are shown as the caller wrote them, without the column of 1.
        let vector = usize::from(self.cols == 1 && cols == 1);
        let got = match self.shape() {
            Value::Shape(dims, n) => Value::Shape(dims, n - vector),
            other => other,
        };
        Err(Error::shape(field, got, Value::Shape([rows as i64, cols as i64, 0], 2 - vector)))
    }
}

/// A borrowed matrix.
#[derive(Clone, Copy, Debug)]
pub struct Matrix<'a, T> {
    data: &'a [T],
    layout: Layout,
}
impl<'a, T: Element> Matrix<'a, T> {
    /// Checks that `layout` stays inside `data`.
    pub fn new(data: &'a [T], layout: Layout) -> Result<Self> {
        match layout.extent() {
            Some(n) if n <= data.len() => Ok(Matrix { data, layout }),
            n => Err(Error::shape("data", Value::Size(data.len()), Value::Size(n.unwrap_or(usize::MAX)))),
        }
    }
    /// A vector: one element a row.
    pub fn vector(data: &'a [T]) -> Self {
        Matrix { data, layout: Layout::contiguous(data.len(), 1) }
    }
    /// `rows` x `cols` without gaps.
    pub fn contiguous(data: &'a [T], rows: usize, cols: usize) -> Result<Self> {
        Matrix::new(data, Layout::contiguous(rows, cols))
    }
    /// Where the rows lie.
    pub fn layout(&self) -> Layout {
        self.layout
    }
    /// Number of rows.
    pub fn rows(&self) -> usize {
        self.layout.rows()
    }
    /// Elements of a row.
    pub fn cols(&self) -> usize {
        self.layout.cols
    }
    /// Row `i`.
    #[inline(always)]
    pub fn row(&self, i: usize) -> &'a [T] {
        &self.data[self.layout.offset(i)..][..self.layout.cols]
    }
    /// First element of row `i`.
    #[inline(always)]
    pub fn get(&self, i: usize) -> T {
        self.data[self.layout.offset(i)]
    }
    /// The slice that the layout indexes.
    pub fn data(&self) -> &'a [T] {
        self.data
    }
}

/// A borrowed matrix to write to; its rows ascend without overlap, so that it can be cut between rows.
#[derive(Debug)]
pub struct MatrixMut<'a, T> {
    data: &'a mut [T],
    layout: Layout,
    first: usize,
    rows: usize,
}
impl<'a, T: Element> MatrixMut<'a, T> {
    /// Checks that `layout` stays inside `data` and that rows do not overlap.
    pub fn new(data: &'a mut [T], layout: Layout) -> Result<Self> {
        let n = layout.extent();
        if n.is_none_or(|n| n > data.len()) {
            return Err(Error::shape("data", Value::Size(data.len()), Value::Size(n.unwrap_or(usize::MAX))));
        }
        if !layout.ascending() {
            return Err(Error::shape("strides", layout.shape(), Value::Text("rows that ascend without overlap")));
        }
        Ok(MatrixMut { data, first: 0, rows: layout.rows(), layout })
    }
    /// A vector: one element a row.
    pub fn vector(data: &'a mut [T]) -> Self {
        let layout = Layout::contiguous(data.len(), 1);
        MatrixMut { data, first: 0, rows: layout.rows(), layout }
    }
    /// `rows` x `cols` without gaps.
    pub fn contiguous(data: &'a mut [T], rows: usize, cols: usize) -> Result<Self> {
        MatrixMut::new(data, Layout::contiguous(rows, cols))
    }
    /// Where the rows of the uncut matrix lie.
    pub fn layout(&self) -> Layout {
        self.layout
    }
    /// Number of rows of this piece.
    pub fn rows(&self) -> usize {
        self.rows
    }
    /// Elements of a row.
    pub fn cols(&self) -> usize {
        self.layout.cols
    }
    #[inline(always)]
    fn at(&self, i: usize) -> usize {
        self.layout.offset(self.first + i) - self.layout.offset(self.first)
    }
    /// Row `i` of this piece.
    #[inline(always)]
    pub fn row(&self, i: usize) -> &[T] {
        debug_assert!(i < self.rows);
        &self.data[self.at(i)..][..self.layout.cols]
    }
    /// Row `i` of this piece, to write to.
    #[inline(always)]
    pub fn row_mut(&mut self, i: usize) -> &mut [T] {
        debug_assert!(i < self.rows);
        let at = self.at(i);
        &mut self.data[at..][..self.layout.cols]
    }
    /// Writes the first element of row `i`.
    #[inline(always)]
    pub fn set(&mut self, i: usize, x: T) {
        let at = self.at(i);
        self.data[at] = x;
    }
    /// What the rows of this piece lie in; row 0 starts at its beginning.
    pub fn data_mut(&mut self) -> &mut [T] {
        self.data
    }
    /// A shorter borrow.
    pub fn reborrow(&mut self) -> MatrixMut<'_, T> {
        MatrixMut { data: self.data, layout: self.layout, first: self.first, rows: self.rows }
    }
    /// Reads it.
    pub fn get(&self, i: usize) -> T {
        self.data[self.at(i)]
    }
    /// Of a piece of one row the columns below `column` and the others.
    pub fn cut(self, column: usize) -> (Self, Self) {
        assert!(self.rows == 1, "a row");
        let (a, b) = self.data[..self.layout.cols].split_at_mut(column);
        let [x, y] = [a.len(), b.len()].map(|n| Layout::contiguous(1, n));
        (MatrixMut { data: a, layout: x, first: 0, rows: 1 }, MatrixMut { data: b, layout: y, first: 0, rows: 1 })
    }
    /// The same matrix to read; not of a piece of one.
    pub fn view(&self) -> Matrix<'_, T> {
        assert!(self.first == 0 && self.rows == self.layout.rows(), "a piece of a matrix");
        Matrix { data: self.data, layout: self.layout }
    }
}

/// Something that can be cut between rows, so that threads write disjoint pieces.
pub trait Split: Sized {
    /// `[0, row)` and `[row, ..)`.
    fn split(self, row: usize) -> (Self, Self);
}
impl<T: Element> Split for MatrixMut<'_, T> {
    fn split(self, row: usize) -> (Self, Self) {
        let row = row.min(self.rows);
        let at = if row < self.rows { self.at(row) } else { self.data.len() };
        let (a, b) = self.data.split_at_mut(at);
        (
            MatrixMut { data: a, layout: self.layout, first: self.first, rows: row },
            MatrixMut { data: b, layout: self.layout, first: self.first + row, rows: self.rows - row },
        )
    }
}
impl<T: Split> Split for Option<T> {
    fn split(self, row: usize) -> (Self, Self) {
        match self {
            Some(x) => {
                let (a, b) = x.split(row);
                (Some(a), Some(b))
            }
            None => (None, None),
        }
    }
}
impl Split for () {
    fn split(self, _: usize) -> ((), ()) {
        ((), ())
    }
}
impl<A: Split, B: Split> Split for (A, B) {
    fn split(self, row: usize) -> (Self, Self) {
        let ((a0, a1), (b0, b1)) = (self.0.split(row), self.1.split(row));
        ((a0, b0), (a1, b1))
    }
}

macro_rules! any {
    ($(#[$doc:meta])* $name:ident $mutable:ident { $($v:ident: $t:ty),* }) => {
        $(#[$doc])*
        #[derive(Clone, Copy, Debug)]
        #[allow(missing_docs)]
        pub enum $name<'a> { $($v(Matrix<'a, $t>)),* }
        impl $name<'_> {
            /// Element type.
            pub fn dtype(&self) -> Dtype { match self { $(Self::$v(_) => <$t>::DTYPE),* } }
            /// Where the rows lie.
            pub fn layout(&self) -> Layout { match self { $(Self::$v(m) => m.layout()),* } }
            /// Number of rows.
            pub fn rows(&self) -> usize { self.layout().rows() }
            /// Elements of a row.
            pub fn cols(&self) -> usize { self.layout().cols }
        }
        $( impl<'a> From<Matrix<'a, $t>> for $name<'a> { fn from(m: Matrix<'a, $t>) -> Self { $name::$v(m) } } )*
        /// The same, to write to.
        #[derive(Debug)]
        #[allow(missing_docs)]
        pub enum $mutable<'a> { $($v(MatrixMut<'a, $t>)),* }
        impl<'a> $mutable<'a> {
            /// Element type.
            pub fn dtype(&self) -> Dtype { match self { $(Self::$v(_) => <$t>::DTYPE),* } }
            /// Where the rows lie.
            pub fn layout(&self) -> Layout { match self { $(Self::$v(m) => m.layout()),* } }
            /// A shorter borrow.
            pub fn reborrow(&mut self) -> $mutable<'_> { match self { $(Self::$v(m) => $mutable::$v(m.reborrow())),* } }
            /// The same matrix to read; not of a piece of one.
            pub fn view(&self) -> $name<'_> { match self { $(Self::$v(m) => $name::$v(m.view())),* } }
        }
        impl Split for $mutable<'_> {
            fn split(self, row: usize) -> (Self, Self) {
                match self { $(Self::$v(m) => { let (a, b) = m.split(row); (Self::$v(a), Self::$v(b)) })* }
            }
        }
        $( impl<'a> From<MatrixMut<'a, $t>> for $mutable<'a> { fn from(m: MatrixMut<'a, $t>) -> Self { $mutable::$v(m) } } )*
    };
}
any! {
    /// Real numbers of any stored type.
    Floats FloatsMut { F32: f32, Bf16: bf16, F16: f16, F64: f64 }
}
any! {
    /// Token ids, sequence indices or offsets.
    Ints IntsMut { I32: i32, I64: i64 }
}
any! {
    /// Row masks: live where not 0.
    Mask MaskMut { U8: u8, I32: i32, I64: i64 }
}
impl Floats<'_> {
    /// First element of row `i`, widened.
    #[inline(always)]
    pub fn get(&self, i: usize) -> f64 {
        match self {
            Floats::F32(m) => m.get(i) as f64,
            Floats::Bf16(m) => m.get(i).to_f64(),
            Floats::F16(m) => m.get(i).to_f64(),
            Floats::F64(m) => m.get(i),
        }
    }
    /// Element `j` of row `i`, widened.
    #[inline(always)]
    pub fn at(&self, i: usize, j: usize) -> f64 {
        match self {
            Floats::F32(m) => m.row(i)[j] as f64,
            Floats::Bf16(m) => m.row(i)[j].to_f64(),
            Floats::F16(m) => m.row(i)[j].to_f64(),
            Floats::F64(m) => m.row(i)[j],
        }
    }
}
impl FloatsMut<'_> {
    /// Writes element `j` of row `i`, rounded once.
    #[inline(always)]
    pub fn put(&mut self, i: usize, j: usize, x: f64) {
        use crate::dtype::Float;
        match self {
            FloatsMut::F32(m) => m.row_mut(i)[j] = f32::from_f64(x),
            FloatsMut::Bf16(m) => m.row_mut(i)[j] = bf16::from_f64(x),
            FloatsMut::F16(m) => m.row_mut(i)[j] = f16::from_f64(x),
            FloatsMut::F64(m) => m.row_mut(i)[j] = x,
        }
    }
    /// Writes the first element of row `i`, rounded once.
    #[inline(always)]
    pub fn set(&mut self, i: usize, x: f64) {
        use crate::dtype::Float;
        match self {
            FloatsMut::F32(m) => m.set(i, f32::from_f64(x)),
            FloatsMut::Bf16(m) => m.set(i, bf16::from_f64(x)),
            FloatsMut::F16(m) => m.set(i, f16::from_f64(x)),
            FloatsMut::F64(m) => m.set(i, x),
        }
    }
    /// Adds to the first element of row `i`, the sum rounded once.
    #[inline(always)]
    pub fn add(&mut self, i: usize, x: f64) {
        let held = match self {
            FloatsMut::F32(m) => m.get(i) as f64,
            FloatsMut::Bf16(m) => m.get(i).to_f64(),
            FloatsMut::F16(m) => m.get(i).to_f64(),
            FloatsMut::F64(m) => m.get(i),
        };
        self.set(i, held + x);
    }
}
impl Ints<'_> {
    /// First element of row `i`.
    #[inline(always)]
    pub fn get(&self, i: usize) -> i64 {
        match self {
            Ints::I32(m) => m.get(i) as i64,
            Ints::I64(m) => m.get(i),
        }
    }
}
impl Mask<'_> {
    /// Whether row `i` is live.
    #[inline(always)]
    pub fn live(&self, i: usize) -> bool {
        match self {
            Mask::U8(m) => m.get(i) != 0,
            Mask::I32(m) => m.get(i) != 0,
            Mask::I64(m) => m.get(i) != 0,
        }
    }
}

/// Bytes of workspace (64-byte aligned) that a call takes; every size from the minimum on gives the same bits.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Workspace {
    /// With less the call is refused.
    pub minimum: usize,
    /// What makes it fast; more helps only where still more logits can be kept (`linear_preference`).
    pub preferred: usize,
}

/// Cuts typed pieces off the caller's workspace.
#[derive(Debug)]
pub struct Arena<'a>(&'a mut [u8]);
impl<'a> Arena<'a> {
    /// Alignment of every piece, and what the workspace itself must have.
    pub const ALIGN: usize = 64;
    /// Takes over the caller's bytes.
    pub fn new(bytes: &'a mut [u8]) -> Self {
        Arena(bytes)
    }
    /// Bytes that [`Arena::take`] uses up for `n` elements; the largest multiple of [`Arena::ALIGN`], which no memory
    /// has, where that overflows.
    pub const fn need<T>(n: usize) -> usize {
        match n.checked_mul(size_of::<T>()) {
            Some(bytes) => match bytes.checked_next_multiple_of(Self::ALIGN) {
                Some(bytes) => bytes,
                None => usize::MAX / Self::ALIGN * Self::ALIGN,
            },
            None => usize::MAX / Self::ALIGN * Self::ALIGN,
        }
    }
    /// The sum of such needs, as large as a number gets where it overflows.
    pub fn sum<const N: usize>(needs: [usize; N]) -> usize {
        needs.into_iter().fold(0, |a, b| a.saturating_add(b) / Self::ALIGN * Self::ALIGN)
    }
    /// Bytes left.
    pub fn left(&self) -> usize {
        self.0.len()
    }
    /// The next `n` elements; their contents are whatever the caller's memory held.
    pub fn take<T: bytemuck::Pod>(&mut self, n: usize) -> Result<&'a mut [T]> {
        let (need, have) = (Self::need::<T>(n), self.0.len());
        let short =
            Error::new(crate::Status::WorkspaceTooSmall, "workspace_size", Value::Size(have), Value::Size(need));
        if need > have {
            return Err(short);
        }
        let (a, b) = core::mem::take(&mut self.0).split_at_mut(need);
        self.0 = b;
        bytemuck::try_cast_slice_mut(&mut a[..n * size_of::<T>()]).map_err(|_| {
            Error::invalid("workspace", Value::Text("an unaligned pointer"), Value::Text("64-byte alignment"))
        })
    }
}
