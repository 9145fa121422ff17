//! Fixed-width vectors as [`Real`], and the one place where an instruction set is chosen.
//!
//! A kernel is an `#[inline(always)] fn` generic over `S: Simd`, called through [`on_isa!`](crate::on_isa). No closures
//! and no iterator or array combinators over lane values: they are functions of their own, do not inherit the
//! instruction set, and cost 30 times. Only sets with hardware fma run lanes; all others run the scalar path, which
//! gives the same bits (an inlined emulated fma made one build pass ten minutes).
use core::marker::PhantomData;
use core::ops::{Add, Div, Mul, Neg, Sub};
use fearless_simd::{f32x16, f64x8, prelude::*, u32x16, u64x8};
use truing_core::real::{F32, F64, Format, Real};
use truing_core::record::Constant;

/// The SIMD crate whose vectors kernels are written over.
pub use fearless_simd as simd;

/// An instruction set that kernels are compiled for. None of them changes a result.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Isa {
    /// One value at a time: every machine.
    Scalar,
    /// x86-64 with AVX2 and fma.
    Avx2,
    /// The same with the AVX-512 foundation (Skylake-X, Cascade Lake): products use it, rows run the lanes of `Avx2`,
    /// because the SIMD crate has no smaller set than the next.
    Avx512F,
    /// x86-64 with the AVX-512 of Ice Lake and later.
    Avx512,
    /// The same with bf16 dot products.
    Avx512Bf16,
    /// 64-bit ARM.
    Neon,
}
impl Isa {
    /// Every instruction set, in ascending order.
    pub const ALL: [Isa; 6] = [Isa::Scalar, Isa::Avx2, Isa::Avx512F, Isa::Avx512, Isa::Avx512Bf16, Isa::Neon];

    /// The best that this machine runs.
    pub fn detect() -> Isa {
        #[cfg(target_arch = "x86_64")]
        {
            let level = simd::Level::new();
            if level.as_avx512().is_some() {
                let bf16 = std::arch::is_x86_feature_detected!("avx512bf16");
                return if bf16 { Isa::Avx512Bf16 } else { Isa::Avx512 };
            }
            if level.as_avx2().is_some() {
                return if std::arch::is_x86_feature_detected!("avx512f") { Isa::Avx512F } else { Isa::Avx2 };
            }
        }
        #[cfg(target_arch = "aarch64")]
        if simd::Level::new().as_neon().is_some() {
            return Isa::Neon;
        }
        Isa::Scalar
    }
    /// The best up to `cap`; a cap of another architecture leaves the scalar path.
    pub fn cap(self, cap: Isa) -> Isa {
        if (self == Isa::Neon) != (cap == Isa::Neon) {
            return Isa::Scalar;
        }
        if self <= cap { self } else { cap }
    }
    /// All that this machine runs, `Scalar` first.
    pub fn available() -> impl Iterator<Item = Isa> {
        let best = Isa::detect();
        Isa::ALL.into_iter().filter(move |&isa| best.cap(isa) == isa)
    }
    /// The word in tables and options.
    pub const fn name(self) -> &'static str {
        match self {
            Isa::Scalar => "scalar",
            Isa::Avx2 => "avx2",
            Isa::Avx512F => "avx512f",
            Isa::Avx512 => "avx512",
            Isa::Avx512Bf16 => "avx512bf16",
            Isa::Neon => "neon",
        }
    }
}

/// Proof that the machine has an instruction set; what [`on_isa!`](crate::on_isa) matches on.
#[doc(hidden)]
#[derive(Clone, Copy, Debug)]
#[allow(missing_docs)]
pub enum Token {
    None,
    #[cfg(target_arch = "x86_64")]
    Avx2(simd::x86::Avx2),
    #[cfg(target_arch = "x86_64")]
    Avx512(simd::x86::Avx512),
    #[cfg(target_arch = "aarch64")]
    Neon(simd::aarch64::Neon),
}
impl Token {
    /// `None` also where the machine lacks what is asked for: the scalar path gives the same bits.
    #[doc(hidden)]
    #[inline]
    pub fn of(isa: Isa) -> Token {
        #[cfg(target_arch = "x86_64")]
        {
            let level = simd::Level::new();
            if isa == Isa::Avx512 || isa == Isa::Avx512Bf16 {
                return level.as_avx512().map_or(Token::None, Token::Avx512);
            }
            if isa == Isa::Avx2 || isa == Isa::Avx512F {
                return level.as_avx2().map_or(Token::None, Token::Avx2);
            }
        }
        #[cfg(target_arch = "aarch64")]
        if isa == Isa::Neon {
            return simd::Level::new().as_neon().map_or(Token::None, Token::Neon);
        }
        let _ = isa;
        Token::None
    }
}

