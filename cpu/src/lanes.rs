//! Fixed-width vectors as [`Real`], and the one place where an instruction set is chosen.
//!
//! A kernel is an `#[inline(always)] fn` generic over its lanes: `S: Sixteen` for f32, called through
//! [`on_lanes!`](crate::on_lanes); `S: Simd` for f64, called through [`on_isa!`](crate::on_isa). No closures and no
//! iterator or array combinators over lane values: they are functions of their own, do not inherit the instruction set,
//! and cost 30 times. Only sets with hardware fma run lanes; all others run the scalar path, which gives the same bits (an
//! inlined emulated fma made one build pass ten minutes).
use core::ops::{Add, Div, Mul, Neg, Sub};
use fearless_simd::{f32x8, f32x16, f64x8, i16x32, i32x16, mask32x16, prelude::*, u16x8, u16x32, u32x8, u32x16, u64x8};
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
    /// The AVX-512 of Skylake-X and Cascade Lake: f32 lanes and products use it, f64 lanes are those of `Avx2`, because
    /// the SIMD crate has no smaller set than the next.
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
                return if Wide::detect().is_some() { Isa::Avx512F } else { Isa::Avx2 };
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

/// Proof that the machine has an instruction set; what [`on_isa!`](crate::on_isa) and [`on_lanes!`](crate::on_lanes)
/// match on.
#[doc(hidden)]
#[derive(Clone, Copy, Debug)]
#[allow(missing_docs)]
pub enum Token {
    None,
    #[cfg(target_arch = "x86_64")]
    Avx2(simd::x86::Avx2),
    #[cfg(target_arch = "x86_64")]
    Avx512(simd::x86::Avx512),
    /// f32 lanes only.
    #[cfg(target_arch = "x86_64")]
    Wide(Wide),
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
    /// The same for f32 lanes, which have an AVX-512 of their own.
    #[doc(hidden)]
    #[inline]
    pub fn of_f32(isa: Isa) -> Token {
        #[cfg(target_arch = "x86_64")]
        if matches!(isa, Isa::Avx512F | Isa::Avx512 | Isa::Avx512Bf16) {
            return Wide::detect().map_or(Token::None, Token::Wide);
        }
        Token::of(isa)
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
            _ => $scalar,
        }
    };
}
/// The same for kernels over f32 lanes: `s` is a [`Sixteen`].
#[macro_export]
macro_rules! on_lanes {
    ($isa:expr, $s:ident => $lanes:expr, $scalar:expr) => {
        match $crate::lanes::Token::of_f32($isa) {
            #[cfg(target_arch = "x86_64")]
            $crate::lanes::Token::Wide($s) => $crate::lanes::Sixteen::enter(
                $s,
                #[inline(always)]
                || $lanes,
            ),
            #[cfg(target_arch = "x86_64")]
            $crate::lanes::Token::Avx2($s) => $crate::lanes::Sixteen::enter(
                $s,
                #[inline(always)]
                || $lanes,
            ),
            #[cfg(target_arch = "aarch64")]
            $crate::lanes::Token::Neon($s) => $crate::lanes::Sixteen::enter(
                $s,
                #[inline(always)]
                || $lanes,
            ),
            _ => $scalar,
        }
    };
}

