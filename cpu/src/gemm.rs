//! Products whose every output is a chain of its own, so that bits depend on the data alone.
//!
//! Rule (`truing_core::linear_logprob`): the reduction is cut at multiples of [`BLOCK`]; in a block each output is one
//! chain from +0 of fused multiply-adds in index order; block results are added in index order. Two bf16 operands go by
//! pairs, odd element first, denormal inputs and tiny steps as zero: what the bf16 dot product of current x86 does.
//! Register tile, packing, threads and instruction set decide which chains run side by side, never their order.
//!
//! One operand lies in the lanes (packed, `Panels`), the other is broadcast and read where it lies (`A`).
#[cfg(target_arch = "x86_64")]
use crate::lanes::Wide;
use crate::lanes::{Isa, Sixteen, prefetch};
use bytemuck::Pod;
use core::marker::PhantomData;
#[cfg(target_arch = "aarch64")]
use fearless_simd::aarch64::Neon;
#[cfg(target_arch = "x86_64")]
use fearless_simd::x86::Avx2;
use truing_core::dtype::Element;
pub use truing_core::linear_logprob::BLOCK;
use truing_core::matrix::{Floats, Matrix};
use truing_core::real::Real;

/// Lanes of a vector.
pub const LANES: usize = 16;

/// The multiply-add of a chain: `step(a, b, c)` is c + a b for 16 outputs.
trait Chain: Copy {
    type In: Copy;
    type V: Copy;
    type Acc: Copy;
    fn zero(self) -> Self::Acc;
    /// The accumulator that [`Chain::store`] wrote.
    fn resume(self, x: &[f32; LANES]) -> Self::Acc;
    fn splat(self, x: Self::In) -> Self::V;
    fn load(self, x: &[Self::In; LANES]) -> Self::V;
    fn step(self, a: Self::V, b: Self::V, c: Self::Acc) -> Self::Acc;
    fn store(self, c: Self::Acc, out: &mut [f32; LANES]);
}

/// f32 fused multiply-add. FLUSH: as the bf16 dot product, a result that is below 2^-126 after rounding with unbounded
/// exponent becomes a zero of its sign. That rounding is seen on the same sum scaled by 2^64; where the scaled operands
/// overflow the sum is not tiny, and the comparison with inf or NaN says so.
#[derive(Clone, Copy)]
struct Fma<S, const FLUSH: bool>(S);
impl<S: Sixteen, const FLUSH: bool> Chain for Fma<S, FLUSH> {
    type In = f32;
    type V = S::V;
    type Acc = S::V;
    #[inline(always)]
    fn zero(self) -> S::V {
        self.0.splat(0.0)
    }
    #[inline(always)]
    fn resume(self, x: &[f32; LANES]) -> S::V {
        self.0.load(x)
    }
    #[inline(always)]
    fn splat(self, x: f32) -> S::V {
        self.0.splat(x)
    }
    #[inline(always)]
    fn load(self, x: &[f32; LANES]) -> S::V {
        self.0.load(x)
    }
    #[inline(always)]
    fn step(self, a: S::V, b: S::V, c: S::V) -> S::V {
        let s = self.0;
        let r = s.fma(a, b, c);
        if !FLUSH {
            return r;
        }
        let up = s.splat(UP);
        let scaled = s.fma(s.mul(a, up), b, s.mul(c, up));
        let size = s.iand(scaled, s.splat(f32::from_bits(0x7fff_ffff)));
        let sign = s.iand(r, s.splat(-0.0));
        s.select(s.lt(size, s.splat(UP * f32::MIN_POSITIVE)), sign, r)
    }
    #[inline(always)]
    fn store(self, c: S::V, out: &mut [f32; LANES]) {
        self.0.store(c, out);
    }
}
const UP: f32 = 18446744073709551616.0; // 2^64

/// The same for instruction sets without a fused multiply-add.
#[derive(Clone, Copy)]
struct Scalar<const FLUSH: bool>;
impl<const FLUSH: bool> Chain for Scalar<FLUSH> {
    type In = f32;
    type V = [f32; LANES];
    type Acc = [f32; LANES];
    #[inline(always)]
    fn zero(self) -> [f32; LANES] {
        [0.0; LANES]
    }
    #[inline(always)]
    fn resume(self, x: &[f32; LANES]) -> [f32; LANES] {
        *x
    }
    #[inline(always)]
    fn splat(self, x: f32) -> [f32; LANES] {
        [x; LANES]
    }
    #[inline(always)]
    fn load(self, x: &[f32; LANES]) -> [f32; LANES] {
        *x
    }
    #[inline(always)]
    fn step(self, a: [f32; LANES], b: [f32; LANES], mut c: [f32; LANES]) -> [f32; LANES] {
        for i in 0..LANES {
            let r = Real::fma(a[i], b[i], c[i]);
            let tiny = FLUSH && Real::fma(a[i] * UP, b[i], c[i] * UP).abs() < UP * f32::MIN_POSITIVE;
            c[i] = if tiny { 0f32.copysign(r) } else { r };
        }
        c
    }
    #[inline(always)]
    fn store(self, c: [f32; LANES], out: &mut [f32; LANES]) {
        *out = c;
    }
}

/// The broadcast operand: MR outputs by k. Rows: element k of row i at `i * stride + k`. Cols: at `k * stride + i`. The
/// reduction may lie in pieces.
#[derive(Clone, Copy)]
pub(crate) enum A<'a, T> {
    Rows(&'a [T], usize, Pieces),
    Cols(&'a [T], usize, Pieces),
}
/// The reduction in pieces of `len`, each `jump` behind the one before.
#[derive(Clone, Copy)]
pub(crate) struct Pieces {
    pub len: usize,
    pub jump: usize,
}
/// What a tile does with what is there.
#[derive(Clone, Copy, PartialEq)]
pub(crate) enum Onto {
    /// Replaces it.
    Fresh,
    /// Adds its chains to it: a further reduction block.
    Sum,
    /// Continues its chains: the same block goes on.
    Chain,
}
/// Where products go: row i, lane j at `at + i * ld + j`.
#[derive(Clone, Copy)]
pub(crate) struct Out<'a> {
    x: &'a Disjoint<'a, f32>,
    at: usize,
    ld: usize,
    lanes: usize,
    onto: Onto,
}
impl<'a> Out<'a> {
    /// Rows of `lanes` products each.
    ///
    /// # Safety
    /// As long as this lives nobody else touches these rows; `lanes` is not above `ld`.
    pub unsafe fn new(x: &'a Disjoint<'a, f32>, at: usize, ld: usize, lanes: usize, onto: Onto) -> Self {
        Out { x, at, ld, lanes, onto }
    }
    fn from(self, row: usize) -> Self {
        Out { at: self.at + row * self.ld, ..self }
    }
    #[inline(always)]
    #[allow(clippy::mut_from_ref)]
    fn row(&self, i: usize) -> &'a mut [f32] {
        // SAFETY: rows are apart, and nobody else touches them by the promise of `new`; no caller keeps one while it
        // asks for the same again.
        unsafe { self.x.piece(self.at + i * self.ld, self.lanes) }
    }
}

