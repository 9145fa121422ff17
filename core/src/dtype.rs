//! Element types.
use core::fmt;
pub use half::{bf16, f16};

/// Element type of a matrix.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[allow(missing_docs)]
pub enum Dtype {
    F32,
    F64,
    Bf16,
    F16,
    I8,
    U8,
    I32,
    U32,
    I64,
}
impl Dtype {
    /// Bytes of one element.
    pub const fn size(self) -> usize {
        match self {
            Dtype::I8 | Dtype::U8 => 1,
            Dtype::Bf16 | Dtype::F16 => 2,
            Dtype::F32 | Dtype::I32 | Dtype::U32 => 4,
            Dtype::F64 | Dtype::I64 => 8,
        }
    }
    /// The name used in messages and in Python.
    pub const fn name(self) -> &'static str {
        match self {
            Dtype::F32 => "f32",
            Dtype::F64 => "f64",
            Dtype::Bf16 => "bf16",
            Dtype::F16 => "f16",
            Dtype::I8 => "i8",
            Dtype::U8 => "u8",
            Dtype::I32 => "i32",
            Dtype::U32 => "u32",
            Dtype::I64 => "i64",
        }
    }
}
impl fmt::Display for Dtype {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// A type that a matrix can hold.
pub trait Element: bytemuck::Pod + Default + fmt::Debug + Send + Sync {
    /// Its tag.
    const DTYPE: Dtype;
}
macro_rules! element {
    ($($t:ty: $d:ident),*) => {$( impl Element for $t { const DTYPE: Dtype = Dtype::$d; } )*};
}
element!(f32: F32, f64: F64, bf16: Bf16, f16: F16, i8: I8, u8: U8, i32: I32, u32: U32, i64: I64);

/// A stored real number. Widening is exact (except f64 to f32), narrowing rounds once to nearest even and makes one
/// canonical NaN of every NaN.
pub trait Float: Element + PartialOrd {
    /// Minus infinity.
    const NEG_INF: Self;
    /// The value as f32; f64 rounds.
    fn to_f32(self) -> f32;
    /// The value as f64.
    fn to_f64(self) -> f64;
    /// Nearest value.
    fn from_f32(x: f32) -> Self;
    /// Nearest value, rounded once.
    fn from_f64(x: f64) -> Self;
}
macro_rules! float {
    ($($t:ty: $nan:expr, |$x:ident| $to32:expr, $to64:expr, |$y:ident| $from32:expr, $from64:expr;)*) => {$(
        impl Float for $t {
            const NEG_INF: Self = <$t>::NEG_INFINITY;
            #[inline(always)]
            fn to_f32(self) -> f32 { let $x = self; $to32 }
            #[inline(always)]
            fn to_f64(self) -> f64 { let $x = self; $to64 }
            #[inline(always)]
            fn from_f32($y: f32) -> Self { if $y.is_nan() { $nan } else { $from32 } }
            #[inline(always)]
            fn from_f64($y: f64) -> Self { if $y.is_nan() { $nan } else { $from64 } }
        }
    )*};
}
float! {
    f32: f32::NAN, |x| x, x as f64, |y| y, y as f32;
    f64: f64::NAN, |x| x as f32, x, |y| y as f64, y;
    bf16: bf16::from_bits(0x7fc0), |x| x.to_f32(), x.to_f64(), |y| bf16::from_f32(y), bf16::from_f64(y);
    f16: f16::from_bits(0x7e00), |x| x.to_f32(), x.to_f64(), |y| f16::from_f32(y), f16::from_f64(y);
}