/// Sixteen f32 lanes on some instruction set: what row and token kernels are written over, through [`L32`]. Every
/// operation is correctly rounded or exact.
pub trait Sixteen: Copy + Send + Sync {
    /// The lanes.
    type V: Copy;
    /// A bit per lane.
    type M: Copy;
    /// Eight f64 lanes.
    type D: Real;
    /// Whether there are 32 registers of sixteen lanes: room for several vectors side by side.
    const ROOMY: bool;
    /// Calls an `#[inline(always)]` closure compiled for the instruction set.
    fn enter<R>(self, f: impl FnOnce() -> R) -> R;
    /// `x` in every lane.
    fn splat(self, x: f32) -> Self::V;
    /// From memory.
    fn load(self, x: &[f32; 16]) -> Self::V;
    /// To memory.
    fn store(self, v: Self::V, x: &mut [f32; 16]);
    /// f64 from memory.
    fn load_f64(self, x: &[f64; 8]) -> Self::D;
    /// f64 to memory.
    fn store_f64(self, v: Self::D, x: &mut [f64; 8]);
    /// a + b
    fn add(self, a: Self::V, b: Self::V) -> Self::V;
    /// a - b
    fn sub(self, a: Self::V, b: Self::V) -> Self::V;
    /// a b
    fn mul(self, a: Self::V, b: Self::V) -> Self::V;
    /// a / b
    fn div(self, a: Self::V, b: Self::V) -> Self::V;
    /// a b + c, rounded once.
    fn fma(self, a: Self::V, b: Self::V, c: Self::V) -> Self::V;
    /// The larger. Of a NaN and a number: `b` on x86, the NaN on Neon.
    fn larger(self, a: Self::V, b: Self::V) -> Self::V;
    /// The smaller, NaN as in [`Sixteen::larger`].
    fn smaller(self, a: Self::V, b: Self::V) -> Self::V;
    /// a < b
    fn lt(self, a: Self::V, b: Self::V) -> Self::M;
    /// a <= b
    fn le(self, a: Self::V, b: Self::V) -> Self::M;
    /// a == b
    fn eq(self, a: Self::V, b: Self::V) -> Self::M;
    /// m ? yes : no
    fn select(self, m: Self::M, yes: Self::V, no: Self::V) -> Self::V;
    /// Bit i is lane i.
    fn bits(self, m: Self::M) -> u32;
    /// Lanes set in either.
    fn or(self, a: Self::M, b: Self::M) -> Self::M;
    /// Whether any lane is set.
    fn any(self, m: Self::M) -> bool;
    /// Whether the sign bit of any lane is clear.
    fn any_plus(self, a: Self::V) -> bool;
    /// Sum of the bits as u32.
    fn iadd(self, a: Self::V, b: Self::V) -> Self::V;
    /// Bitwise and.
    fn iand(self, a: Self::V, b: Self::V) -> Self::V;
    /// Bitwise or.
    fn ior(self, a: Self::V, b: Self::V) -> Self::V;
    /// The bits as u32, shifted left.
    fn shl<const N: u32>(self, a: Self::V) -> Self::V;
    /// The bits as u32, shifted right.
    fn shr<const N: u32>(self, a: Self::V) -> Self::V;
    /// The larger of each signed 16-bit word.
    fn max_i16(self, a: Self::V, b: Self::V) -> Self::V;
    /// The smaller of each unsigned 16-bit word.
    fn min_u16(self, a: Self::V, b: Self::V) -> Self::V;
    /// `table[bits % 8]`
    fn lookup(self, bits: Self::V, table: &[u32; 8]) -> Self::V;
    /// 32 words, an even one in the low half of a lane, the odd one in the high half.
    fn words(self, x: &[u16; 32]) -> Self::V;
    /// The inverse of [`Sixteen::words`].
    fn store_words(self, v: Self::V, x: &mut [u16; 32]);
    /// [`Sixteen::store`] past the cache, where the address and the instruction set allow it; [`fence`] follows.
    fn stream(self, v: Self::V, x: &mut [f32; 16]);
    /// The same of [`Sixteen::store_words`].
    fn stream_words(self, v: Self::V, x: &mut [u16; 32]);
    /// 32 words as u32.
    fn widen(self, x: &[u16; 32]) -> [Self::V; 2];
    /// The low words.
    fn narrow(self, v: [Self::V; 2], x: &mut [u16; 32]);
    /// Sum of the lanes: i and i + 8, then i and i + 4, i + 2, i + 1.
    #[inline(always)]
    fn fold(self, v: Self::V) -> f32 {
        let mut x = [0.0; 16];
        self.store(v, &mut x);
        let mut w = 8;
        while w > 0 {
            for i in 0..w {
                x[i] += x[i + w];
            }
            w /= 2;
        }
        x[0]
    }
    /// The largest lane. A NaN may or may not win.
    #[inline(always)]
    fn fold_larger(self, v: Self::V) -> f32 {
        let mut x = [0.0; 16];
        self.store(v, &mut x);
        let mut w = 8;
        while w > 0 {
            for i in 0..w {
                x[i] = if x[i + w] > x[i] { x[i + w] } else { x[i] };
            }
            w /= 2;
        }
        x[0]
    }
    /// f16 to f32, exact.
    fn widen_f16(self, x: &[u16; 32]) -> [Self::V; 2];
    /// Rounds to f16, to nearest even; a NaN becomes the canonical one.
    fn round_f16(self, v: [Self::V; 2], x: &mut [u16; 32]);
}
/// Conversions of f16 on the bits.
mod half {
    use super::Sixteen;