/// Cache lines that a tile asks for on behalf of a later one, `lines` of them (2 at most) every four steps: in each piece
/// of the reduction one after the other from `at` on, `jump` bytes further with every piece. The addresses may be any.
#[derive(Clone, Copy)]
pub(crate) struct Ahead {
    pub at: *const u8,
    pub jump: usize,
    pub lines: usize,
}
impl Ahead {
    pub const NOTHING: Ahead = Ahead { at: core::ptr::null(), jump: 0, lines: 0 };
}

/// `out` = chain over k of a(i, k) b[k][lane], all rows of it; `onto` is not `Sum`. `rows` > 0 rows of `a` exist, the rest repeat the last (or read past it in
/// `Cols`, whose last column has a whole stride behind it).
#[inline(always)]
fn tile<C: Chain, const MR: usize, const NV: usize>(
    l: C,
    a: A<C::In>,
    rows: usize,
    b: &[[[C::In; LANES]; NV]],
    later: Ahead,
    out: Out,
) {
    // All checks stand here: with a branch between its stores the compiler would keep the accumulators in memory.
    let to: [&mut [[f32; LANES]; NV]; MR] = core::array::from_fn(|i| out.row(i).as_chunks_mut().0.try_into().unwrap());
    let mut c = [[l.zero(); NV]; MR];
    if out.onto == Onto::Chain {
        for i in 0..MR {
            for j in 0..NV {
                c[i][j] = l.resume(&to[i][j]);
            }
        }
    }
    macro_rules! step {
        ($b:expr, $a:expr) => {{
            let b = $b;
            near(b);
            let mut v = [l.load(&b[0]); NV];
            for j in 1..NV {
                v[j] = l.load(&b[j]);
            }
            for i in 0..MR {
                let x = l.splat($a(i));
                for j in 0..NV {
                    c[i][j] = l.step(x, v[j], c[i][j]);
                }
            }
        }};
    }
    // Four steps written out: with less the loop itself shows, with loops inside their last turns are mispredicted.
    match a {
        A::Rows(all, ld, pieces) => {
            for (piece, b) in b.chunks(pieces.len).enumerate() {
                let mut line = later.at.wrapping_add(piece * later.jump);
                let a = &all[piece * pieces.jump..];
                let (fours, rest) = b.as_chunks::<4>();
                let mut at = [&a[..b.len()]; MR];
                for i in 1..MR {
                    at[i] = &a[i.min(rows - 1) * ld..][..b.len()];
                }
                let mut four = [&at[0].as_chunks::<4>().0[..fours.len()]; MR];
                for i in 1..MR {
                    four[i] = &at[i].as_chunks::<4>().0[..fours.len()];
                }
                for q in 0..fours.len() {
                    line = far(line, later.lines);
                    step!(&fours[q][0], |i: usize| four[i][q][0]);
                    step!(&fours[q][1], |i: usize| four[i][q][1]);
                    step!(&fours[q][2], |i: usize| four[i][q][2]);
                    step!(&fours[q][3], |i: usize| four[i][q][3]);
                }
                for k in 0..rest.len() {
                    let k = fours.len() * 4 + k;
                    step!(&b[k], |i: usize| at[i][k]);
                }
            }
        }
        A::Cols(all, ld, pieces) => {
            assert!(ld >= MR);
            for (piece, b) in b.chunks(pieces.len).enumerate() {
                let mut line = later.at.wrapping_add(piece * later.jump);
                let a = &all[piece * pieces.jump..][..b.len() * ld];
                let (fours, rest) = b.as_chunks::<4>();
                let mut columns = a.chunks_exact(4 * ld);
                for (b, a) in fours.iter().zip(&mut columns) {
                    line = far(line, later.lines);
                    for i in 0..4 {
                        prefetch(a.as_ptr().wrapping_add((8 + i) * ld), 1, false);
                    }
                    let a = [&a[..MR], &a[ld..ld + MR], &a[2 * ld..2 * ld + MR], &a[3 * ld..3 * ld + MR]];
                    step!(&b[0], |i: usize| a[0][i]);
                    step!(&b[1], |i: usize| a[1][i]);
                    step!(&b[2], |i: usize| a[2][i]);
                    step!(&b[3], |i: usize| a[3][i]);
                }
                for (b, a) in rest.iter().zip(columns.remainder().chunks_exact(ld)) {
                    let a = &a[..MR];
                    step!(b, |i: usize| a[i]);
                }
            }
        }
    }
    for i in 0..MR {
        for j in 0..NV {
            l.store(c[i][j], &mut to[i][j]);
        }
    }
}
/// Asks for up to two lines into the second cache; returns where the next ones are.
#[inline(always)]
fn far(line: *const u8, lines: usize) -> *const u8 {
    if lines > 0 {
        prefetch(line, 64, true);
    }
    if lines > 1 {
        prefetch(line.wrapping_add(64), 64, true);
    }
    line.wrapping_add(64 * lines)
}
/// Asks for the vectors of a later step of the panel, which lies in the second cache.
#[inline(always)]
fn near<T>(b: &T) {
    const STEPS: usize = 8;
    prefetch(core::ptr::from_ref(b).wrapping_add(STEPS), 1, false);
}
macro_rules! by_width {
    ($l:expr, $mr:literal, $max:literal, $a:ident $rows:ident $b:ident $nv:ident $later:ident $out:ident) => {
        match $nv {
            1 => tile::<_, $mr, 1>($l, $a, $rows, $b.as_chunks().0, $later, $out),
            2 if $max >= 2 => {
                tile::<_, $mr, { if $max >= 2 { 2 } else { 1 } }>($l, $a, $rows, $b.as_chunks().0, $later, $out)
            }
            3 if $max >= 3 => {
                tile::<_, $mr, { if $max >= 3 { 3 } else { 1 } }>($l, $a, $rows, $b.as_chunks().0, $later, $out)
            }
            _ => unreachable!(),
        }
    };
}

