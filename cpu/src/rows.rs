//! Lane forms of [`truing_core::record`], shared by the kernels of rows of logits: loads, stores, the exponential, the
//! lane tree. Only correctly rounded operations, `#[inline(always)] fn` only.
use crate::lanes::{self, L32, Sixteen};
use truing_core::dtype::{Float, bf16, f16};
use truing_core::real::Real;
use truing_core::record::{EXP_CONSTANTS, EXP_LOW, EXP_TABLE};

/// Sixteen logical f32 lanes.
pub type V<S> = L32<S>;

/// The same value in every lane.
#[inline(always)]
pub fn splat<S: Sixteen>(s: S, x: f32) -> V<S> {
    V::splat(s, x)
}
/// a b + c, rounded once.
#[inline(always)]
pub fn fma<S: Sixteen>(a: V<S>, b: V<S>, c: V<S>) -> V<S> {
    Real::fma(a, b, c)
}
/// [`truing_core::record::clamp_row`]. On x86 the second operand wins when there is a NaN, on Neon the NaN does.
#[inline(always)]
pub fn clamp<S: Sixteen>(s: S, d: V<S>) -> V<S> {
    splat(s, EXP_LOW).larger(d)
}
/// [`truing_core::record::exp_parts`] of N vectors, stage by stage: what waits for a result is then not far behind it,
/// and the scheduler of a core holds more of the row.
#[inline(always)]
pub fn exp_parts<S: Sixteen, const N: usize>(s: S, d: [V<S>; N]) -> [[V<S>; N]; 2] {
    exp_rest(s, d, exp_start(s, d))
}
/// Its first step.
#[inline(always)]
fn exp_start<S: Sixteen, const N: usize>(s: S, d: [V<S>; N]) -> [V<S>; N] {
    let [scale, magic, ..] = EXP_CONSTANTS;
    let mut t = d;
    for i in 0..N {
        t[i] = fma(d[i], splat(s, scale), splat(s, magic));
    }
    t
}
/// The others.
#[inline(always)]
fn exp_rest<S: Sixteen, const N: usize>(s: S, d: [V<S>; N], mut t: [V<S>; N]) -> [[V<S>; N]; 2] {
    let [_, magic, step, c3, c2] = EXP_CONSTANTS;
    let one = splat(s, 1.0);
    let (mut f, mut power, mut p) = (d, d, d);
    for i in 0..N {
        f[i] = t[i] - splat(s, magic);
    }
    for i in 0..N {
        f[i] = fma(f[i], splat(s, step), d[i]);
        power[i].0 = s.lookup(t[i].0, &EXP_TABLE);
        t[i].0 = s.shl::<20>(t[i].0);
    }
    for i in 0..N {
        p[i] = fma(f[i], splat(s, c3), splat(s, c2));
        power[i].0 = s.iadd(power[i].0, t[i].0);
    }
    for i in 0..N {
        p[i] = fma(p[i], f[i], one);
    }
    for i in 0..N {
        p[i] = fma(p[i], f[i], one);
    }
    [power, p]
}
/// [`truing_core::record::exp_row`].
#[inline(always)]
pub fn exp<S: Sixteen>(s: S, d: V<S>) -> V<S> {
    let [[power], [p]] = exp_parts(s, [d]);
    power * p
}
/// What the mode `fast` measures the columns of a row from: the whole number of steps of the exponential's table that is nearest
/// to the row's largest column so far. An exponential takes two operations less a vector than [`exp_parts`] from the maximum
/// itself, and no column is read for a maximum before it is read for its sums.
#[derive(Clone, Copy)]
pub struct Origin<S: Sixteen> {
    start: V<S>,
}
/// Rows with more columns are summed up as in `portable`: from an origin the sums of blocks are added one after the other.
pub const SHORT: usize = 1 << 18;
/// Chunks of 32 columns from each half of a block that are summed up before their maximum is looked at.
pub const PIECE: usize = 8;
/// Steps in a unit.
const STEPS: f32 = EXP_CONSTANTS[0];
/// Steps of `m`.
#[inline(always)]
fn steps(m: f32) -> f32 {
    (m * STEPS).round_ties_even()
}
impl<S: Sixteen> Origin<S> {
    /// Maxima up to here have whole steps that f32 holds beside what rounds them.
    pub const FAR: f32 = 3e5;
    /// Beside the maximum `m`.
    #[inline(always)]
    pub fn new(s: S, m: f32) -> Self {
        Origin { start: splat(s, EXP_CONSTANTS[1] - steps(m)) }
    }
    /// The column with the exponential 0, which lower ones are raised to.
    #[inline(always)]
    pub fn low(m: f32) -> f32 {
        (steps(m) - 127.0 * 8.0) / STEPS
    }
    /// e^(m - origin): what a column with the maximum adds.
    #[inline(always)]
    pub fn own(m: f32) -> f64 {
        Real::exp((m as f64 * STEPS as f64 - steps(m) as f64) * (core::f64::consts::LN_2 / 8.0))
    }
    /// e^(origin of `m` - origin of `top`).
    #[inline(always)]
    pub fn move_to(m: f32, top: f32) -> f64 {
        Real::exp((steps(m) as f64 - steps(top) as f64) * (core::f64::consts::LN_2 / 8.0))
    }
    /// e^(x - origin) = w p of columns between [`Origin::low`] and the maximum, and NaN: within 1.5 ulp near 0.
    #[inline(always)]
    pub fn exp_parts<const N: usize>(&self, s: S, x: [V<S>; N]) -> [[V<S>; N]; 2] {
        const UNIT: f64 = core::f64::consts::LN_2 / 8.0;
        let [_, _, _, c3, c2] = EXP_CONSTANTS;
        let c = [1.0, UNIT as f32, (c2 as f64 * UNIT * UNIT) as f32, (c3 as f64 * UNIT * UNIT * UNIT) as f32];
        let (mut t, mut f, mut p, mut power) = (x, x, x, x);
        for i in 0..N {
            t[i] = fma(x[i], splat(s, STEPS), self.start);
        }
        for i in 0..N {
            f[i] = self.start - t[i];
            power[i].0 = s.lookup(t[i].0, &EXP_TABLE);
            t[i].0 = s.shl::<20>(t[i].0);
        }
        for i in 0..N {
            f[i] = fma(x[i], splat(s, STEPS), f[i]);
            power[i].0 = s.iadd(power[i].0, t[i].0);
        }
        for i in 0..N {
            p[i] = fma(f[i], splat(s, c[3]), splat(s, c[2]));
        }
        for i in 0..N {
            p[i] = fma(p[i], f[i], splat(s, c[1]));
        }
        for i in 0..N {
            p[i] = fma(p[i], f[i], splat(s, c[0]));
        }
        [power, p]
    }
}
/// The largest column of a row in the mode `fast` so far.
#[derive(Clone, Copy)]
pub struct Peak<S: Sixteen> {
    /// Its value.
    pub m: f32,
    /// The first column of the block with it.
    pub k: usize,
    /// How many columns have it in the piece where it was found, 0 before.
    pub ties: u32,
    /// What the columns are measured from.
    pub of: Origin<S>,
    /// [`Origin::low`].
    pub low: V<S>,
}
impl<S: Sixteen> Peak<S> {
    /// Not counted yet.
    #[inline(always)]
    pub fn new(s: S, m: f32, k: usize) -> Self {
        let of = if m > f32::NEG_INFINITY { m } else { 0.0 };
        Peak { m, k, ties: 0, of: Origin::new(s, of), low: splat(s, Origin::<S>::low(of)) }
    }
    /// Whether the largest columns of a piece are above it, or may be its place.
    #[inline(always)]
    pub fn rises(&self, s: S, top: V<S>) -> bool {
        let m = splat(s, self.m);
        m.simd_lt(top).any() || self.ties == 0 && self.m > f32::NEG_INFINITY && m.simd_le(top).any()
    }
}
/// What the columns `x` of a block are measured from, `m` its maximum: `-0` for a zero, so that every column with the maximum
/// has the difference `+0`, all others a negative one or a NaN; and no infinity where nothing is live.
#[inline(always)]
pub fn centre<S: Sixteen>(s: S, m: V<S>) -> V<S> {
    m.simd_eq(splat(s, 0.0)).or(m.simd_eq(splat(s, f32::NEG_INFINITY))).select(splat(s, -0.0), m)
}
/// N vectors of columns on their way to the sums of a block. A kernel that begins the next ones before it adds these gives
/// the core twice as much to do side by side.
#[derive(Clone, Copy)]
pub struct Begun<S: Sixteen, const N: usize> {
    d: [V<S>; N],
    t: [V<S>; N],
}
impl<S: Sixteen, const N: usize> Begun<S, N> {
    /// The columns `x` of a block with the [`centre`] `m`.
    #[inline(always)]
    pub fn new(s: S, x: [V<S>; N], m: V<S>) -> Self {
        let mut d = x;
        for i in 0..N {
            d[i] = x[i] - m;
        }
        for i in 0..N {
            d[i] = clamp(s, d[i]);
        }
        Begun { d, t: exp_start(s, d) }
    }
    /// The same of columns that need no [`clamp`].
    #[inline(always)]
    pub fn near(s: S, x: [V<S>; N], m: V<S>) -> Self {
        let mut d = x;
        for i in 0..N {
            d[i] = x[i] - m;
        }
        Begun { d, t: exp_start(s, d) }
    }
}
/// What N vectors of columns add to the sums of a block.
pub struct Terms<S: Sixteen, const N: usize> {
    /// [`clamp`] of the columns less the maximum.
    d: [V<S>; N],
    power: [V<S>; N],
    p: [V<S>; N],
    zero: V<S>,
    /// Some column may have the maximum. It and its ties are few: a branch costs less than a select and a count in every
    /// column.
    pub top: bool,
}
impl<S: Sixteen, const N: usize> Terms<S, N> {
    /// Goes on.
    #[inline(always)]
    pub fn new(s: S, Begun { d, t }: Begun<S, N>) -> Self {
        let mut signs = d[0].0;
        for i in 1..N {
            signs = s.iand(signs, d[i].0);
        }
        let [power, p] = exp_rest(s, d, t);
        Terms { d, power, p, zero: splat(s, 0.0), top: s.any_plus(signs) }
    }
    /// The exponentials of vector `i`.
    #[inline(always)]
    pub fn exp(&self, i: usize) -> V<S> {
        self.power[i] * self.p[i]
    }
    /// Adds vector `i` to its chains, step 3 of [`truing_core::record`]; returns the lanes that have the maximum.
    #[inline(always)]
    pub fn add<const ALL: bool>(&self, i: usize, r: &mut V<S>, u: &mut V<S>, q: &mut V<S>) -> u32 {
        let sum = fma(self.power[i], self.p[i], *r);
        let e = self.power[i] * self.p[i];
        if ALL {
            *u = fma(e, self.d[i], *u);
        }
        let square = fma(e, e, *q);
        if !self.top {
            *r = sum;
            if ALL {
                *q = square;
            }
            return 0;
        }
        let hit = self.d[i].simd_eq(self.zero);
        *r = hit.select(*r, sum);
        if ALL {
            *q = hit.select(*q, square);
        }
        hit.bits()
    }
}
/// [`truing_core::record::combine`] of two accumulators of sixteen chains, column c in lane c % 16 of vector c / 16.
#[inline(always)]
pub fn tree<S: Sixteen>(s: S, a: [V<S>; 2]) -> f32 {
    s.fold((a[0] + a[1]).0)
}
/// Largest lane, `+0` if it is a zero. A NaN may or may not win.
#[inline(always)]
pub fn largest<S: Sixteen>(s: S, a: [V<S>; 2]) -> f32 {
    s.fold_larger(a[0].larger(a[1]).0) + 0.0
}

