//! Lane forms of [`truing_core::record`], shared by the kernels of rows of logits: loads, stores, the exponential, the
//! lane tree. Only correctly rounded operations, `#[inline(always)] fn` only; for instruction sets with fused
//! multiply-add, where a plain `mul_add` is fused.
use fearless_simd::{Level, Simd, f32x16, i16x32, prelude::*, u16x32, u32x8, u32x16};
use truing_core::dtype::{Float, bf16, f16};
use truing_core::record::{EXP_CONSTANTS, EXP_LOW, EXP_TABLE, combine};

/// Sixteen logical f32 lanes.
pub type V<S> = f32x16<S>;

/// The same value in every lane.
#[inline(always)]
pub fn splat<S: Simd>(s: S, x: f32) -> V<S> {
    V::splat(s, x)
}
/// a b + c, rounded once.
#[inline(always)]
pub fn fma<S: Simd>(a: V<S>, b: V<S>, c: V<S>) -> V<S> {
    a.mul_add(b, c)
}
/// [`truing_core::record::clamp_row`]. On x86 the second operand of `max` wins when there is a NaN, on Neon the NaN does.
#[inline(always)]
pub fn clamp<S: Simd>(s: S, d: V<S>) -> V<S> {
    splat(s, EXP_LOW).max(d)
}
#[cfg(target_arch = "x86_64")]
mod table {
    use core::arch::x86_64::*;
    fearless_simd::kernel!(
        #[inline(always)]
        pub fn lookup512(t: Avx512, i: __m512i, table: __m512i) -> __m512i {
            let _ = t;
            _mm512_permutexvar_epi32(i, table)
        }
    );
    fearless_simd::kernel!(
        #[inline(always)]
        pub fn lookup256(t: Avx2, i: __m256i, table: __m256i) -> __m256i {
            let _ = t;
            _mm256_permutevar8x32_epi32(table, i)
        }
    );
}
/// `EXP_TABLE[i % 8]` in every lane.
#[inline(always)]
fn lookup<S: Simd>(s: S, i: u32x16<S>) -> u32x16<S> {
    match s.level() {
        #[cfg(target_arch = "x86_64")]
        Level::Avx512(t) => {
            let [a, b, c, d, e, f, g, h] = EXP_TABLE;
            let twice: u32x16<_> = [a, b, c, d, e, f, g, h, a, b, c, d, e, f, g, h].simd_into(t);
            let i: u32x16<_> = i.to_array().simd_into(t);
            let r: u32x16<_> = table::lookup512(t, i.into(), twice.into()).simd_into(t);
            r.to_array().simd_into(s)
        }
        #[cfg(target_arch = "x86_64")]
        Level::Avx2(t) => {
            let (i, x): (u32x16<_>, u32x8<_>) = (i.to_array().simd_into(t), EXP_TABLE.simd_into(t));
            let (i0, i1) = i.split();
            let a: u32x8<_> = table::lookup256(t, i0.into(), x.into()).simd_into(t);
            let b: u32x8<_> = table::lookup256(t, i1.into(), x.into()).simd_into(t);
            a.combine(b).to_array().simd_into(s)
        }
        _ => {
            let mut x = i.to_array();
            for x in &mut x {
                *x = EXP_TABLE[(*x % 8) as usize];
            }
            x.simd_into(s)
        }
    }
}
/// [`truing_core::record::exp_row`].
#[inline(always)]
pub fn exp<S: Simd>(s: S, d: V<S>) -> V<S> {
    let [scale, magic, step, c3, c2] = EXP_CONSTANTS;
    let t = fma(d, splat(s, scale), splat(s, magic));
    let f = fma(t - splat(s, magic), splat(s, step), d);
    let i: u32x16<S> = t.bitcast();
    let power: V<S> = (lookup(s, i) + (i << 20)).bitcast();
    let q = fma(f, splat(s, c3), splat(s, c2));
    let p = fma(f * f, q, f);
    fma(power, p, power)
}
/// [`truing_core::record::combine`] of two accumulators of sixteen chains.
#[inline(always)]
pub fn tree<S: Simd>(a: [V<S>; 2]) -> f32 {
    let mut x = [0.0; 32];
    a[0].store_slice(&mut x[..16]);
    a[1].store_slice(&mut x[16..]);
    combine(x)
}
/// Largest lane, `+0` if it is a zero. A NaN may or may not win.
#[inline(always)]
pub fn largest<S: Simd>(a: [V<S>; 2]) -> f32 {
    let mut x: [f32; 16] = a[0].max(a[1]).to_array();
    let mut w = 8;
    while w > 0 {
        for i in 0..w {
            x[i] = if x[i + w] > x[i] { x[i + w] } else { x[i] };
        }
        w /= 2;
    }
    x[0] + 0.0
}