/// An instruction set's register tile.
pub(crate) trait Kernel: Copy + Send + Sync {
    /// What it reads: f32, or pairs of bf16.
    type In: Input;
    /// The f32 kernel of the same instruction set, for the gradient products.
    type F: Kernel<In = f32>;
    /// Rows of a tile.
    const MR: usize;
    /// Vectors of a tile.
    const NV: usize;
    fn f32(self) -> Self::F;
    /// One reduction block, `b`: `nv` vectors per k. `flush`: tiny steps count as zero.
    fn tile(self, flush: bool, a: A<Self::In>, rows: usize, b: &[[Self::In; LANES]], nv: usize, later: Ahead, out: Out);
    /// [`pack_reduction`], compiled for the instruction set.
    fn pack(self, m: &Floats, row: &dyn Fn(usize) -> Option<usize>, shape: Reduction, to: &mut [[f32; LANES]]);
    /// [`Input::convert`], compiled for the instruction set.
    fn convert(self, m: &Floats, paired: bool, i: usize, from: usize, out: &mut [Self::In]) -> u16;
    /// [`spin`] on its instructions.
    fn spin(self, steps: usize) -> f32;
}
macro_rules! kernels {
    ($($s:ident $mr:literal $nv:literal $chains:literal)*) => {$(
        impl Kernel for $s {
            type In = f32;
            type F = $s;
            const MR: usize = $mr;
            const NV: usize = $nv;
            fn f32(self) -> $s {
                self
            }
            fn tile(self, flush: bool, a: A<f32>, rows: usize, b: &[[f32; LANES]], nv: usize, later: Ahead, out: Out) {
                if flush {
                    self.enter(#[inline(always)] || by_width!(Fma::<_, true>(self), $mr, $nv, a rows b nv later out))
                } else {
                    self.enter(#[inline(always)] || by_width!(Fma::<_, false>(self), $mr, $nv, a rows b nv later out))
                }
            }
            fn pack(
                self,
                m: &Floats,
                row: &dyn Fn(usize) -> Option<usize>,
                shape: Reduction,
                to: &mut [[f32; LANES]],
            ) {
                self.enter(#[inline(always)] || pack_reduction(m, row, shape, to))
            }
            fn convert(self, m: &Floats, paired: bool, i: usize, from: usize, out: &mut [f32]) -> u16 {
                self.enter(#[inline(always)] || <f32 as Input>::convert(m, paired, i, from, out))
            }
            fn spin(self, steps: usize) -> f32 {
                self.enter(#[inline(always)] || spin::<_, $chains>(Fma::<_, false>(self), 0.5, steps))
            }
        }
    )*};
}
// the last number: chains of `spin`, as many as there are registers for
#[cfg(target_arch = "x86_64")]
kernels!(Avx2 6 1 5 Wide 8 3 16);
#[cfg(target_arch = "aarch64")]
kernels!(Neon 5 1 5);

/// No instruction set at all.
#[derive(Clone, Copy)]
pub(crate) struct NoIsa;
impl Kernel for NoIsa {
    type In = f32;
    type F = NoIsa;
    const MR: usize = 2;
    const NV: usize = 1;
    fn f32(self) -> NoIsa {
        self
    }
    fn tile(self, flush: bool, a: A<f32>, rows: usize, b: &[[f32; LANES]], nv: usize, later: Ahead, out: Out) {
        if flush {
            by_width!(Scalar::<true>, 2, 1, a rows b nv later out)
        } else {
            by_width!(Scalar::<false>, 2, 1, a rows b nv later out)
        }
    }
    fn pack(self, m: &Floats, row: &dyn Fn(usize) -> Option<usize>, shape: Reduction, to: &mut [[f32; LANES]]) {
        pack_reduction(m, row, shape, to);
    }
    fn convert(self, m: &Floats, paired: bool, i: usize, from: usize, out: &mut [f32]) -> u16 {
        <f32 as Input>::convert(m, paired, i, from, out)
    }
    fn spin(self, steps: usize) -> f32 {
        spin::<_, 2>(Scalar::<false>, 0.5, steps)
    }
}

#[cfg(target_arch = "x86_64")]
mod dot {
    use super::*;
    use core::arch::x86_64::*;

    /// vdpbf16ps. Exists only where detection found the instruction.
    #[derive(Clone, Copy)]
    pub(crate) struct Dot(Wide);
    impl Dot {
        pub fn detect() -> Option<Dot> {
            if is_x86_feature_detected!("avx512bf16") { Wide::detect().map(Dot) } else { None }
        }
    }
    #[inline(always)]
    fn bits(x: [[u16; 2]; LANES]) -> __m512bh {
        // SAFETY: both are 64 bytes of plain bits, every pattern is valid for both.
        unsafe { core::mem::transmute(x) }
    }
    impl Chain for Dot {
        type In = [u16; 2];
        type V = __m512bh;
        type Acc = __m512;
        #[inline(always)]
        fn zero(self) -> __m512 {
            Sixteen::splat(self.0, 0.0)
        }
        #[inline(always)]
        fn resume(self, x: &[f32; LANES]) -> __m512 {
            Sixteen::load(self.0, x)
        }
        #[inline(always)]
        fn splat(self, x: [u16; 2]) -> __m512bh {
            bits([x; LANES])
        }
        #[inline(always)]
        fn load(self, x: &[[u16; 2]; LANES]) -> __m512bh {
            bits(*x)
        }
        #[inline(always)]
        fn step(self, a: __m512bh, b: __m512bh, c: __m512) -> __m512 {
            // SAFETY: a `Dot` is made by `detect` alone, which saw the instruction; no pointers.
            unsafe { _mm512_dpbf16_ps(c, a, b) }
        }
        #[inline(always)]
        fn store(self, c: __m512, out: &mut [f32; LANES]) {
            Sixteen::store(self.0, c, out);
        }
    }
    impl Kernel for Dot {
        type In = [u16; 2];
        type F = Wide;
        const MR: usize = 8;
        const NV: usize = 3;
        fn f32(self) -> Wide {
            self.0
        }
        fn tile(
            self,
            _: bool,
            a: A<[u16; 2]>,
            rows: usize,
            b: &[[[u16; 2]; LANES]],
            nv: usize,
            later: Ahead,
            out: Out,
        ) {
            #[target_feature(enable = "avx512f,avx512bf16")]
            fn enter(l: Dot, a: A<[u16; 2]>, rows: usize, b: &[[[u16; 2]; LANES]], nv: usize, later: Ahead, out: Out) {
                by_width!(l, 8, 3, a rows b nv later out)
            }
            // SAFETY: a `Dot` is made by `detect` alone, which saw these features.
            unsafe { enter(self, a, rows, b, nv, later, out) }
        }
        fn pack(self, m: &Floats, row: &dyn Fn(usize) -> Option<usize>, shape: Reduction, to: &mut [[f32; LANES]]) {
            self.0.pack(m, row, shape, to);
        }
        fn convert(self, m: &Floats, paired: bool, i: usize, from: usize, out: &mut [[u16; 2]]) -> u16 {
            <[u16; 2] as Input>::convert(m, paired, i, from, out)
        }
        fn spin(self, steps: usize) -> f32 {
            #[target_feature(enable = "avx512f,avx512bf16")]
            fn enter(l: Dot, steps: usize) -> f32 {
                spin::<_, 16>(l, [0x3f00; 2], steps)
            }
            // SAFETY: as in `tile`.
            unsafe { enter(self, steps) }
        }
    }
}
#[cfg(target_arch = "x86_64")]
pub(crate) use dot::Dot;

/// Runs `$e` with the kernel of an instruction set as `$k`: the f32 one, or with `paired` (both operands bf16) the one
/// for pairs where there is such an instruction. The token of a set that the machine lacks does not exist; then the
/// scalar kernel, whose bits are the same, runs.
macro_rules! with_kernel {
    ($isa:expr, $paired:expr, $k:ident => $e:expr) => {{
        #[cfg(target_arch = "x86_64")]
        use $crate::gemm::Dot;
        #[cfg(target_arch = "x86_64")]
        use $crate::lanes::Wide;
        use $crate::lanes::{Isa, Token};
        let isa: Isa = $isa;
        match Token::of(isa) {
            #[cfg(target_arch = "x86_64")]
            Token::Avx2($k) if isa == Isa::Avx2 => $e,
            #[cfg(target_arch = "x86_64")]
            Token::Avx2(_) | Token::Avx512(_) => {
                if isa == Isa::Avx512Bf16
                    && $paired
                    && let Some($k) = Dot::detect()
                {
                    $e
                } else if let Some($k) = Wide::detect() {
                    $e
                } else {
                    let $k = $crate::gemm::NoIsa;
                    $e
                }
            }
            #[cfg(target_arch = "aarch64")]
            Token::Neon($k) => $e,
            _ => {
                let $k = $crate::gemm::NoIsa;
                $e
            }
        }
    }};
}
pub(crate) use with_kernel;

#[inline(always)]
fn widen_bf16(x: u16) -> f32 {
    f32::from_bits((x as u32) << 16)
}
/// bf16 denormals count as a zero of their sign.
#[inline(always)]
fn widen_bf16_daz(x: u16) -> f32 {
    widen_bf16(if x & 0x7f80 == 0 { x & 0x8000 } else { x })
}
/// Exact, without a branch: the bits move to their places, 2^112 puts the exponent right, infinity and NaN get theirs.
#[inline(always)]
fn widen_f16(x: u16) -> f32 {
    let m = f32::from_bits(((x & 0x7fff) as u32) << 13) * f32::from_bits(0x7780_0000);
    let top = if x & 0x7c00 == 0x7c00 { 0x7f80_0000 } else { 0 };
    f32::from_bits(m.to_bits() | top | ((x & 0x8000) as u32) << 16)
}

/// Exponent field that stands for "no normal number here".
const NO_EXPONENT: u16 = 255;
/// Least exponent field of the normal numbers of `x`.
#[inline(always)]
fn least_exponent(x: &[u16]) -> u16 {
    let mut least = u16::MAX;
    for &x in x {
        // zeros and denormals wrap round to the largest value
        least = least.min((x & 0x7f80).wrapping_sub(0x80));
    }
    if least >= 0xff80 { NO_EXPONENT } else { (least >> 7) + 1 }
}
/// All partial sums of products of bf16 numbers are multiples of 2^(ea + eb - 14), ea and eb the least exponents of the
/// normal elements. If that is at least 2^-126 no step can be tiny and plain multiply-adds give the bits of the rule.
fn needs_flush(a: u16, b: u16) -> bool {
    (a as i32 - 127) + (b as i32 - 127) - 14 < -126
}

/// What a kernel reads, made from stored elements.
pub(crate) trait Input: Pod + Default + Send + Sync {
    /// Stored elements of one input.
    const PER: usize;
    /// Inputs of a row of `d` elements, `paired` if both operands are bf16.
    fn len(d: usize, paired: bool) -> usize;
    /// Inputs `[from, from + out.len())` of row `i`; +0 stands for elements beyond the row. Returns the least exponent
    /// seen (`paired` only).
    fn convert(m: &Floats, paired: bool, i: usize, from: usize, out: &mut [Self]) -> u16;
    /// Rows from `i` on as they lie in memory, with their stride, where they already are what the kernel reads.
    fn in_place<'a>(m: &Floats<'a>, i: usize) -> Option<(&'a [Self], usize)>;
}
impl Input for f32 {
    const PER: usize = 1;
    fn len(d: usize, paired: bool) -> usize {
        if paired { d.next_multiple_of(2) } else { d }
    }
    #[inline(always)]
    fn convert(m: &Floats, paired: bool, i: usize, from: usize, out: &mut [f32]) -> u16 {
        #[inline(always)]
        fn each(x: &[u16], out: &mut [f32], f: impl Fn(u16) -> f32) {
            for (out, x) in out.iter_mut().zip(x) {
                *out = f(*x);
            }
        }
        let n = out.len().min(m.cols() - from);
        match m {
            Floats::F32(m) => out.copy_from_slice(&m.row(i)[from..][..n]),
            Floats::F16(m) => each(bytemuck::cast_slice(&m.row(i)[from..][..n]), out, widen_f16),
            Floats::Bf16(m) => {
                let x: &[u16] = bytemuck::cast_slice(&m.row(i)[from..][..n]);
                if !paired {
                    each(x, out, widen_bf16);
                    return NO_EXPONENT;
                }
                let (pairs, rest) = x.as_chunks::<2>();
                let (to, end) = out.as_chunks_mut::<2>();
                for (to, x) in to.iter_mut().zip(pairs) {
                    *to = [widen_bf16_daz(x[1]), widen_bf16_daz(x[0])];
                }
                debug_assert!(end.is_empty());
                if let [x] = rest {
                    to[pairs.len()] = [0.0, widen_bf16_daz(*x)];
                }
                return least_exponent(x);
            }
            Floats::F64(m) => {
                for (out, x) in out.iter_mut().zip(&m.row(i)[from..]) {
                    *out = *x as f32;
                }
            }
        }
        NO_EXPONENT
    }
    fn in_place<'a>(m: &Floats<'a>, i: usize) -> Option<(&'a [f32], usize)> {
        match m {
            Floats::F32(m) if m.layout().outer == 1 => {
                Some((&m.data()[m.layout().offset(i)..], m.layout().inner_stride))
            }
            _ => None,
        }
    }
}
impl Input for [u16; 2] {
    const PER: usize = 2;
    fn len(d: usize, _: bool) -> usize {
        d.div_ceil(2)
    }
    fn convert(m: &Floats, _: bool, i: usize, from: usize, out: &mut [[u16; 2]]) -> u16 {
        if let Floats::Bf16(m) = m {
            let x: &[u16] = bytemuck::cast_slice(&m.row(i)[2 * from..]);
            let (pairs, rest) = x.as_chunks::<2>();
            let n = pairs.len().min(out.len());
            out[..n].copy_from_slice(&pairs[..n]);
            if let ([x], true) = (rest, out.len() > n) {
                out[n] = [*x, 0];
            }
        }
        NO_EXPONENT
    }
    fn in_place<'a>(m: &Floats<'a>, i: usize) -> Option<(&'a [[u16; 2]], usize)> {
        match m {
            Floats::Bf16(m) if m.layout().outer == 1 && m.layout().inner_stride % 2 == 0 && m.cols() % 2 == 0 => {
                let x: &[u16] = bytemuck::cast_slice(&m.data()[m.layout().offset(i)..]);
                Some((x.as_chunks().0, m.layout().inner_stride / 2))
            }
            _ => None,
        }
    }
}

/// A buffer that the tasks of one call write at disjoint places.
pub(crate) struct Disjoint<'a, T> {
    at: *mut T,
    len: usize,
    owner: PhantomData<&'a mut [T]>,
}
// SAFETY: it stands for an exclusive borrow; the only access is `piece`, whose callers keep pieces apart.
unsafe impl<T: Send> Sync for Disjoint<'_, T> {}
impl<'a, T> Disjoint<'a, T> {
    pub fn new(x: &'a mut [T]) -> Self {
        Disjoint { at: x.as_mut_ptr(), len: x.len(), owner: PhantomData }
    }
    /// `[first, first + len)`.
    ///
    /// # Safety
    /// While the piece lives no other piece that overlaps it may live.
    #[allow(clippy::mut_from_ref)]
    #[inline(always)]
    pub unsafe fn piece(&self, first: usize, len: usize) -> &mut [T] {
        assert!(first <= self.len && len <= self.len - first);
        // SAFETY: inside the slice that `new` took over (checked above); exclusive by the caller's promise.
        unsafe { core::slice::from_raw_parts_mut(self.at.add(first), len) }
    }
}

impl<T> Disjoint<'_, T> {
    /// `[first, first + len)` to read.
    ///
    /// # Safety
    /// While the piece lives nobody writes it.
    #[inline(always)]
    pub unsafe fn shared(&self, first: usize, len: usize) -> &[T] {
        assert!(first <= self.len && len <= self.len - first);
        // SAFETY: inside the slice that `new` took over (checked above); not written by the caller's promise.
        unsafe { core::slice::from_raw_parts(self.at.add(first), len) }
    }
}

/// The lane operand: rows of a matrix side by side in the lanes. Panels of up to NV vectors; in a panel `b[k][lane]`.
pub(crate) struct Panels<'a, T> {
    data: &'a mut [[T; LANES]],
    /// Least exponent of each panel.
    least: &'a mut [u16],
    /// Inputs of a row.
    len: usize,
    nv: usize,
    vectors: usize,
}
impl<'a, T: Input> Panels<'a, T> {
    /// Elements of the buffers for `rows` rows.
    pub fn need(rows: usize, len: usize, nv: usize) -> (usize, usize) {
        (rows.div_ceil(LANES) * len, rows.div_ceil(LANES * nv))
    }
    /// No rows yet; `len` inputs each, panels of up to `nv` vectors.
    pub fn new(data: &'a mut [[T; LANES]], least: &'a mut [u16], len: usize, nv: usize) -> Self {
        Panels { data, least, len, nv, vectors: 0 }
    }
    /// Packs the given rows of `m`.
    pub fn fill(&mut self, context: &crate::Context, m: &Floats, paired: bool, rows: &[usize]) {
        let (len, nv) = (self.len, self.nv);
        self.vectors = rows.len().div_ceil(LANES);
        let (vectors, panels) = (self.vectors, self.count());
        let (to, exponents) =
            (Disjoint::new(&mut self.data[..vectors * len]), Disjoint::new(&mut self.least[..panels]));
        context.tasks(panels, |_, p| {
            let width = nv.min(vectors - p * nv);
            // SAFETY: panel p belongs to task p alone.
            let (to, least) = unsafe { (to.piece(p * nv * len, width * len), exponents.piece(p, 1)) };
            let rows = &rows[p * nv * LANES..rows.len().min((p + 1) * nv * LANES)];
            least[0] = pack_panel(m, paired, rows, width, to);
        });
    }
    /// Number of panels.
    pub fn count(&self) -> usize {
        self.vectors.div_ceil(self.nv)
    }
    fn get(&self, p: usize) -> (&[[T; LANES]], usize, u16) {
        let width = self.nv.min(self.vectors - p * self.nv);
        (&self.data[p * self.nv * self.len..][..width * self.len], width, self.least[p])
    }
}
fn pack_panel<T: Input>(m: &Floats, paired: bool, rows: &[usize], width: usize, to: &mut [[T; LANES]]) -> u16 {
    const PART: usize = 64; // inputs of a step: their lines stay in the first cache while the lanes are filled
    let len = to.len() / width;
    let mut part = [T::default(); PART];
    let mut least = NO_EXPONENT;
    for k0 in (0..len).step_by(PART) {
        let k1 = len.min(k0 + PART);
        let to = &mut to[k0 * width..k1 * width];
        for lane in 0..width * LANES {
            let part = &mut part[..k1 - k0];
            match rows.get(lane) {
                Some(&i) => least = least.min(T::convert(m, paired, i, k0, part)),
                None => part.fill(T::default()),
            }
            for (to, x) in to.chunks_exact_mut(width).zip(part) {
                to[lane / LANES][lane % LANES] = *x;
            }
        }
    }
    least
}