/// Whether what lies `columns` behind all of `b` ends before `end`. A prefetch of a page that is not mapped costs more than
/// the columns under way.
#[inline(always)]
pub fn inside<T>(b: &[[T; 32]], columns: usize, end: usize) -> bool {
    b.as_ptr_range().end.addr() + columns * size_of::<T>() <= end
}
/// Asks for the 32 columns that lie `columns` behind `p`, if `inside`. Into the first cache: on the way from the second they
/// would need a line buffer again, which are what is scarce.
#[inline(always)]
pub fn prefetch<T>(p: &[T; 32], columns: usize, inside: bool) {
    if inside {
        lanes::prefetch(p.as_ptr().wrapping_add(columns), 32, false);
    }
}
/// The chunks of `b` in another order, the two halves side by side: memory is busier with two pages than with one.
#[inline(always)]
pub fn half_by_half<T>(b: &[[T; 32]], step: usize) -> &[T; 32] {
    let half = b.len() / 2;
    &b[if step < 2 * half { step / 2 + step % 2 * half } else { step }]
}
/// Copies past the cache what fills whole lines.
#[inline(never)]
pub fn stream_out<S: Sixteen, T: Cell>(s: S, from: &[T], to: &mut [T]) {
    s.enter(
        #[inline(always)]
        || {
            let head = to.as_ptr().align_offset(64).min(to.len());
            let ((a, from), (b, to)) = (from.split_at(head), to.split_at_mut(head));
            b.copy_from_slice(a);
            let ((a, from), (b, to)) = (from.as_chunks::<32>(), to.as_chunks_mut::<32>());
            for (a, b) in a.iter().zip(b) {
                T::stream(s, a, b);
            }
            to.copy_from_slice(from);
        },
    )
}