    #[inline(always)]
    fn bits<S: Sixteen>(s: S, x: u32) -> S::V {
        s.splat(f32::from_bits(x))
    }
    /// Move the bits to their places, multiply by 2^112 (exact, subnormals included), put infinity's exponent right.
    #[inline(always)]
    pub fn widen<S: Sixteen>(s: S, h: S::V) -> S::V {
        let m = s.shl::<13>(s.iand(h, bits(s, 0x7fff)));
        let m = s.mul(m, bits(s, 0x7780_0000));
        let m = s.select(s.le(s.splat(65536.0), m), s.ior(m, bits(s, 0x7f80_0000)), m);
        s.ior(m, s.shl::<16>(s.iand(h, bits(s, 0x8000))))
    }
    /// Three ranges of |x|: below 2^-14 the sum with 1/2 rounds to units of 2^-24; up to 65520 the bits round where they
    /// stand; from there on it is infinity.
    #[inline(always)]
    pub fn round<S: Sixteen>(s: S, x: S::V) -> S::V {
        let sign = s.iand(s.shr::<16>(x), bits(s, 0x8000));
        let a = s.iand(x, bits(s, 0x7fff_ffff));
        let small = s.iadd(s.add(a, s.splat(0.5)), bits(s, 0u32.wrapping_sub(0x3f00_0000)));
        let odd = s.iand(s.shr::<13>(a), bits(s, 1));
        let normal = s.shr::<13>(s.iadd(s.iadd(a, odd), bits(s, 0xfffu32.wrapping_sub(112 << 23))));
        let r = s.select(s.lt(a, bits(s, 113 << 23)), small, normal);
        let r = s.select(s.lt(a, s.splat(65520.0)), r, bits(s, 0x7c00));
        s.select(s.eq(x, x), s.ior(r, sign), bits(s, 0x7e00))
    }
}
#[cfg(target_arch = "x86_64")]
mod avx2 {
    use core::arch::x86_64::*;
    fearless_simd::kernel!(
        #[inline(always)]
        pub fn lookup(t: Avx2, i: __m256i, table: __m256i) -> __m256i {
            let _ = t;
            _mm256_permutevar8x32_epi32(table, i)
        }
    );
    fearless_simd::kernel!(
        #[inline(always)]
        pub fn from_f16(t: Avx2, x: __m128i) -> __m256 {
            let _ = t;
            _mm256_cvtph_ps(x)
        }
    );
    fearless_simd::kernel!(
        #[inline(always)]
        pub fn to_f16(t: Avx2, x: __m256) -> __m128i {
            let _ = t;
            let nan = _mm256_cmp_ps::<_CMP_UNORD_Q>(x, x);
            let quiet = _mm256_castsi256_ps(_mm256_set1_epi32(0x7fc0_0000)); // becomes 0x7e00
            _mm256_cvtps_ph::<_MM_FROUND_TO_NEAREST_INT>(_mm256_blendv_ps(x, quiet, nan))
        }
    );
}
impl<S: Simd> Sixteen for S {
    type V = f32x16<S>;
    type M = mask32x16<S>;
    type D = L64<S>;
    const ROOMY: bool = false;
    #[inline(always)]
    fn enter<R>(self, f: impl FnOnce() -> R) -> R {
        self.vectorize(f)
    }
    #[inline(always)]
    fn splat(self, x: f32) -> Self::V {
        f32x16::splat(self, x)
    }
    #[inline(always)]
    fn load(self, x: &[f32; 16]) -> Self::V {
        f32x16::from_slice(self, x)
    }
    #[inline(always)]
    fn store(self, v: Self::V, x: &mut [f32; 16]) {
        v.store_slice(x);
    }
    #[inline(always)]
    fn load_f64(self, x: &[f64; 8]) -> L64<S> {
        L64(f64x8::from_slice(self, x))
    }
    #[inline(always)]
    fn store_f64(self, v: L64<S>, x: &mut [f64; 8]) {
        v.0.store_slice(x);
    }
    #[inline(always)]
    fn add(self, a: Self::V, b: Self::V) -> Self::V {
        a + b
    }
    #[inline(always)]
    fn sub(self, a: Self::V, b: Self::V) -> Self::V {
        a - b
    }
    #[inline(always)]
    fn mul(self, a: Self::V, b: Self::V) -> Self::V {
        a * b
    }
    #[inline(always)]
    fn div(self, a: Self::V, b: Self::V) -> Self::V {
        a / b
    }
    #[inline(always)]
    fn fma(self, a: Self::V, b: Self::V, c: Self::V) -> Self::V {
        a.mul_add_precise(b, c)
    }
    #[inline(always)]
    fn larger(self, a: Self::V, b: Self::V) -> Self::V {
        a.max(b)
    }
    #[inline(always)]
    fn smaller(self, a: Self::V, b: Self::V) -> Self::V {
        a.min(b)
    }
    #[inline(always)]
    fn lt(self, a: Self::V, b: Self::V) -> Self::M {
        a.simd_lt(b)
    }
    #[inline(always)]
    fn le(self, a: Self::V, b: Self::V) -> Self::M {
        a.simd_le(b)
    }
    #[inline(always)]
    fn eq(self, a: Self::V, b: Self::V) -> Self::M {
        a.simd_eq(b)
    }
    #[inline(always)]
    fn select(self, m: Self::M, yes: Self::V, no: Self::V) -> Self::V {
        m.select(yes, no)
    }
    #[inline(always)]
    fn bits(self, m: Self::M) -> u32 {
        m.to_bitmask() as u32
    }
    #[inline(always)]
    fn or(self, a: Self::M, b: Self::M) -> Self::M {
        a | b
    }
    #[inline(always)]
    fn any(self, m: Self::M) -> bool {
        m.any_true()
    }
    #[inline(always)]
    fn any_plus(self, a: Self::V) -> bool {
        a.bitcast::<i32x16<S>>().simd_gt(i32x16::splat(self, -1)).any_true()
    }
    #[inline(always)]
    fn iadd(self, a: Self::V, b: Self::V) -> Self::V {
        (a.bitcast::<u32x16<S>>() + b.bitcast::<u32x16<S>>()).bitcast()
    }
    #[inline(always)]
    fn iand(self, a: Self::V, b: Self::V) -> Self::V {
        (a.bitcast::<u32x16<S>>() & b.bitcast::<u32x16<S>>()).bitcast()
    }
    #[inline(always)]
    fn ior(self, a: Self::V, b: Self::V) -> Self::V {
        (a.bitcast::<u32x16<S>>() | b.bitcast::<u32x16<S>>()).bitcast()
    }
    #[inline(always)]
    fn shl<const N: u32>(self, a: Self::V) -> Self::V {
        (a.bitcast::<u32x16<S>>() << N).bitcast()
    }
    #[inline(always)]
    fn shr<const N: u32>(self, a: Self::V) -> Self::V {
        (a.bitcast::<u32x16<S>>() >> N).bitcast()
    }
    #[inline(always)]
    fn max_i16(self, a: Self::V, b: Self::V) -> Self::V {
        a.bitcast::<i16x32<S>>().max(b.bitcast::<i16x32<S>>()).bitcast()
    }
    #[inline(always)]
    fn min_u16(self, a: Self::V, b: Self::V) -> Self::V {
        a.bitcast::<u16x32<S>>().min(b.bitcast::<u16x32<S>>()).bitcast()
    }
    #[inline(always)]
    fn lookup(self, bits: Self::V, table: &[u32; 8]) -> Self::V {
        match self.level() {
            #[cfg(target_arch = "x86_64")]
            simd::Level::Avx2(t) => {
                let (i, x): (f32x16<_>, u32x8<_>) = (bits.to_array().simd_into(t), (*table).simd_into(t));
                let (i0, i1) = i.bitcast::<u32x16<_>>().split();
                let a: u32x8<_> = avx2::lookup(t, i0.into(), x.into()).simd_into(t);
                let b: u32x8<_> = avx2::lookup(t, i1.into(), x.into()).simd_into(t);
                a.combine(b).bitcast::<f32x16<_>>().to_array().simd_into(self)
            }
            _ => {
                let mut x = bits.to_array();
                for x in &mut x {
                    *x = f32::from_bits(table[(x.to_bits() % 8) as usize]);
                }
                x.simd_into(self)
            }
        }
    }
    #[inline(always)]
    fn words(self, x: &[u16; 32]) -> Self::V {
        u16x32::from_slice(self, x).bitcast()
    }
    #[inline(always)]
    fn store_words(self, v: Self::V, x: &mut [u16; 32]) {
        v.bitcast::<u16x32<S>>().store_slice(x);
    }
    #[inline(always)]
    fn stream(self, v: Self::V, x: &mut [f32; 16]) {
        #[cfg(target_arch = "x86_64")]
        if let simd::Level::Avx2(t) = self.level()
            && x.as_ptr().addr().is_multiple_of(32)
        {
            let v: f32x16<_> = v.to_array().simd_into(t);
            let (a, b): (f32x8<_>, f32x8<_>) = v.split();
            // SAFETY: the token says that AVX2 is there; `x` is the 64 bytes that are written, aligned to 32.
            unsafe {
                core::arch::x86_64::_mm256_stream_ps(x.as_mut_ptr(), a.into());
                core::arch::x86_64::_mm256_stream_ps(x[8..].as_mut_ptr(), b.into());
            }
            return;
        }
        self.store(v, x);
    }
    #[inline(always)]
    fn stream_words(self, v: Self::V, x: &mut [u16; 32]) {
        #[cfg(target_arch = "x86_64")]
        if self.level().as_avx2().is_some() && x.as_ptr().addr().is_multiple_of(32) {
            return self.stream(v, bytemuck::cast_mut::<[u16; 32], [f32; 16]>(x));
        }
        self.store_words(v, x);
    }
    #[inline(always)]
    fn widen(self, x: &[u16; 32]) -> [Self::V; 2] {
        let (a, b) = u16x32::from_slice(self, x).widen();
        [a.bitcast(), b.bitcast()]
    }
    #[inline(always)]
    fn narrow(self, v: [Self::V; 2], x: &mut [u16; 32]) {
        v[0].bitcast::<u32x16<S>>().narrow(v[1].bitcast()).store_slice(x);
    }
    #[inline(always)]
    fn widen_f16(self, x: &[u16; 32]) -> [Self::V; 2] {
        #[cfg(target_arch = "x86_64")]
        if let simd::Level::Avx2(t) = self.level() {
            let mut out = [0.0; 32];
            for (x, out) in x.as_chunks::<8>().0.iter().zip(out.as_chunks_mut::<8>().0) {
                let x: u16x8<_> = (*x).simd_into(t);
                let y: f32x8<_> = avx2::from_f16(t, x.into()).simd_into(t);
                y.store_slice(out);
            }
            return [f32x16::from_slice(self, &out[..16]), f32x16::from_slice(self, &out[16..])];
        }
        let [a, b] = self.widen(x);
        [half::widen(self, a), half::widen(self, b)]
    }
    #[inline(always)]
    fn round_f16(self, v: [Self::V; 2], x: &mut [u16; 32]) {
        #[cfg(target_arch = "x86_64")]
        if let simd::Level::Avx2(t) = self.level() {
            let mut from = [0.0; 32];
            v[0].store_slice(&mut from[..16]);
            v[1].store_slice(&mut from[16..]);
            for (from, x) in from.as_chunks::<8>().0.iter().zip(x.as_chunks_mut::<8>().0) {
                let y: f32x8<_> = (*from).simd_into(t);
                let y: u16x8<_> = avx2::to_f16(t, y.into()).simd_into(t);
                y.store_slice(x);
            }
            return;
        }
        self.narrow([half::round(self, v[0]), half::round(self, v[1])], x);
    }
}