/// Panels that lie one behind the other, made of rows that are the reduction.
#[derive(Clone, Copy)]
pub(crate) struct Reduction {
    /// Rows.
    pub len: usize,
    /// Rows from one panel to the next.
    pub stride: usize,
    /// The element of a row that is the first lane of the first panel.
    pub first: usize,
    /// Vectors of a panel.
    pub nv: usize,
    /// A lane behind the last element that is 1 in every row that exists, counted from `first`.
    pub ones: Option<usize>,
}
/// `b[k][lane]` = element `first + lane` of row `row(k)`, widened to f32; `None` stands for a row of zeros. A row is read
/// once for all panels: each of them would visit its page again. What is not finite becomes 0: it comes before a dz that is 0, as
/// its column is dead, or NaN, and must not make the one the other.
#[inline(always)]
fn pack_reduction(m: &Floats, row: &dyn Fn(usize) -> Option<usize>, shape: Reduction, to: &mut [[f32; LANES]]) {
    match m {
        Floats::F32(m) => pack_rows(m, |x| x, row, shape, to),
        Floats::Bf16(m) => pack_rows(m, |x| widen_bf16(x.to_bits()), row, shape, to),
        Floats::F16(m) => pack_rows(m, |x| widen_f16(x.to_bits()), row, shape, to),
        Floats::F64(m) => pack_rows(m, |x| x as f32, row, shape, to),
    }
}
#[inline(always)]
fn pack_rows<T: Element>(
    m: &Matrix<T>,
    widen: impl Fn(T) -> f32,
    row: &dyn Fn(usize) -> Option<usize>,
    Reduction { len, stride, first, nv, ones }: Reduction,
    to: &mut [[f32; LANES]],
) {
    let width = nv * LANES;
    let panels = to.len().div_ceil((stride * nv).max(1));
    let lanes = (panels * width).min(m.cols().saturating_sub(first));
    // neighbours that are too short or too far apart for the hardware to fetch in time
    let ahead = (32 / panels.max(1)).max(4);
    for k in 0..len {
        let source = row(k).map(|i| &m.row(i)[first.min(m.cols())..][..lanes]);
        let later = if k + ahead < len { row(k + ahead) } else { None };
        let later = later.map(|i| m.data().as_ptr().wrapping_add(m.layout().offset(i) + first));
        for p in 0..panels {
            let to = to[(p * stride + k) * nv..][..nv].as_flattened_mut();
            let Some(x) = source else {
                to.fill(0.0);
                continue;
            };
            let at = (p * width).min(lanes);
            let x = &x[at..lanes.min(at + width)];
            if let Some(later) = later {
                prefetch(later.wrapping_add(at), x.len(), true);
            }
            let (live, pad) = to.split_at_mut(x.len());
            let ((vectors, rest), (from, from_rest)) = (live.as_chunks_mut::<LANES>(), x.as_chunks::<LANES>());
            for (vector, from) in vectors.iter_mut().zip(from) {
                // as values: for references the compiler sees that they are apart too late to use vectors
                let (from, mut wide) = (*from, [0.0; LANES]);
                for i in 0..LANES {
                    let x = widen(from[i]);
                    wide[i] = if x.abs() < f32::INFINITY { x } else { 0.0 };
                }
                *vector = wide;
            }
            for (x, from) in rest.iter_mut().zip(from_rest) {
                let wide = widen(*from);
                *x = if wide.abs() < f32::INFINITY { wide } else { 0.0 };
            }
            pad.fill(0.0);
            if let Some(one) = ones.and_then(|one| to.get_mut(one.wrapping_sub(p * width))) {
                *one = 1.0;
            }
        }
    }
}

