//! The row record: its exponential, the merge, the tree, shards, and the lane forms of loads and stores.
use truing_core::dtype::{bf16, f16};
use truing_core::error::row;
use truing_core::logprob::{LogitRow, Target};
use truing_core::record::{BLOCK, EXP_LOW, Record, RowTransform, Tree, block, clamp_row, combine, exp_parts, exp_row};
use truing_cpu::lanes::Sixteen;
use truing_cpu::rows::{self, Cell};
use truing_cpu::{Isa, on_lanes};
use truing_tests::{Cases, Random, U, same};

/// Differences from 0 down to `EXP_LOW` and beyond, NaN and infinities, every 61st float.
fn differences() -> Vec<f32> {
    let mut x: Vec<f32> = (0x8000_0000..(-200.0f32).to_bits()).step_by(61).map(f32::from_bits).collect();
    x.extend([0.0, f32::NAN, f32::NEG_INFINITY, EXP_LOW, f32::from_bits(EXP_LOW.to_bits() - 1), -87.336, 1.0, 88.0]);
    x.resize(x.len().next_multiple_of(16), 0.0);
    x
}

#[test]
fn exp_row_is_accurate() {
    assert_eq!(exp_row(0.0), 1.0);
    assert_eq!(exp_row(-0.0), 1.0);
    assert_eq!(exp_row(EXP_LOW).to_bits(), 0);
    assert!(exp_row(f32::NAN).is_nan());
    let (mut cases, mut worst, mut near) = (Cases::default(), 0.0f64, 0.0f64);
    for d in differences() {
        if !(d <= 0.0 && d > -87.336) {
            continue;
        }
        let want = (d as f64).exp();
        let ulp = 2f64.powi((want.log2().floor() as i32).max(-126) - 23);
        let error = (exp_row(d) as f64 - want).abs() / ulp;
        let [w, p] = exp_parts(d);
        let unrounded = (w as f64 * p as f64 - want).abs() / ulp;
        // 0.03 ulp for each factor of two
        let more = 0.03 * -d as f64 * std::f64::consts::LOG2_E;
        assert!(unrounded <= 1.5 + more && error <= 2.0 + more, "exp_row({d}): {unrounded}, {error} ulp");
        worst = worst.max(error);
        near = if d > -0.7 { near.max(error) } else { near };
        cases.ran();
    }
    println!("exp_row: {worst:.2} ulp, {near:.2} above -0.7");
    cases.finish("exp_row", 18_000_000);
}

#[inline(always)]
fn lanes_exp<S: Sixteen>(s: S, x: &[f32], out: &mut [f32]) {
    for (x, out) in x.chunks_exact(16).zip(out.chunks_exact_mut(16)) {
        let d = rows::clamp(s, rows::V::from_slice(s, x));
        rows::exp(s, d).store_slice(out);
    }
}
#[test]
fn lanes_give_the_scalar_exponential() {
    let x = differences();
    let want: Vec<f32> = x.iter().map(|&d| exp_row(clamp_row(d))).collect();
    let mut out = vec![0.0; x.len()];
    for isa in Isa::available() {
        out.fill(7.0);
        on_lanes!(isa, s => lanes_exp(s, &x, &mut out), {
            for (o, &d) in out.iter_mut().zip(&x) {
                *o = exp_row(clamp_row(d));
            }
        });
        same(isa.name(), &out, &want);
    }
}

#[inline(always)]
fn lanes_load<S: Sixteen, T: Cell>(s: S, x: &[T; 32], out: &mut [f32; 32]) {
    let v = T::load(s, x);
    f32::store(s, v, out);
}
#[inline(always)]
fn lanes_store<S: Sixteen, T: Cell>(s: S, x: &[f32; 32], out: &mut [T; 32]) {
    let v = f32::load(s, x);
    T::store(s, v, out);
}
/// Widens and rounds in the type's own order, past the cache or not; the sum of the chains.
#[inline(always)]
fn lanes_own<S: Sixteen, T: Cell>(s: S, x: &[T; 32], out: &mut [[T; 32]; 2]) -> f32 {
    let v = T::take(s, x);
    T::put::<S, false>(s, v, &mut out[0]);
    T::put::<S, true>(s, v, &mut out[1]);
    T::sum(s, v)
}
fn converts<T: Cell + truing_tests::Bits>(make: impl Fn(u16) -> T) {
    let all: Vec<T> = (0..=u16::MAX).map(make).collect();
    let mut random = Random(1);
    // around every rounding boundary and far away
    let mut floats: Vec<f32> = all
        .iter()
        .flat_map(|x| [-1, 0, 1].map(|d| f32::from_bits(x.to_f32().to_bits().wrapping_add_signed(d))))
        .collect();
    floats.extend((0..1 << 18).map(|_| f32::from_bits(random.bits() as u32)));
    floats.extend(all.windows(2).map(|w| 0.5 * (w[0].to_f32() + w[1].to_f32())));
    floats.resize(floats.len().next_multiple_of(32), 0.0);
    for isa in Isa::available() {
        for c in all.as_chunks::<32>().0 {
            let (mut got, want) = ([0.0; 32], c.map(|x| x.to_f32()));
            on_lanes!(isa, s => lanes_load(s, c, &mut got), got = want);
            same(isa.name(), &got, &want);
        }
        for c in all.as_chunks::<32>().0 {
            let (mut got, want) = ([[T::default(); 32]; 2], c.map(|x| T::from_f32(x.to_f32())));
            let total = combine(c.map(|x| x.to_f32()));
            let sum = on_lanes!(isa, s => lanes_own(s, c, &mut got), {
                got = [want; 2];
                total
            });
            same(isa.name(), &got[0], &want);
            same(isa.name(), &got[1], &want);
            same(isa.name(), &[sum], &[total]);
        }
        for c in floats.as_chunks::<32>().0 {
            let (mut got, want) = ([T::default(); 32], c.map(T::from_f32));
            on_lanes!(isa, s => lanes_store(s, c, &mut got), got = want);
            same(isa.name(), &got, &want);
        }
    }
}
#[test]
fn lanes_convert_as_scalars_do() {
    converts(bf16::from_bits);
    converts(f16::from_bits);
}