/// A type of logits or gradients: 32 columns at a time, column c in lane c % 16 of vector c / 16.
pub trait Cell: Float {
    /// Widens exactly.
    fn load<S: Sixteen>(s: S, p: &[Self; 32]) -> [V<S>; 2];
    /// Rounds once, to nearest even; every NaN becomes the canonical one of a 16-bit type.
    fn store<S: Sixteen>(s: S, v: [V<S>; 2], p: &mut [Self; 32]);
    /// Widens in the order that costs least; [`Cell::put`] and [`Cell::sum`] undo it.
    #[inline(always)]
    fn take<S: Sixteen>(s: S, p: &[Self; 32]) -> [V<S>; 2] {
        Self::load(s, p)
    }
    /// Rounds as [`Cell::store`] does what [`Cell::take`] ordered. STREAM: past the cache where the address allows it.
    #[inline(always)]
    fn put<S: Sixteen, const STREAM: bool>(s: S, v: [V<S>; 2], p: &mut [Self; 32]) {
        Self::store(s, v, p);
    }
    /// Copies past the cache where the address allows it.
    #[inline(always)]
    fn stream<S: Sixteen>(s: S, from: &[Self; 32], to: &mut [Self; 32]) {
        Self::put::<S, true>(s, Self::take(s, from), to);
    }
    /// [`truing_core::record::combine`] of accumulators in the order of [`Cell::take`].
    #[inline(always)]
    fn sum<S: Sixteen>(s: S, a: [V<S>; 2]) -> f32 {
        tree(s, a)
    }
    /// Running maximum over many loads. A NaN may or may not enter it: the sums see every NaN.
    type Max<S: Sixteen>: Copy;
    /// The maximum of nothing.
    fn max_new<S: Sixteen>(s: S) -> Self::Max<S>;
    /// Takes in 32 columns.
    fn max_add<S: Sixteen>(s: S, m: &mut Self::Max<S>, p: &[Self; 32]);
    /// Its value, `+0` if it is a zero.
    fn max_get<S: Sixteen>(s: S, m: Self::Max<S>) -> f32;
}
macro_rules! float_max {
    () => {
        type Max<S: Sixteen> = [V<S>; 2];
        #[inline(always)]
        fn max_new<S: Sixteen>(s: S) -> [V<S>; 2] {
            [splat(s, f32::NEG_INFINITY); 2]
        }
        #[inline(always)]
        fn max_add<S: Sixteen>(s: S, m: &mut [V<S>; 2], p: &[Self; 32]) {
            let x = Self::load(s, p);
            *m = [m[0].larger(x[0]), m[1].larger(x[1])];
        }
        #[inline(always)]
        fn max_get<S: Sixteen>(s: S, m: [V<S>; 2]) -> f32 {
            largest(s, m)
        }
    };
}
impl Cell for f32 {
    float_max!();
    #[inline(always)]
    fn load<S: Sixteen>(s: S, p: &[f32; 32]) -> [V<S>; 2] {
        [V::from_slice(s, &p[..16]), V::from_slice(s, &p[16..])]
    }
    #[inline(always)]
    fn store<S: Sixteen>(_: S, v: [V<S>; 2], p: &mut [f32; 32]) {
        v[0].store_slice(&mut p[..16]);
        v[1].store_slice(&mut p[16..]);
    }
    #[inline(always)]
    fn put<S: Sixteen, const STREAM: bool>(s: S, v: [V<S>; 2], p: &mut [f32; 32]) {
        if !STREAM {
            return Self::store(s, v, p);
        }
        let (a, b) = p.split_first_chunk_mut().unwrap();
        s.stream(v[0].0, a);
        s.stream(v[1].0, b.first_chunk_mut().unwrap());
    }
}
/// On the bits, 32 columns at a time: the largest signed word if any column is >= +0, else the smallest unsigned one.
macro_rules! word_max {
    ($type:ident) => {
        type Max<S: Sixteen> = [V<S>; 2];
        #[inline(always)]
        fn max_new<S: Sixteen>(s: S) -> Self::Max<S> {
            [V::new(s, bits(s, u32::MAX)), V::new(s, bits(s, $type::NEG_INFINITY.to_bits() as u32 * 0x1_0001))]
        }
        #[inline(always)]
        fn max_add<S: Sixteen>(s: S, m: &mut Self::Max<S>, p: &[Self; 32]) {
            let w = s.words(bytemuck::cast_ref(p));
            *m = [V::new(s, s.max_i16(m[0].0, w)), V::new(s, s.min_u16(m[1].0, w))];
        }
        #[inline(always)]
        fn max_get<S: Sixteen>(_: S, m: Self::Max<S>) -> f32 {
            let (mut a, mut b) = ([0.0; 16], [0.0; 16]);
            m[0].store_slice(&mut a);
            m[1].store_slice(&mut b);
            let (mut a, mut b): ([i16; 32], [u16; 32]) = (bytemuck::cast(a), bytemuck::cast(b));
            let mut w = 16;
            while w > 0 {
                for i in 0..w {
                    a[i] = a[i].max(a[i + w]);
                    b[i] = b[i].min(b[i + w]);
                }
                w /= 2;
            }
            let x = if a[0] >= 0 { a[0] as u16 } else { b[0] };
            $type::from_bits(x).to_f32() + 0.0
        }
    };
}
/// The same bits in every lane.
#[inline(always)]
pub fn bits<S: Sixteen>(s: S, x: u32) -> S::V {
    s.splat(f32::from_bits(x))
}
impl Cell for bf16 {
    word_max!(bf16);
    #[inline(always)]
    fn load<S: Sixteen>(s: S, p: &[bf16; 32]) -> [V<S>; 2] {
        let [a, b] = s.widen(bytemuck::cast_ref(p));
        [V::new(s, s.shl::<16>(a)), V::new(s, s.shl::<16>(b))]
    }
    #[inline(always)]
    fn store<S: Sixteen>(s: S, v: [V<S>; 2], p: &mut [bf16; 32]) {
        let v = [s.shr::<16>(round_bf16(s, v[0])), s.shr::<16>(round_bf16(s, v[1]))];
        s.narrow(v, bytemuck::cast_mut(p));
    }
    /// Even columns, odd columns: one operation each, where keeping the order takes two.
    #[inline(always)]
    fn take<S: Sixteen>(s: S, p: &[bf16; 32]) -> [V<S>; 2] {
        let w = s.words(bytemuck::cast_ref(p));
        [V::new(s, s.shl::<16>(w)), V::new(s, s.iand(w, bits(s, 0xffff_0000)))]
    }
    #[inline(always)]
    fn put<S: Sixteen, const STREAM: bool>(s: S, v: [V<S>; 2], p: &mut [bf16; 32]) {
        let low = s.shr::<16>(round_bf16(s, v[0]));
        let high = s.iand(round_bf16(s, v[1]), bits(s, 0xffff_0000));
        let words = s.ior(low, high);
        if STREAM { s.stream_words(words, bytemuck::cast_mut(p)) } else { s.store_words(words, bytemuck::cast_mut(p)) }
    }
    #[inline(always)]
    fn stream<S: Sixteen>(s: S, from: &[Self; 32], to: &mut [Self; 32]) {
        s.stream_words(s.words(bytemuck::cast_ref(from)), bytemuck::cast_mut(to));
    }
    /// The tree adds columns of one parity before it adds the two.
    #[inline(always)]
    fn sum<S: Sixteen>(s: S, a: [V<S>; 2]) -> f32 {
        s.fold(a[0].0) + s.fold(a[1].0)
    }
}
/// The bf16 in the upper half, anything in the lower.
#[inline(always)]
fn round_bf16<S: Sixteen>(s: S, x: V<S>) -> S::V {
    let odd = s.iand(s.shr::<16>(x.0), bits(s, 1));
    let r = s.iadd(s.iadd(x.0, bits(s, 0x7fff)), odd);
    s.select(s.eq(x.0, x.0), r, bits(s, 0x7fc0_0000))
}
impl Cell for f16 {
    word_max!(f16);
    #[inline(always)]
    fn load<S: Sixteen>(s: S, p: &[f16; 32]) -> [V<S>; 2] {
        let [a, b] = s.widen_f16(bytemuck::cast_ref(p));
        [V::new(s, a), V::new(s, b)]
    }
    #[inline(always)]
    fn store<S: Sixteen>(s: S, v: [V<S>; 2], p: &mut [f16; 32]) {
        s.round_f16([v[0].0, v[1].0], bytemuck::cast_mut(p));
    }
}