/// `rows` rows of the broadcast operand against one panel over one reduction block, `steps` steps of all of them at a
/// time. `a(row, step)` is the operand from a row and a step on, and what to fetch meanwhile; it holds for a tile that ends
/// before the next multiple of `span` rows. `chains` (rows x lanes) keeps the block's chains where `out` holds a sum.
#[inline]
pub(crate) fn sweep<'a, K: Kernel>(
    k: K,
    (rows, span): (usize, usize),
    a: impl Fn(usize, usize) -> (A<'a, K::In>, Ahead),
    b: &[[K::In; LANES]],
    (nv, steps): (usize, usize),
    out: Out,
    chains: &mut [f32],
) where
    K::In: 'a,
{
    let len = b.len() / nv;
    let apart = out.onto == Onto::Sum && len > steps;
    let chains = Disjoint::new(chains);
    let own = Out { x: &chains, at: 0, ld: out.lanes, ..out };
    for k0 in (0..len.max(1)).step_by(steps) {
        let b = &b[k0 * nv..len.min(k0 + steps) * nv];
        let onto = match k0 {
            0 if apart => Onto::Fresh,
            0 => out.onto,
            _ => Onto::Chain,
        };
        let out = Out { onto, ..if apart { own } else { out } };
        for r0 in (0..rows).step_by(span) {
            let r1 = rows.min(r0 + span);
            for r in (r0..r1).step_by(K::MR) {
                let (a, later) = a(r, k0);
                part(k, false, a, K::MR.min(r1 - r), b, nv, later, out.from(r));
            }
        }
    }
    if apart {
        add(out, own, rows);
    }
}
/// The same over whole panels that lie one behind the other and products that lie side by side, all steps at once. A tile
/// takes its rows past all panels, so that they leave the third cache once.
#[inline]
pub(crate) fn sweep_panels<'a, K: Kernel>(
    k: K,
    (rows, span): (usize, usize),
    a: impl Fn(usize) -> (A<'a, K::In>, Ahead),
    b: &[[K::In; LANES]],
    panels: usize,
    out: Out,
) where
    K::In: 'a,
{
    for r0 in (0..rows).step_by(span) {
        let r1 = rows.min(r0 + span);
        for r in (r0..r1).step_by(K::MR) {
            let (a, mut later) = a(r);
            for (p, b) in b.chunks_exact(b.len() / panels).enumerate() {
                let out = Out { at: out.at + p * out.lanes, ..out };
                part(k, false, a, K::MR.min(r1 - r), b, K::NV, later, out.from(r));
                later = Ahead::NOTHING;
            }
        }
    }
}
/// Adds `rows` rows of chains to their totals.
fn add(out: Out, chains: Out, rows: usize) {
    for r in 0..rows {
        for (to, x) in out.row(r).iter_mut().zip(chains.row(r)) {
            *to += *x;
        }
    }
}