#[cfg(target_arch = "x86_64")]
mod wide {
    use super::{BIAS_64, ONE_64, SQRT_HALF_64, Sixteen};
    use core::arch::x86_64::*;
    use truing_core::real::{F64, Format, Real};

    /// AVX-512 of Skylake-X and later through std::arch, which the SIMD crate does not offer. Exists only where
    /// detection found it.
    #[derive(Clone, Copy, Debug)]
    pub struct Wide(());
    impl Wide {
        /// Proof that this machine has it.
        #[inline]
        pub fn detect() -> Option<Wide> {
            macro_rules! all {
                ($($f:tt)*) => { $(std::arch::is_x86_feature_detected!($f))&&* };
            }
            all!("avx512f" "avx512bw" "avx512dq" "avx512vl" "avx2" "fma" "f16c" "bmi1" "bmi2" "lzcnt" "popcnt")
                .then_some(Wide(()))
        }
    }
    macro_rules! ops {
        ($($f:ident $(<const $n:ident>)? ($($a:ident: $t:ty),*) $(-> $r:ty)? = $e:expr;)*) => {$(
            #[inline(always)]
            fn $f $(<const $n: u32>)? (self, $($a: $t),*) $(-> $r)? {
                // SAFETY: a `Wide` is made by `detect` alone, which saw every feature that these instructions need.
                // Loads and stores go through references that cover what is read or written, and ask for no alignment;
                // the streaming ones see theirs first.
                unsafe { $e }
            }
        )*};
    }
    #[inline(always)]
    fn int(a: __m512) -> __m512i {
        // SAFETY: both are 64 bytes of plain bits.
        unsafe { core::mem::transmute(a) }
    }
    #[inline(always)]
    fn float(a: __m512i) -> __m512 {
        // SAFETY: both are 64 bytes of plain bits.
        unsafe { core::mem::transmute(a) }
    }
    impl Sixteen for Wide {
        type V = __m512;
        type M = __mmask16;
        type D = Doubles;
        const ROOMY: bool = true;
        #[inline(always)]
        fn enter<R>(self, f: impl FnOnce() -> R) -> R {
            #[target_feature(enable = "avx512f,avx512bw,avx512dq,avx512vl,avx2,fma,f16c,bmi1,bmi2,lzcnt,popcnt")]
            fn go<R>(f: impl FnOnce() -> R) -> R {
                f()
            }
            // SAFETY: a `Wide` is made by `detect` alone, which saw these features.
            unsafe { go(f) }
        }
        ops! {
            splat(x: f32) -> __m512 = _mm512_set1_ps(x);
            load(x: &[f32; 16]) -> __m512 = _mm512_loadu_ps(x.as_ptr());
            store(v: __m512, x: &mut [f32; 16]) = _mm512_storeu_ps(x.as_mut_ptr(), v);
            load_f64(x: &[f64; 8]) -> Doubles = Doubles(_mm512_loadu_pd(x.as_ptr()));
            store_f64(v: Doubles, x: &mut [f64; 8]) = _mm512_storeu_pd(x.as_mut_ptr(), v.0);
            add(a: __m512, b: __m512) -> __m512 = _mm512_add_ps(a, b);
            sub(a: __m512, b: __m512) -> __m512 = _mm512_sub_ps(a, b);
            mul(a: __m512, b: __m512) -> __m512 = _mm512_mul_ps(a, b);
            div(a: __m512, b: __m512) -> __m512 = _mm512_div_ps(a, b);
            fma(a: __m512, b: __m512, c: __m512) -> __m512 = _mm512_fmadd_ps(a, b, c);
            larger(a: __m512, b: __m512) -> __m512 = _mm512_max_ps(a, b);
            smaller(a: __m512, b: __m512) -> __m512 = _mm512_min_ps(a, b);
            lt(a: __m512, b: __m512) -> __mmask16 = _mm512_cmp_ps_mask::<_CMP_LT_OQ>(a, b);
            le(a: __m512, b: __m512) -> __mmask16 = _mm512_cmp_ps_mask::<_CMP_LE_OQ>(a, b);
            eq(a: __m512, b: __m512) -> __mmask16 = _mm512_cmp_ps_mask::<_CMP_EQ_OQ>(a, b);
            select(m: __mmask16, yes: __m512, no: __m512) -> __m512 = _mm512_mask_blend_ps(m, no, yes);
            iadd(a: __m512, b: __m512) -> __m512 = float(_mm512_add_epi32(int(a), int(b)));
            iand(a: __m512, b: __m512) -> __m512 = float(_mm512_and_si512(int(a), int(b)));
            ior(a: __m512, b: __m512) -> __m512 = float(_mm512_or_si512(int(a), int(b)));
            shl<const N>(a: __m512) -> __m512 = float(_mm512_slli_epi32::<N>(int(a)));
            shr<const N>(a: __m512) -> __m512 = float(_mm512_srli_epi32::<N>(int(a)));
            max_i16(a: __m512, b: __m512) -> __m512 = float(_mm512_max_epi16(int(a), int(b)));
            min_u16(a: __m512, b: __m512) -> __m512 = float(_mm512_min_epu16(int(a), int(b)));
            any_plus(a: __m512) -> bool = _mm512_movepi32_mask(int(a)) != u16::MAX;
            lookup(bits: __m512, table: &[u32; 8]) -> __m512 = {
                let table = _mm512_broadcast_i64x4(_mm256_loadu_si256(table.as_ptr().cast()));
                float(_mm512_permutexvar_epi32(int(bits), table))
            };
            fold(v: __m512) -> f32 = {
                let v = _mm512_add_ps(v, _mm512_shuffle_f32x4::<0b01_00_11_10>(v, v));
                let v = _mm512_add_ps(v, _mm512_shuffle_f32x4::<0b10_11_00_01>(v, v));
                let v = _mm512_add_ps(v, _mm512_permute_ps::<0b01_00_11_10>(v));
                _mm512_cvtss_f32(_mm512_add_ps(v, _mm512_permute_ps::<0b10_11_00_01>(v)))
            };
            fold_larger(v: __m512) -> f32 = {
                let v = _mm512_max_ps(v, _mm512_shuffle_f32x4::<0b01_00_11_10>(v, v));
                let v = _mm512_max_ps(v, _mm512_shuffle_f32x4::<0b10_11_00_01>(v, v));
                let v = _mm512_max_ps(v, _mm512_permute_ps::<0b01_00_11_10>(v));
                _mm512_cvtss_f32(_mm512_max_ps(v, _mm512_permute_ps::<0b10_11_00_01>(v)))
            };
            words(x: &[u16; 32]) -> __m512 = _mm512_loadu_ps(x.as_ptr().cast());
            store_words(v: __m512, x: &mut [u16; 32]) = _mm512_storeu_ps(x.as_mut_ptr().cast(), v);
            stream(v: __m512, x: &mut [f32; 16]) = {
                let p = x.as_mut_ptr();
                if p.addr().is_multiple_of(64) { _mm512_stream_ps(p, v) } else { _mm512_storeu_ps(p, v) }
            };
            stream_words(v: __m512, x: &mut [u16; 32]) = {
                let p = x.as_mut_ptr().cast::<f32>();
                if p.addr().is_multiple_of(64) { _mm512_stream_ps(p, v) } else { _mm512_storeu_ps(p, v) }
            };
            widen(x: &[u16; 32]) -> [__m512; 2] = [
                float(_mm512_cvtepu16_epi32(_mm256_loadu_si256(x.as_ptr().cast()))),
                float(_mm512_cvtepu16_epi32(_mm256_loadu_si256(x[16..].as_ptr().cast()))),
            ];
            narrow(v: [__m512; 2], x: &mut [u16; 32]) = {
                _mm256_storeu_si256(x.as_mut_ptr().cast(), _mm512_cvtepi32_epi16(int(v[0])));
                _mm256_storeu_si256(x[16..].as_mut_ptr().cast(), _mm512_cvtepi32_epi16(int(v[1])));
            };
            widen_f16(x: &[u16; 32]) -> [__m512; 2] = [
                _mm512_cvtph_ps(_mm256_loadu_si256(x.as_ptr().cast())),
                _mm512_cvtph_ps(_mm256_loadu_si256(x[16..].as_ptr().cast())),
            ];
            round_f16(v: [__m512; 2], x: &mut [u16; 32]) = {
                let quiet = float(_mm512_set1_epi32(0x7fc0_0000)); // becomes 0x7e00
                let a = _mm512_mask_blend_ps(_mm512_cmp_ps_mask::<_CMP_UNORD_Q>(v[0], v[0]), v[0], quiet);
                let b = _mm512_mask_blend_ps(_mm512_cmp_ps_mask::<_CMP_UNORD_Q>(v[1], v[1]), v[1], quiet);
                _mm256_storeu_si256(x.as_mut_ptr().cast(), _mm512_cvtps_ph::<_MM_FROUND_TO_NEAREST_INT>(a));
                _mm256_storeu_si256(x[16..].as_mut_ptr().cast(), _mm512_cvtps_ph::<_MM_FROUND_TO_NEAREST_INT>(b));
            };
        }
        #[inline(always)]
        fn bits(self, m: __mmask16) -> u32 {
            m as u32
        }
        #[inline(always)]
        fn or(self, a: __mmask16, b: __mmask16) -> __mmask16 {
            a | b
        }
        #[inline(always)]
        fn any(self, m: __mmask16) -> bool {
            m != 0
        }
    }
    /// Eight f64 lanes of [`Wide`].
    #[derive(Clone, Copy, Debug)]
    pub struct Doubles(__m512d);
    macro_rules! doubles {
        ($($f:ident($x:ident $(, $a:ident)*) = $e:expr;)*) => {$(
            #[inline(always)]
            fn $f(self $(, $a: Self)*) -> Self {
                let $x = self.0;
                $( let $a = $a.0; )*
                // SAFETY: `Doubles` come from a `Wide`, which saw every feature that these instructions need.
                Doubles(unsafe { $e })
            }
        )*};
    }
    macro_rules! operators {
        ($($tr:ident $f:ident $op:ident),*) => {$(
            impl core::ops::$tr for Doubles {
                type Output = Self;
                doubles! { $f(a, b) = $op(a, b); }
            }
        )*};
    }
    operators!(Add add _mm512_add_pd, Sub sub _mm512_sub_pd, Mul mul _mm512_mul_pd, Div div _mm512_div_pd);
    impl core::ops::Neg for Doubles {
        type Output = Self;
        doubles! { neg(a) = _mm512_sub_pd(_mm512_set1_pd(-0.0), a); }
    }
    #[inline(always)]
    unsafe fn bits_of(a: __m512d) -> __m512i {
        // SAFETY: the caller has the features.
        unsafe { _mm512_castpd_si512(a) }
    }
    impl Real for Doubles {
        const FORMAT: &'static Format = &F64;
        #[inline(always)]
        fn lit(self, v: f64) -> Self {
            // SAFETY: as above.
            Doubles(unsafe { _mm512_set1_pd(v) })
        }
        doubles! {
            fma(a, b, c) = _mm512_fmadd_pd(a, b, c);
            abs(a) = _mm512_abs_pd(a);
            select_lt(a, b, yes, no) = _mm512_mask_blend_pd(_mm512_cmp_pd_mask::<_CMP_LT_OQ>(a, b), no, yes);
            select_le(a, b, yes, no) = _mm512_mask_blend_pd(_mm512_cmp_pd_mask::<_CMP_LE_OQ>(a, b), no, yes);
            exp2i(a) = {
                let n = bits_of(_mm512_add_pd(a, _mm512_set1_pd(BIAS_64)));
                _mm512_castsi512_pd(_mm512_slli_epi64::<52>(n))
            };
            exponent(a) = {
                let u = _mm512_add_epi64(bits_of(a), _mm512_set1_epi64((ONE_64 - SQRT_HALF_64) as i64));
                let one = _mm512_set1_epi64(4503599627370496f64.to_bits() as i64);
                let e = _mm512_or_si512(_mm512_srli_epi64::<52>(u), one);
                _mm512_sub_pd(_mm512_castsi512_pd(e), _mm512_set1_pd(BIAS_64))
            };
            mantissa(a) = {
                let u = _mm512_add_epi64(bits_of(a), _mm512_set1_epi64((ONE_64 - SQRT_HALF_64) as i64));
                let m = _mm512_and_si512(u, _mm512_set1_epi64((1 << 52) - 1));
                _mm512_castsi512_pd(_mm512_add_epi64(m, _mm512_set1_epi64(SQRT_HALF_64 as i64)))
            };
        }
    }
}
#[cfg(target_arch = "x86_64")]
pub use wide::Wide;