/// Runs a body over the lanes of an instruction set, or another one value by value:
/// `on_isa!(isa, s => kernel(s, x), kernel_scalar(x))`. `s` is the SIMD token; both bodies have one type.
#[macro_export]
macro_rules! on_isa {
    ($isa:expr, $s:ident => $lanes:expr, $scalar:expr) => {
        match $crate::lanes::Token::of($isa) {
            #[cfg(target_arch = "x86_64")]
            $crate::lanes::Token::Avx512($s) => $crate::lanes::simd::Simd::vectorize(
                $s,
                #[inline(always)]
                || $lanes,
            ),
            #[cfg(target_arch = "x86_64")]
            $crate::lanes::Token::Avx2($s) => $crate::lanes::simd::Simd::vectorize(
                $s,
                #[inline(always)]
                || $lanes,
            ),
            #[cfg(target_arch = "aarch64")]
            $crate::lanes::Token::Neon($s) => $crate::lanes::simd::Simd::vectorize(
                $s,
                #[inline(always)]
                || $lanes,
            ),
            $crate::lanes::Token::None => $scalar,
        }
    };
}

/// A vector of the SIMD crate as [`Real`].
#[derive(Clone, Copy, Debug)]
pub struct Lanes<S, V>(pub V, PhantomData<S>);
/// 16 x f32.
pub type L32<S> = Lanes<S, f32x16<S>>;
/// 8 x f64.
pub type L64<S> = Lanes<S, f64x8<S>>;

impl<S: Simd, V: SimdFloat<S>> Lanes<S, V> {
    /// Wraps a vector.
    #[inline(always)]
    pub fn new(v: V) -> Self {
        Lanes(v, PhantomData)
    }
}

impl<S: Simd> Constant<L32<S>> for L32<S> {
    #[inline(always)]
    fn of(self, _: L32<S>) -> L32<S> {
        self
    }
}

macro_rules! binary {
    ($($tr:ident $f:ident),*) => {$(
        impl<S: Simd, V: SimdFloat<S>> $tr for Lanes<S, V> {
            type Output = Self;
            #[inline(always)]
            fn $f(self, b: Self) -> Self {
                Self::new($tr::$f(self.0, b.0))
            }
        }
    )*};
}
binary!(Add add, Sub sub, Mul mul, Div div);
impl<S: Simd, V: SimdFloat<S>> Neg for Lanes<S, V> {
    type Output = Self;
    #[inline(always)]
    fn neg(self) -> Self {
        Self::new(-self.0)
    }
}

macro_rules! lanes {
    ($v:ident, $u:ident, $t:ident, $n:literal, $format:ident, $p:literal, $bias:literal, $sqrt_half:literal) => {
        impl<S: Simd> Lanes<S, $v<S>> {
            /// Every lane `x`.
            #[inline(always)]
            pub fn splat(s: S, x: $t) -> Self {
                Self::new($v::splat(s, x))
            }
            /// The elements from `at` on; `fill` beyond the end.
            #[inline(always)]
            pub fn load(s: S, x: &[$t], at: usize, fill: $t) -> Self {
                if let Some(full) = x.get(at..at + $n) {
                    return Self::new($v::from_slice(s, full));
                }
                let mut block = [fill; $n];
                block[..x.len() - at].copy_from_slice(&x[at..]);
                Self::new($v::from_slice(s, &block))
            }
            /// Writes the lanes from `at` on, none beyond the end.
            #[inline(always)]
            pub fn store(self, out: &mut [$t], at: usize) {
                if let Some(full) = out.get_mut(at..at + $n) {
                    return self.0.store_slice(full);
                }
                let n = out.len() - at;
                out[at..].copy_from_slice(&<[$t; $n]>::from(self.0)[..n]);
            }
        }
        impl<S: Simd> Real for Lanes<S, $v<S>> {
            const FORMAT: &'static Format = &$format;
            #[inline(always)]
            fn lit(self, v: f64) -> Self {
                Self::splat(self.0.token(), v as $t)
            }
            #[inline(always)]
            fn fma(self, b: Self, c: Self) -> Self {
                Self::new(self.0.mul_add_precise(b.0, c.0))
            }
            #[inline(always)]
            fn abs(self) -> Self {
                Self::new(self.0.abs())
            }
            #[inline(always)]
            fn select_lt(self, b: Self, yes: Self, no: Self) -> Self {
                Self::new(self.0.simd_lt(b.0).select(yes.0, no.0))
            }
            #[inline(always)]
            fn select_le(self, b: Self, yes: Self, no: Self) -> Self {
                Self::new(self.0.simd_le(b.0).select(yes.0, no.0))
            }
            #[inline(always)]
            fn exp2i(self) -> Self {
                let n: $u<S> = (self.0 + ((1u64 << $p) + $bias) as $t).bitcast();
                Self::new((n << $p).bitcast())
            }
            #[inline(always)]
            fn exponent(self) -> Self {
                let u: $u<S> = self.0.bitcast();
                let u = (u + ((1.0 as $t).to_bits() - $sqrt_half)) >> $p | ((1u64 << $p) as $t).to_bits();
                let e: $v<S> = u.bitcast();
                Self::new(e - ((1u64 << $p) + $bias) as $t)
            }
            #[inline(always)]
            fn mantissa(self) -> Self {
                let u: $u<S> = self.0.bitcast();
                let u = ((u + ((1.0 as $t).to_bits() - $sqrt_half)) & ((1 << $p) - 1)) + $sqrt_half;
                Self::new(u.bitcast())
            }
        }
    };
}
lanes!(f32x16, u32x16, f32, 16, F32, 23, 127, 0x3f35_04f3);
lanes!(f64x8, u64x8, f64, 8, F64, 52, 1023, 0x3fe6_a09e_667f_3bcd);