/// One tile.
#[inline(always)]
#[allow(clippy::too_many_arguments)]
fn part<K: Kernel>(
    k: K,
    flush: bool,
    a: A<K::In>,
    rows: usize,
    b: &[[K::In; LANES]],
    nv: usize,
    later: Ahead,
    out: Out,
) {
    if rows == K::MR && out.onto != Onto::Sum {
        k.tile(flush, a, rows, b, nv, later, out);
    } else {
        edge(k, flush, a, rows, b, nv, later, out);
    }
}
/// A tile with less than all rows, or one that is added to what is there.
#[inline(never)]
#[allow(clippy::too_many_arguments)]
fn edge<K: Kernel>(
    k: K,
    flush: bool,
    a: A<K::In>,
    rows: usize,
    b: &[[K::In; LANES]],
    nv: usize,
    later: Ahead,
    out: Out,
) {
    let mut t = [0.0; TALLEST * WIDEST];
    let t = Disjoint::new(&mut t);
    let onto = if out.onto == Onto::Chain { Onto::Chain } else { Onto::Fresh };
    let own = Out { x: &t, at: 0, ld: out.lanes, lanes: out.lanes, onto };
    if onto == Onto::Chain {
        for r in 0..rows {
            own.row(r).copy_from_slice(out.row(r));
        }
    }
    k.tile(flush, a, rows, b, nv, later, own);
    if out.onto == Onto::Sum {
        add(out, own, rows);
    } else {
        for r in 0..rows {
            out.row(r).copy_from_slice(own.row(r));
        }
    }
}