/// Asks for the cache lines of `n` elements, into the second cache if `far`, else into the first. The address may be any.
#[inline(always)]
#[allow(unsafe_code)]
pub fn prefetch<T>(from: *const T, n: usize, far: bool) {
    #[cfg(target_arch = "x86_64")]
    for line in (0..n * size_of::<T>()).step_by(64) {
        use core::arch::x86_64::*;
        let p = from.cast::<i8>().wrapping_add(line);
        // SAFETY: a prefetch reads nothing as far as the language is concerned and never faults, whatever the address;
        // SSE is part of the x86-64 baseline.
        unsafe { if far { _mm_prefetch::<_MM_HINT_T1>(p) } else { _mm_prefetch::<_MM_HINT_T0>(p) } }
    }
    #[cfg(not(target_arch = "x86_64"))]
    let _ = (from, n, far);
}
/// Lets other threads see what [`Sixteen::stream`] wrote before they see what this thread writes from here on.
#[inline(always)]
#[allow(unsafe_code)]
pub fn fence() {
    #[cfg(target_arch = "x86_64")]
    // SAFETY: SSE is part of the x86-64 baseline; the instruction touches no memory of its own.
    unsafe {
        core::arch::x86_64::_mm_sfence();
    }
}

/// Sixteen f32 lanes as [`Real`].
#[derive(Clone, Copy)]
pub struct L32<S: Sixteen>(pub S::V, S);
/// A bit per lane of an [`L32`].
#[derive(Clone, Copy)]
pub struct M32<S: Sixteen>(S::M, S);
impl<S: Sixteen> core::fmt::Debug for L32<S> {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        let mut x = [0.0; 16];
        self.1.store(self.0, &mut x);
        x.fmt(f)
    }
}
macro_rules! binary_f32 {
    ($($tr:ident $f:ident),*) => {$(
        impl<S: Sixteen> $tr for L32<S> {
            type Output = Self;
            #[inline(always)]
            fn $f(self, b: Self) -> Self {
                L32(self.1.$f(self.0, b.0), self.1)
            }
        }
    )*};
}
binary_f32!(Add add, Sub sub, Mul mul, Div div);
impl<S: Sixteen> Neg for L32<S> {
    type Output = Self;
    #[inline(always)]
    fn neg(self) -> Self {
        // what the compiler sees through: a multiply-add takes it in
        L32(self.1.sub(self.bits(0x8000_0000), self.0), self.1)
    }
}
impl<S: Sixteen> L32<S> {
    /// Lanes of an instruction set.
    #[inline(always)]
    pub fn new(s: S, v: S::V) -> Self {
        L32(v, s)
    }
    /// Every lane `x`.
    #[inline(always)]
    pub fn splat(s: S, x: f32) -> Self {
        L32(s.splat(x), s)
    }
    #[inline(always)]
    fn bits(self, x: u32) -> S::V {
        self.1.splat(f32::from_bits(x))
    }
    /// The first sixteen.
    #[inline(always)]
    pub fn from_slice(s: S, x: &[f32]) -> Self {
        L32(s.load(x.first_chunk().unwrap()), s)
    }
    /// To the first sixteen.
    #[inline(always)]
    pub fn store_slice(self, x: &mut [f32]) {
        self.1.store(self.0, x.first_chunk_mut().unwrap());
    }
    /// The elements from `at` on; `fill` beyond the end.
    #[inline(always)]
    pub fn load(s: S, x: &[f32], at: usize, fill: f32) -> Self {
        if let Some(full) = x.get(at..at + 16) {
            return Self::from_slice(s, full);
        }
        let mut block = [fill; 16];
        block[..x.len() - at].copy_from_slice(&x[at..]);
        Self::from_slice(s, &block)
    }
    /// Writes the lanes from `at` on, none beyond the end.
    #[inline(always)]
    pub fn store(self, out: &mut [f32], at: usize) {
        if let Some(full) = out.get_mut(at..at + 16) {
            return self.store_slice(full);
        }
        let n = out.len() - at;
        let mut block = [0.0; 16];
        self.store_slice(&mut block);
        out[at..].copy_from_slice(&block[..n]);
    }
    /// [`Sixteen::larger`]: which of a NaN and a number depends on the instruction set.
    #[inline(always)]
    pub fn larger(self, b: Self) -> Self {
        L32(self.1.larger(self.0, b.0), self.1)
    }
    /// [`Sixteen::smaller`], the same.
    #[inline(always)]
    pub fn smaller(self, b: Self) -> Self {
        L32(self.1.smaller(self.0, b.0), self.1)
    }
    /// self == b
    #[inline(always)]
    pub fn simd_eq(self, b: Self) -> M32<S> {
        M32(self.1.eq(self.0, b.0), self.1)
    }
    /// self < b
    #[inline(always)]
    pub fn simd_lt(self, b: Self) -> M32<S> {
        M32(self.1.lt(self.0, b.0), self.1)
    }
    /// self <= b
    #[inline(always)]
    pub fn simd_le(self, b: Self) -> M32<S> {
        M32(self.1.le(self.0, b.0), self.1)
    }
}
impl<S: Sixteen> M32<S> {
    /// self ? yes : no
    #[inline(always)]
    pub fn select(self, yes: L32<S>, no: L32<S>) -> L32<S> {
        L32(self.1.select(self.0, yes.0, no.0), self.1)
    }
    /// Bit i is lane i.
    #[inline(always)]
    pub fn bits(self) -> u32 {
        self.1.bits(self.0)
    }
    /// Lanes set in either.
    #[inline(always)]
    pub fn or(self, b: Self) -> Self {
        M32(self.1.or(self.0, b.0), self.1)
    }
    /// Whether any lane is set.
    #[inline(always)]
    pub fn any(self) -> bool {
        self.1.any(self.0)
    }
}
const SQRT_HALF: u32 = 0x3f35_04f3;
const ONE: u32 = 0x3f80_0000;
impl<S: Sixteen> Real for L32<S> {
    const FORMAT: &'static Format = &F32;
    #[inline(always)]
    fn lit(self, v: f64) -> Self {
        Self::splat(self.1, v as f32)
    }
    #[inline(always)]
    fn fma(self, b: Self, c: Self) -> Self {
        L32(self.1.fma(self.0, b.0, c.0), self.1)
    }
    #[inline(always)]
    fn abs(self) -> Self {
        L32(self.1.iand(self.0, self.bits(0x7fff_ffff)), self.1)
    }
    #[inline(always)]
    fn select_lt(self, b: Self, yes: Self, no: Self) -> Self {
        self.simd_lt(b).select(yes, no)
    }
    #[inline(always)]
    fn select_le(self, b: Self, yes: Self, no: Self) -> Self {
        self.simd_le(b).select(yes, no)
    }
    #[inline(always)]
    fn at_least(self, low: Self) -> Self {
        low.larger(self) // the second wins where there is a NaN
    }
    #[inline(always)]
    fn at_most(self, top: Self) -> Self {
        L32(self.1.smaller(top.0, self.0), self.1)
    }
    #[inline(always)]
    fn exp2i(self) -> Self {
        let n = self + self.lit(8388735.0); // 2^23 + 127
        L32(self.1.shl::<23>(n.0), self.1)
    }
    #[inline(always)]
    fn exponent(self) -> Self {
        let s = self.1;
        let u = s.shr::<23>(s.iadd(self.0, self.bits(ONE - SQRT_HALF)));
        L32(s.ior(u, self.bits(8388608f32.to_bits())), s) - self.lit(8388735.0)
    }
    #[inline(always)]
    fn mantissa(self) -> Self {
        let s = self.1;
        let u = s.iand(s.iadd(self.0, self.bits(ONE - SQRT_HALF)), self.bits((1 << 23) - 1));
        L32(s.iadd(u, self.bits(SQRT_HALF)), s)
    }
}

