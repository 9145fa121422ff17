//! What is wrong with a call: which field, what it holds, what it should hold.
use crate::dtype::Dtype;
use core::fmt;

/// Kind of a failure; the numbers are those of the C ABI (`TRUING_STATUS_*`, 0 is success).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(i32)]
pub enum Status {
    /// A value outside its legal range, an unknown flag or enum, a combination that makes no sense.
    InvalidArgument = 1,
    /// Shapes, strides or lengths that do not fit each other.
    ShapeMismatch = 2,
    /// An element type that this operation does not take here.
    UnsupportedDtype = 3,
    /// A device that this operation does not run on, or two different ones.
    UnsupportedDevice = 4,
    /// A token id, index or offset outside its range.
    OutOfRange = 5,
    /// An output that overlaps another tensor where that is not allowed.
    Aliasing = 6,
    /// The caller's workspace is smaller than the minimum.
    WorkspaceTooSmall = 7,
    /// No driver or no such device.
    NoDevice = 8,
    /// The device refused a launch.
    LaunchFailed = 9,
    /// `struct_size` is older than version 1, or the unknown tail of a newer struct is not zero.
    AbiMismatch = 10,
    /// A bug of the library, caught at its boundary.
    Internal = 11,
}

/// One side of the comparison that an [`Error`] reports.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Value {
    /// Words.
    Text(&'static str),
    /// A whole number.
    Int(i64),
    /// A number of bytes, elements or rows.
    Size(usize),
    /// A real number.
    Float(f64),
    /// An element type.
    Dtype(Dtype),
    /// The first `.1` dimensions of a shape.
    Shape([i64; 3], usize),
    /// A value and the index where it stands.
    At {
        /// The value.
        value: i64,
        /// Its position.
        index: usize,
    },
    /// `[min, max)`, whole numbers.
    Below(i64, i64),
    /// A real interval; the flag of a side says that the bound itself is excluded.
    Range {
        /// Lower bound.
        min: f64,
        /// Upper bound.
        max: f64,
        /// The lower bound itself is illegal.
        min_open: bool,
        /// The upper bound itself is illegal.
        max_open: bool,
    },
}

/// A refused call. Nothing has been written when one is returned.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Error {
    /// What kind of failure.
    pub status: Status,
    /// The argument, by the name it has in the C header and in Python (`rows.target`).
    pub field: &'static str,
    /// What it holds.
    pub got: Value,
    /// What it should hold.
    pub expected: Value,
}

/// Result of every checked call.
pub type Result<T, E = Error> = core::result::Result<T, E>;

impl Error {
    /// An error of the given kind.
    pub const fn new(status: Status, field: &'static str, got: Value, expected: Value) -> Error {
        Error { status, field, got, expected }
    }
    /// [`Status::InvalidArgument`].
    pub const fn invalid(field: &'static str, got: Value, expected: Value) -> Error {
        Error::new(Status::InvalidArgument, field, got, expected)
    }
    /// [`Status::ShapeMismatch`].
    pub const fn shape(field: &'static str, got: Value, expected: Value) -> Error {
        Error::new(Status::ShapeMismatch, field, got, expected)
    }
}

impl fmt::Display for Value {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match *self {
            Value::Text(t) => f.write_str(t),
            Value::Int(v) => write!(f, "{v}"),
            Value::Size(v) => write!(f, "{v}"),
            Value::Float(v) => write!(f, "{v}"),
            Value::Dtype(d) => write!(f, "{d}"),
            Value::Shape(dims, n) => {
                f.write_str("[")?;
                for (k, d) in dims[..n].iter().enumerate() {
                    write!(f, "{}{d}", if k > 0 { ", " } else { "" })?;
                }
                f.write_str("]")
            }
            Value::At { value, index } => write!(f, "{value} at index {index}"),
            Value::Below(min, max) => write!(f, "{min} <= value < {max}"),
            Value::Range { min, max, min_open, max_open } => {
                write!(
                    f,
                    "a value in {}{min}, {max}{}",
                    if min_open { '(' } else { '[' },
                    if max_open { ')' } else { ']' }
                )
            }
        }
    }
}
impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: got {}, expected {}", self.field, self.got, self.expected)
    }
}
impl core::error::Error for Error {}

/// Row status: bits of an optional u32 per row, sequence, pair, group or list. A row's bits are or-ed into its
/// sequence and pair; counters count each bit. Specified once, for every operation of the library.
pub mod row {
    /// Masked or ignored, not read.
    pub const IGNORED: u32 = 1 << 0;
    /// NaN in a live value.
    pub const NAN_INPUT: u32 = 1 << 1;
    /// `+inf` in a live logit, or infinities that leave the result undefined.
    pub const INF_INPUT: u32 = 1 << 2;
    /// The live target has probability 0.
    pub const TARGET_NEG_INF: u32 = 1 << 3;
    /// No live column.
    pub const ALL_NEG_INF: u32 = 1 << 4;
    /// An id outside its range, in places where no error could be returned.
    pub const OUT_OF_RANGE: u32 = 1 << 5;
    /// The target is not in the sampling support.
    pub const TARGET_OUTSIDE: u32 = 1 << 6;
    /// No live token, sample or element.
    pub const EMPTY: u32 = 1 << 7;
    /// Finite inputs, result beyond the output type.
    pub const OVERFLOW: u32 = 1 << 8;
    /// A documented clamp has acted.
    pub const SATURATED: u32 = 1 << 9;
    /// The exact value is infinite on these inputs.
    pub const INFINITE: u32 = 1 << 10;
    /// An undefined direction, ratio or statistic; the documented fallback was used.
    pub const DEGENERATE: u32 = 1 << 11;
    /// `mix_logits`: only a negatively weighted term was `-inf`.
    pub const NEG_INF_CANCEL: u32 = 1 << 12;
    /// Number of counters, one per bit.
    pub const BITS: usize = 32;
}