/// Rows of the highest tile of any instruction set.
const TALLEST: usize = 8;
/// Lanes of the widest panel of any instruction set.
pub(crate) const WIDEST: usize = 48;
/// Bytes of the panels of [`product`] that stay in the second cache while the rows run past them.
const KEEP: usize = 590 << 10;
/// Lanes of the panels of [`product`] at most, and as many as it takes to pay for the way of the rows through the caches.
const ACROSS: (usize, usize) = (144, 240);
/// Rows that [`product`] takes through all of the reduction before the next ones.
const GROUP: usize = 128;
/// How many panels [`product`] is best given at a time, for reductions of `len` inputs.
pub(crate) fn across<K: Kernel>(len: usize) -> usize {
    let lanes = (KEEP / (size_of::<K::In>() * len.max(1))).clamp(ACROSS.0, ACROSS.1);
    lanes / (LANES * K::NV)
}
/// Inputs of the scratch that [`product`] likes to have for a matrix of `d` columns, and the least it needs.
pub(crate) fn scratch<K: Kernel>(d: usize, paired: bool) -> (usize, usize) {
    let (len, block) = (K::In::len(d, paired), BLOCK / K::In::PER);
    let copies = K::MR * stride(len.min(block));
    let chains = if len > block { (GROUP * ACROSS.1, K::MR * WIDEST) } else { (0, 0) };
    (copies + chains.0, copies + chains.1)
}
/// Inputs between the starts of copied rows: off the powers of two, which would all fall into the same cache set.
fn stride(len: usize) -> usize {
    len.next_multiple_of(4) + LANES
}

/// Where the tiles of [`product`] go: element (row, lane l of panel p) at `row * ld + p * panel + l`, both counted from
/// the first.
#[derive(Clone, Copy)]
pub(crate) struct Place {
    pub ld: usize,
    pub panel: usize,
}

/// Rows `[v0, v1)` of `a` against panels `[p0, p1)` ([`across`] of them at most) into `z`, in groups of rows. `after(panel,
/// first row, rows, z from the group's corner on)` sees each group and panel while it is in the cache.
#[allow(clippy::too_many_arguments)]
pub(crate) fn product<K: Kernel>(
    kernel: K,
    a: &Floats,
    paired: bool,
    (v0, v1): (usize, usize),
    b: &Panels<K::In>,
    (p0, p1): (usize, usize),
    scratch: &mut [K::In],
    z: &mut [f32],
    place: Place,
    mut after: impl FnMut(usize, usize, usize, &mut [f32]),
) {
    let block = BLOCK / K::In::PER;
    let whole = b.len.min(block).max(1);
    let width = LANES * K::NV;
    // A tile takes its rows, which stay in the first cache, along all panels, whose part of the reduction stays in the
    // second one.
    let parts = ((p1 - p0) * width * size_of::<K::In>() * whole).div_ceil(KEEP);
    let steps = whole.div_ceil(parts.max(1)).next_multiple_of(4);
    let pieces = Pieces { len: steps.div_ceil(16) * 4, jump: steps.div_ceil(16) * 4 };
    let ld_copy = stride(steps);
    let (copies, chains) = scratch.split_at_mut(K::MR * stride(whole));
    let chains: &mut [f32] = bytemuck::cast_slice_mut(chains);
    let space = chains.len();
    let apart = b.len > block && steps < whole;
    let mut rows = GROUP / K::MR * K::MR;
    let ld_chains = (p1 - p0) * width;
    if apart {
        rows = rows.min(space / ld_chains / K::MR * K::MR);
    }
    let chains = Disjoint::new(chains);
    for g0 in (v0..v1).step_by(rows) {
        let g1 = v1.min(g0 + rows);
        let corner = (g0 - v0) * place.ld;
        let all = Disjoint::new(&mut *z);
        let rows_of = |p: usize| Out {
            x: &all,
            at: corner + (p - p0) * place.panel,
            ld: place.ld,
            lanes: LANES * b.get(p).1,
            onto: Onto::Fresh,
        };
        let own_rows = |p: usize| Out { x: &chains, at: (p - p0) * width, ld: ld_chains, ..rows_of(p) };
        let mut least = [NO_EXPONENT; GROUP]; // of the rows of a tile, as far as their reduction has come
        for first in (0..b.len.max(1)).step_by(block) {
            let last = b.len.min(first + block);
            for k0 in (first..last.max(1)).step_by(steps) {
                let k1 = last.min(k0 + steps);
                let onto = match (first, k0 == first) {
                    (0, true) => Onto::Fresh,
                    (_, true) if apart => Onto::Fresh,
                    (_, true) => Onto::Sum,
                    _ => Onto::Chain,
                };
                let own = apart && first > 0;
                for r in (g0..g1).step_by(K::MR) {
                    let rows = K::MR.min(g1 - r);
                    let least = &mut least[(r - g0) / K::MR];
                    let (x, ld_x) = match K::In::in_place(a, r) {
                        Some((x, ld)) => (&x[k0.min(x.len())..], ld),
                        None => {
                            for (v, x) in (r..r + rows).zip(copies.chunks_exact_mut(ld_copy)) {
                                *least = (*least).min(kernel.convert(a, paired, v, k0, &mut x[..k1 - k0]));
                            }
                            (&*copies, ld_copy)
                        }
                    };
                    // the rows of the next tile, a share of them with every panel
                    let (next, k) = if r + K::MR < g1 {
                        (r + K::MR, k0)
                    } else if k1 < b.len {
                        (g0, k1)
                    } else {
                        (g1, 0)
                    };
                    for p in p0..p1 {
                        let (b_all, nv, least_b) = b.get(p);
                        let flush = paired && needs_flush(*least, least_b);
                        let later = rows_ahead(a, next + (p - p0) * K::MR / (p1 - p0), k * K::In::PER);
                        let b = &b_all[k0 * nv..k1 * nv];
                        let out = Out { onto, ..if own { own_rows(p) } else { rows_of(p) } };
                        part(kernel, flush, A::Rows(x, ld_x, pieces), rows, b, nv, later, out.from(r - g0));
                    }
                }
            }
            if apart && first > 0 {
                for p in p0..p1 {
                    add(rows_of(p), own_rows(p), g1 - g0);
                }
            }
        }
        for p in p0..p1 {
            after(p, g0, g1 - g0, &mut z[corner + (p - p0) * place.panel..]);
        }
    }
}
/// A quarter of the lines of four rows of `a` from `v` on, with every piece those of the next row.
fn rows_ahead(a: &Floats, v: usize, k: usize) -> Ahead {
    fn of<T: Element>(m: &Matrix<T>, v: usize, k: usize) -> Ahead {
        let layout = m.layout();
        if v >= layout.rows() {
            return Ahead::NOTHING;
        }
        let jump = if v + 1 < layout.rows() { layout.offset(v + 1).wrapping_sub(layout.offset(v)) } else { 0 };
        let at = m.data().as_ptr().wrapping_add(layout.offset(v) + k).cast();
        Ahead { at, jump: jump.wrapping_mul(size_of::<T>()), lines: 1 }
    }
    match a {
        Floats::F32(m) => of(m, v, k),
        Floats::Bf16(m) => of(m, v, k),
        Floats::F16(m) => of(m, v, k),
        Floats::F64(_) => Ahead::NOTHING,
    }
}