fn row(v: usize, seed: u64) -> Vec<f32> {
    let mut random = Random(seed);
    random.normals(v, 3.0)
}
fn record(z: &[f32], target: Target) -> Record {
    LogitRow { z, bias: None, transform: RowTransform::Plain }.record(target)
}
/// A shard's record: its columns stand at `first..`.
fn shard(z: &[f32], first: usize) -> Record {
    let mut tree = Tree::new();
    for at in (0..z.len()).step_by(BLOCK) {
        tree.push(block(&z[at..z.len().min(at + BLOCK)], first + at));
    }
    tree.finish()
}

#[test]
fn aligned_shards_give_the_unsharded_bits() {
    let mut cases = Cases::default();
    for v in [1, 2049, 4096, 16032, 49152, 128256] {
        let z = row(v, v as u64);
        let want = record(&z, Target::None).pack();
        for blocks in [1, 2, 4, 8, 16, 32] {
            let mut tree = Tree::new();
            for first in (0..v).step_by(blocks * BLOCK) {
                tree.push(shard(&z[first..v.min(first + blocks * BLOCK)], first));
            }
            same(&format!("V {v}, {blocks} blocks a shard"), &tree.finish().conclude(Target::None).pack(), &want);
            cases.ran();
        }
    }
    cases.finish("aligned shards", 36);
}

#[test]
fn other_cuts_stay_accurate() {
    let (v, cut) = (128256, 16032);
    for seed in 0..8 {
        let z = row(v, seed);
        let m = z.iter().fold(f64::NEG_INFINITY, |m, &x| m.max(x as f64));
        let s: f64 = z.iter().map(|&x| (x as f64 - m).exp()).sum();
        let u: f64 = z.iter().map(|&x| (x as f64 - m).exp() * (x as f64 - m)).sum();
        // cuts inside a block: the shard's own blocks start at its first column
        let mut tree = Tree::new();
        for first in (0..v).step_by(cut) {
            let mut part = shard(&z[first..first + cut], 0);
            part.k += first as u32;
            tree.push(part);
        }
        let f = tree.finish().conclude(Target::None).figures(Target::None);
        assert_eq!(z[f.argmax as usize] as f64, m);
        assert!((f.lse as f64 - (m + s.ln())).abs() <= 5.0 * U * (m.abs() + s.ln() + 1.0));
        assert!((f.entropy as f64 - (s.ln() - u / s)).abs() <= 8.0 * U * (1.0 + (v as f64).ln()));
    }
}

#[test]
fn merge_skips_empty_and_keeps_poison() {
    let a = shard(&row(100, 1), 0);
    let bits = |x: Record| x.pack();
    same("empty on the right", &bits(a.merge(Record::EMPTY)), &bits(a));
    same("empty on the left", &bits(Record::EMPTY.merge(a)), &bits(a));
    same("two empty ones", &bits(Record::EMPTY.merge(Record::EMPTY)), &bits(Record::EMPTY));
    let p = Record::poison(row::NAN_INPUT);
    for x in [a.merge(p), p.merge(a), p.merge(Record::EMPTY), Record::EMPTY.merge(p), p.merge(Record::poison(0))] {
        same("poison", &bits(x), &bits(p));
        assert!(x.poisoned());
    }
    let both = p.merge(Record::poison(row::INF_INPUT));
    assert_eq!(both.flags, row::NAN_INPUT | row::INF_INPUT);
}

#[test]
fn ties_keep_the_lowest_column_and_count() {
    // the maximum stands in three blocks; each counts its own, and one of all is left out
    let mut z = vec![0.0f32; 5000];
    z.iter_mut().for_each(|x| *x = -100.0);
    for k in [4999, 2047, 2048, 4096, 3000] {
        z[k] = 1.5;
    }
    let x = record(&z, Target::None);
    assert_eq!((x.m, x.k, x.r, x.q1, x.u), (1.5, 2047, 4.0, 4.0, 0.0));
    // -0 and +0 are one maximum, written as +0
    let x = record(&[-0.0, 0.0, -0.0], Target::None);
    assert_eq!((x.m.to_bits(), x.k, x.r), (0, 0, 2.0));
}

#[test]
fn statistics_survive_packing() {
    let x = Record {
        k: 0x7fc0_0001,
        above: u32::MAX,
        live: 3,
        flags: 0x7f80_0001,
        ..record(&row(300, 5), Target::Column(7))
    };
    let y = Record::unpack(&x.pack());
    assert_eq!((y.k, y.above, y.live, y.flags), (x.k, x.above, x.live, x.flags));
    same("floats", &[y.m, y.r, y.u, y.q1, y.xy], &[x.m, x.r, x.u, x.q1, x.xy]);
}