impl<S: Sixteen> Constant<L32<S>> for L32<S> {
    #[inline(always)]
    fn beside(self, _: L32<S>) -> L32<S> {
        self
    }
}

/// N vectors as one [`Real`]. A formula over it goes stage by stage: what waits for a result is then not far behind it, and
/// the scheduler of a core, which holds about a hundred operations, finds N chains to work on instead of one or two.
#[derive(Clone, Copy)]
pub struct Several<S: Sixteen, const N: usize>(pub [L32<S>; N]);
macro_rules! several {
    ($($tr:ident $f:ident),*) => {$(
        impl<S: Sixteen, const N: usize> $tr for Several<S, N> {
            type Output = Self;
            #[inline(always)]
            fn $f(mut self, b: Self) -> Self {
                for i in 0..N {
                    self.0[i] = self.0[i].$f(b.0[i]);
                }
                self
            }
        }
    )*};
}
several!(Add add, Sub sub, Mul mul, Div div);
impl<S: Sixteen, const N: usize> Neg for Several<S, N> {
    type Output = Self;
    #[inline(always)]
    fn neg(mut self) -> Self {
        for i in 0..N {
            self.0[i] = -self.0[i];
        }
        self
    }
}
macro_rules! each {
    ($(fn $f:ident($($a:ident),*);)*) => {$(
        #[inline(always)]
        fn $f(mut self $(, $a: Self)*) -> Self {
            for i in 0..N {
                self.0[i] = self.0[i].$f($($a.0[i]),*);
            }
            self
        }
    )*};
}
impl<S: Sixteen, const N: usize> Real for Several<S, N> {
    const FORMAT: &'static Format = &F32;
    #[inline(always)]
    fn lit(self, v: f64) -> Self {
        Several([self.0[0].lit(v); N])
    }
    each! {
        fn fma(b, c);
        fn abs();
        fn select_lt(b, yes, no);
        fn select_le(b, yes, no);
        fn at_least(low);
        fn at_most(top);
        fn exp2i();
        fn exponent();
        fn mantissa();
    }
}