/// CHAINS chains of `steps` multiply-adds that never leave the registers.
#[inline(always)]
fn spin<C: Chain, const CHAINS: usize>(l: C, x: C::In, steps: usize) -> f32 {
    // lanes and chains that the compiler cannot know to be equal: it would compute some of them once
    let x = core::hint::black_box([x; LANES]);
    let start = core::hint::black_box([[0.0; LANES]; CHAINS]);
    let (a, b, mut c) = (l.load(&x), l.load(&x), [l.zero(); CHAINS]);
    for i in 0..CHAINS {
        c[i] = l.resume(&start[i]);
    }
    for _ in 0..steps / CHAINS {
        for c in &mut c {
            *c = l.step(a, b, *c);
        }
    }
    let (mut sum, mut out) = (0.0, [0.0; LANES]);
    for c in c {
        l.store(c, &mut out);
        sum += out[0];
    }
    sum
}
/// Runs the multiply-adds of an instruction set at the rate of its registers, the yardstick of every product; `steps` of
/// them, 0 for the default. Returns the floating-point operations done.
#[cfg_attr(not(target_arch = "x86_64"), allow(unused_variables))] // no other has an instruction for pairs
pub fn probe(isa: Isa, paired: bool, steps: usize) -> f64 {
    fn go<K: Kernel>(k: K, steps: usize) -> f64 {
        core::hint::black_box(k.spin(steps));
        2.0 * (LANES * K::In::PER * steps) as f64
    }
    with_kernel!(isa, paired, k => go(k, steps))
}

/// `out[v][n] = a[v] . b[n]`: the plain product, for tests and as the yardstick of the fused operations.
pub fn rows_by_rows(isa: Isa, a: &Floats, b: &Floats, out: &mut [f32]) {
    let paired = matches!((a, b), (Floats::Bf16(_), Floats::Bf16(_)));
    let context = crate::Context::default();
    let rows: Vec<usize> = (0..b.rows()).collect();
    with_kernel!(isa, paired, k => plain(k, &context, a, b, paired, &rows, out))
}
fn plain<K: Kernel>(
    k: K,
    context: &crate::Context,
    a: &Floats,
    b: &Floats,
    paired: bool,
    rows: &[usize],
    out: &mut [f32],
) {
    let len = K::In::len(a.cols(), paired);
    let (vectors, panels) = Panels::<K::In>::need(rows.len(), len, K::NV);
    // vectors that start at a cache line
    let (mut data, mut least) = (vec![K::In::default(); (vectors + 1) * LANES], vec![0; panels]);
    let at = data.as_ptr().align_offset(64).min(LANES);
    let (m, mut b) = (b, Panels::new(data[at..].as_chunks_mut().0, &mut least, len, K::NV));
    b.fill(context, m, paired, rows);
    let mut scratch = vec![K::In::default(); scratch::<K>(a.cols(), paired).0];
    let ld = rows.len().next_multiple_of(LANES);
    let mut z = vec![0.0; BLOCK * ld];
    for v0 in (0..a.rows()).step_by(BLOCK) {
        let v1 = a.rows().min(v0 + BLOCK);
        let place = Place { ld, panel: LANES * K::NV };
        let some = across::<K>(len);
        for p0 in (0..b.count()).step_by(some) {
            let z = &mut z[p0 * place.panel..];
            product(
                k,
                a,
                paired,
                (v0, v1),
                &b,
                (p0, b.count().min(p0 + some)),
                &mut scratch,
                z,
                place,
                |_, _, _, _| {},
            );
        }
        for (z, out) in z.chunks_exact(ld).zip(out[v0 * rows.len()..v1 * rows.len()].chunks_exact_mut(rows.len())) {
            out.copy_from_slice(&z[..rows.len()]);
        }
    }
}