/// Asks for the cache lines of the 32 columns that lie `columns` behind `p`: f32 for L2, 16-bit types for L1 (each the
/// better of the two, measured). The address may lie outside the row or the buffer.
#[inline(always)]
#[allow(unsafe_code)]
pub fn prefetch<T>(p: &[T; 32], columns: usize) {
    #[cfg(target_arch = "x86_64")]
    for line in (0..size_of::<[T; 32]>()).step_by(64) {
        use core::arch::x86_64::*;
        let a = p.as_ptr().cast::<i8>().wrapping_add(columns * size_of::<T>() + line);
        // SAFETY: a prefetch reads nothing as far as the language is concerned and never faults, whatever the address;
        // SSE is part of the x86-64 baseline.
        unsafe { if size_of::<T>() == 4 { _mm_prefetch::<_MM_HINT_T1>(a) } else { _mm_prefetch::<_MM_HINT_T0>(a) } }
    }
    #[cfg(not(target_arch = "x86_64"))]
    let _ = (p, columns);
}

/// A type of logits or gradients: 32 columns at a time, column c in lane c % 16 of vector c / 16.
pub trait Cell: Float {
    /// Widens exactly.
    fn load<S: Simd>(s: S, p: &[Self; 32]) -> [V<S>; 2];
    /// Rounds once, to nearest even; every NaN becomes the canonical one of a 16-bit type.
    fn store<S: Simd>(s: S, v: [V<S>; 2], p: &mut [Self; 32]);
    /// Running maximum over many loads. A NaN may or may not enter it: the sums see every NaN.
    type Max<S: Simd>: Copy;
    /// The maximum of nothing.
    fn max_new<S: Simd>(s: S) -> Self::Max<S>;
    /// Takes in 32 columns.
    fn max_add<S: Simd>(s: S, m: &mut Self::Max<S>, p: &[Self; 32]);
    /// Its value, `+0` if it is a zero.
    fn max_get<S: Simd>(s: S, m: Self::Max<S>) -> f32;
}
macro_rules! float_max {
    () => {
        type Max<S: Simd> = [V<S>; 2];
        #[inline(always)]
        fn max_new<S: Simd>(s: S) -> [V<S>; 2] {
            [splat(s, f32::NEG_INFINITY); 2]
        }
        #[inline(always)]
        fn max_add<S: Simd>(s: S, m: &mut [V<S>; 2], p: &[Self; 32]) {
            let x = Self::load(s, p);
            *m = [m[0].max(x[0]), m[1].max(x[1])];
        }
        #[inline(always)]
        fn max_get<S: Simd>(_: S, m: [V<S>; 2]) -> f32 {
            largest(m)
        }
    };
}
impl Cell for f32 {
    float_max!();
    #[inline(always)]
    fn load<S: Simd>(s: S, p: &[f32; 32]) -> [V<S>; 2] {
        [V::from_slice(s, &p[..16]), V::from_slice(s, &p[16..])]
    }
    #[inline(always)]
    fn store<S: Simd>(_: S, v: [V<S>; 2], p: &mut [f32; 32]) {
        v[0].store_slice(&mut p[..16]);
        v[1].store_slice(&mut p[16..]);
    }
}
#[inline(always)]
fn words<S: Simd, T: bytemuck::Pod>(s: S, p: &[T; 32]) -> u16x32<S> {
    u16x32::from_slice(s, bytemuck::cast_slice::<T, u16>(p))
}
impl Cell for bf16 {
    /// On the bits, 32 columns at a time: the largest signed word if any column is >= +0, else the smallest unsigned one.
    type Max<S: Simd> = (i16x32<S>, u16x32<S>);
    #[inline(always)]
    fn max_new<S: Simd>(s: S) -> Self::Max<S> {
        (i16x32::splat(s, -1), u16x32::splat(s, 0xff80))
    }
    #[inline(always)]
    fn max_add<S: Simd>(s: S, m: &mut Self::Max<S>, p: &[Self; 32]) {
        let w = words(s, p);
        *m = (m.0.max(w.bitcast::<i16x32<S>>()), m.1.min(w));
    }
    #[inline(always)]
    fn max_get<S: Simd>(_: S, m: Self::Max<S>) -> f32 {
        let (mut a, mut b): ([i16; 32], [u16; 32]) = (m.0.to_array(), m.1.to_array());
        let mut w = 16;
        while w > 0 {
            for i in 0..w {
                a[i] = a[i].max(a[i + w]);
                b[i] = b[i].min(b[i + w]);
            }
            w /= 2;
        }
        let x = if a[0] >= 0 { a[0] as u16 } else { b[0] };
        f32::from_bits((x as u32) << 16) + 0.0
    }
    #[inline(always)]
    fn load<S: Simd>(s: S, p: &[bf16; 32]) -> [V<S>; 2] {
        let (a, b) = words(s, p).widen();
        [(a << 16).bitcast(), (b << 16).bitcast()]
    }
    #[inline(always)]
    fn store<S: Simd>(s: S, v: [V<S>; 2], p: &mut [bf16; 32]) {
        let h = round_bf16(s, v[0]).narrow(round_bf16(s, v[1]));
        h.store_slice(bytemuck::cast_slice_mut::<bf16, u16>(p));
    }
}
#[inline(always)]
fn round_bf16<S: Simd>(s: S, x: V<S>) -> u32x16<S> {
    let b: u32x16<S> = x.bitcast();
    let r = (b + u32x16::splat(s, 0x7fff) + ((b >> 16) & u32x16::splat(s, 1))) >> 16;
    x.simd_eq(x).select(r, u32x16::splat(s, 0x7fc0))
}
impl Cell for f16 {
    float_max!();
    #[inline(always)]
    fn load<S: Simd>(s: S, p: &[f16; 32]) -> [V<S>; 2] {
        let (a, b) = words(s, p).widen();
        [widen_f16(s, a), widen_f16(s, b)]
    }
    #[inline(always)]
    fn store<S: Simd>(s: S, v: [V<S>; 2], p: &mut [f16; 32]) {
        let h = round_f16(s, v[0]).narrow(round_f16(s, v[1]));
        h.store_slice(bytemuck::cast_slice_mut::<f16, u16>(p));
    }
}
/// Exact, subnormals included: move the bits to their places, multiply by 2^112, put infinity's exponent right.
#[inline(always)]
fn widen_f16<S: Simd>(s: S, h: u32x16<S>) -> V<S> {
    let m: V<S> = ((h & u32x16::splat(s, 0x7fff)) << 13).bitcast();
    let m: u32x16<S> = (m * splat(s, f32::from_bits(0x7780_0000))).bitcast();
    let inf = u32x16::splat(s, 0x7c00);
    let m = (h & inf).simd_eq(inf).select(m | u32x16::splat(s, 0x7f80_0000), m);
    (m | (h & u32x16::splat(s, 0x8000)) << 16).bitcast()
}
/// Three ranges of |x|: below 2^-14 the sum with 1/2 rounds to units of 2^-24; up to 65520 the bits round where they
/// stand; from there on it is infinity.
#[inline(always)]
fn round_f16<S: Simd>(s: S, x: V<S>) -> u32x16<S> {
    let bits: u32x16<S> = x.bitcast();
    let sign = (bits >> 16) & u32x16::splat(s, 0x8000);
    let b = bits & u32x16::splat(s, 0x7fff_ffff);
    let a: V<S> = b.bitcast();
    let small: u32x16<S> = (a + splat(s, 0.5)).bitcast();
    let small = small - u32x16::splat(s, 0x3f00_0000);
    let normal = (b - u32x16::splat(s, 112 << 23) + u32x16::splat(s, 0xfff) + ((b >> 13) & u32x16::splat(s, 1))) >> 13;
    let r = a.simd_lt(splat(s, f32::from_bits(113 << 23))).select(small, normal);
    let r = a.simd_lt(splat(s, 65520.0)).select(r, u32x16::splat(s, 0x7c00));
    x.simd_eq(x).select(r | sign, u32x16::splat(s, 0x7e00))
}