/// Eight f64 lanes of the SIMD crate as [`Real`].
#[derive(Clone, Copy, Debug)]
pub struct L64<S: Simd>(pub f64x8<S>);
macro_rules! binary_f64 {
    ($($tr:ident $f:ident),*) => {$(
        impl<S: Simd> $tr for L64<S> {
            type Output = Self;
            #[inline(always)]
            fn $f(self, b: Self) -> Self {
                L64($tr::$f(self.0, b.0))
            }
        }
    )*};
}
binary_f64!(Add add, Sub sub, Mul mul, Div div);
impl<S: Simd> Neg for L64<S> {
    type Output = Self;
    #[inline(always)]
    fn neg(self) -> Self {
        L64(-self.0)
    }
}
impl<S: Simd> L64<S> {
    /// Every lane `x`.
    #[inline(always)]
    pub fn splat(s: S, x: f64) -> Self {
        L64(f64x8::splat(s, x))
    }
    /// The elements from `at` on; `fill` beyond the end.
    #[inline(always)]
    pub fn load(s: S, x: &[f64], at: usize, fill: f64) -> Self {
        if let Some(full) = x.get(at..at + 8) {
            return L64(f64x8::from_slice(s, full));
        }
        let mut block = [fill; 8];
        block[..x.len() - at].copy_from_slice(&x[at..]);
        L64(f64x8::from_slice(s, &block))
    }
    /// Writes the lanes from `at` on, none beyond the end.
    #[inline(always)]
    pub fn store(self, out: &mut [f64], at: usize) {
        if let Some(full) = out.get_mut(at..at + 8) {
            return self.0.store_slice(full);
        }
        let n = out.len() - at;
        out[at..].copy_from_slice(&<[f64; 8]>::from(self.0)[..n]);
    }
}
const SQRT_HALF_64: u64 = 0x3fe6_a09e_667f_3bcd;
const ONE_64: u64 = 0x3ff0_0000_0000_0000;
/// 2^52 + 1023: the sum with an integer holds it, biased, in the low bits.
const BIAS_64: f64 = 4503599627371519.0;
impl<S: Simd> Real for L64<S> {
    const FORMAT: &'static Format = &F64;
    #[inline(always)]
    fn lit(self, v: f64) -> Self {
        Self::splat(self.0.token(), v)
    }
    #[inline(always)]
    fn fma(self, b: Self, c: Self) -> Self {
        L64(self.0.mul_add_precise(b.0, c.0))
    }
    #[inline(always)]
    fn abs(self) -> Self {
        L64(self.0.abs())
    }
    #[inline(always)]
    fn select_lt(self, b: Self, yes: Self, no: Self) -> Self {
        L64(self.0.simd_lt(b.0).select(yes.0, no.0))
    }
    #[inline(always)]
    fn select_le(self, b: Self, yes: Self, no: Self) -> Self {
        L64(self.0.simd_le(b.0).select(yes.0, no.0))
    }
    #[inline(always)]
    fn exp2i(self) -> Self {
        let n: u64x8<S> = (self.0 + BIAS_64).bitcast();
        L64((n << 52).bitcast())
    }
    #[inline(always)]
    fn exponent(self) -> Self {
        let u: u64x8<S> = self.0.bitcast();
        let u = (u + (ONE_64 - SQRT_HALF_64)) >> 52 | 4503599627370496f64.to_bits();
        let e: f64x8<S> = u.bitcast();
        L64(e - BIAS_64)
    }
    #[inline(always)]
    fn mantissa(self) -> Self {
        let u: u64x8<S> = self.0.bitcast();
        L64((((u + (ONE_64 - SQRT_HALF_64)) & ((1 << 52) - 1)) + SQRT_HALF_64).bitcast())
    }
}
