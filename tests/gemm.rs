//! Every kernel of the products gives the bits of the written rule, here in scalar code straight from the text: blocks
//! of 2048, one chain of fused multiply-adds from +0 in index order; two bf16 operands by pairs, odd element first,
//! denormal inputs and tiny steps as zero.
use truing_core::dtype::{bf16, f16};
use truing_core::matrix::{Layout, Matrix};
use truing_cpu::{Isa, gemm};
use truing_tests::{Cases, Data, Random};

const BLOCK: usize = 2048;

fn chain(a: &[f32], b: &[f32]) -> f32 {
    a.iter().zip(b).fold(0.0, |c, (x, y)| x.mul_add(*y, c))
}
/// A step of the bf16 rule. Tiny: below 2^-126 when rounded to 24 bits with any exponent; the product of two bf16
/// numbers is exact in f64, and so is the comparison (a sum that f64 rounds is far above the edge or far below it).
fn step(x: bf16, y: bf16, c: f32) -> f32 {
    let daz = |x: bf16| {
        let x = x.to_f32();
        if x.abs() < f32::MIN_POSITIVE { 0f32.copysign(x) } else { x }
    };
    let (x, y) = (daz(x), daz(y));
    let r = x.mul_add(y, c);
    let edge = f64::powi(2.0, -126) - f64::powi(2.0, -151);
    if (x as f64 * y as f64 + c as f64).abs() < edge { 0f32.copysign(r) } else { r }
}
fn pairs(a: &[bf16], b: &[bf16]) -> f32 {
    let at = |x: &[bf16], i: usize| x.get(i).copied().unwrap_or(bf16::ZERO);
    (0..a.len()).step_by(2).fold(0.0, |c, i| step(at(a, i), at(b, i), step(at(a, i + 1), at(b, i + 1), c)))
}
fn blocks<T>(a: &[T], b: &[T], f: impl Fn(&[T], &[T]) -> f32) -> f32 {
    a.chunks(BLOCK).zip(b.chunks(BLOCK)).map(|(a, b)| f(a, b)).reduce(|s, x| s + x).unwrap()
}

/// A matrix, widened too.
struct Side(Data, Vec<f32>, Layout);
fn rule(a: &Side, i: usize, b: &Side, j: usize) -> f32 {
    let (la, lb, d) = (a.2, b.2, a.2.cols);
    if let (Data::Bf16(a), Data::Bf16(b)) = (&a.0, &b.0) {
        return blocks(&a[la.offset(i)..][..d], &b[lb.offset(j)..][..d], pairs);
    }
    blocks(&a.1[la.offset(i)..][..d], &b.1[lb.offset(j)..][..d], chain)
}

/// Kinds of data: ordinary; exponents over the whole range, denormals and underflow included; exponents around the
/// square root of the least normal number, where the products straddle it.
fn value(random: &mut Random, kind: usize) -> f32 {
    let bits = random.bits() as u32;
    match kind {
        0 => random.between(-1.0, 1.0) as f32,
        1 => f32::from_bits((bits & 0x807f_ffff) | (random.below(128) as u32) << 23),
        _ => f32::from_bits((bits & 0x807f_ffff) | (56 + random.below(16) as u32) << 23),
    }
}

fn layout(rows: usize, d: usize, kind: usize) -> Layout {
    match kind {
        0 => Layout::contiguous(rows, d),
        1 => Layout::strided(rows, d, d + 3),
        // the first half of the tokens of each sequence and the last one do not collapse
        _ if rows.is_multiple_of(2) => Layout::batched(2, rows / 2, d, (rows / 2 + 1) * d, d),
        _ => Layout::strided(rows, d, d + 2),
    }
}

#[test]
fn every_path_gives_the_bits_of_the_rule() {
    let mut random = Random(1);
    let mut shapes = vec![
        (1, 1, 1),
        (17, 15, 33),
        (5, 2049, 31),
        (3, 4097, 9),
        (50, 33, 70),
        (49, 64, 100),
        (2, 6000, 5),
        (48, 2048, 16),
        (96, 130, 8),
        // two groups of weight rows; a block in parts that the second cache holds, whose chains lie apart
        (80, 2052, 132),
    ];
    for _ in 0..6 {
        shapes.push((1 + random.below(70), 1 + random.below(300), 1 + random.below(90)));
    }
    let isas: Vec<Isa> = Isa::available().collect();
    let mut cases = Cases::default();
    for (at, &(n, d, v)) in shapes.iter().enumerate() {
        for (data, pair) in (0..3).flat_map(|data| (0..9).map(move |pair| (data, pair))) {
            let (lh, lw) = (layout(n, d, at % 3), layout(v, d, (at + pair) % 3));
            let mut make = |l: Layout, kind: usize| {
                let x: Vec<f32> = (0..l.extent().unwrap()).map(|_| value(&mut random, data)).collect();
                let x = Data::new(kind, &x);
                let wide = x.wide();
                Side(x, wide, l)
            };
            let (h, w) = (make(lh, pair % 3), make(lw, pair / 3));
            let want: Vec<f32> = (0..v * n).map(|at| rule(&w, at / n, &h, at % n)).collect();
            for &isa in &isas {
                let mut got = vec![f32::NAN; n * v];
                gemm::rows_by_rows(isa, &w.0.view(lw), &h.0.view(lh), &mut got);
                for (i, (g, w)) in got.iter().zip(&want).enumerate() {
                    assert!(
                        g.to_bits() == w.to_bits() || g.is_nan() && w.is_nan(),
                        "{} {n}x{d}x{v}, types {pair}, data {data}, element {i}: got {g:e}, expected {w:e}",
                        isa.name()
                    );
                }
                cases.ran();
            }
        }
    }
    for isa in [Isa::Avx2, Isa::Avx512F, Isa::Avx512Bf16, Isa::Neon] {
        if !isas.contains(&isa) {
            println!("skipped: {} (not on this machine), {} cases", isa.name(), shapes.len() * 27);
        }
    }
    cases.finish("paths, shapes, types, data", 432 * isas.len());
}

/// Results just below 2^-126: the bf16 dot product decides "tiny" with an unbounded exponent; a plain multiply-add rounds
/// some of them up to 2^-126.
#[test]
fn the_flush_is_exact_at_the_edge() {
    let bf = |x: f32| bf16::from_bits((x.to_bits() >> 16) as u16);
    let p = |e: i32| f32::powi(2.0, -e);
    let (mut cases, mut edge) = (Cases::default(), 0);
    for (e, f) in (70..80).flat_map(|e| (70..80).map(move |f| (e, f))) {
        for (m, sign) in [(1.0, 1.0), (1.0, -1.0f32), (1.5, 1.0), (1.5, -1.0), (1.9921875, 1.0), (1.9921875, -1.0)] {
            let h = [bf(m * p(e)), bf(p(63))];
            let w = [bf(-sign * p(f)), bf(sign * p(63))];
            let want = pairs(&w, &h);
            let plain = w[0].to_f32().mul_add(h[0].to_f32(), w[1].to_f32() * h[1].to_f32());
            edge += (plain.to_bits() != want.to_bits()) as usize;
            for isa in Isa::available() {
                let (a, b) = (Matrix::contiguous(&w, 1, 2).unwrap(), Matrix::contiguous(&h, 1, 2).unwrap());
                let mut got = [f32::NAN];
                gemm::rows_by_rows(isa, &a.into(), &b.into(), &mut got);
                assert_eq!(got[0].to_bits(), want.to_bits(), "{} 2^-126 - {m} 2^-{}", isa.name(), e + f);
                cases.ran();
            }
        }
    }
    assert!(edge > 100, "the data must meet the edge: {edge}");
    cases.finish("edges", 600 * Isa::available().count());
}

/// f16 widens exactly, every bit pattern.
#[test]
fn every_f16_widens_exactly() {
    let all: Vec<f16> = (0..=u16::MAX).map(f16::from_bits).collect();
    let a = Matrix::contiguous(&all, all.len(), 1).unwrap();
    let one = [1.0f32];
    let b = Matrix::contiguous(&one, 1, 1).unwrap();
    let mut got = vec![0.0; all.len()];
    gemm::rows_by_rows(Isa::detect(), &a.into(), &b.into(), &mut got);
    for (x, got) in all.iter().zip(got) {
        let want = x.to_f32() + 0.0; // a chain starts from +0
        assert!(got.to_bits() == want.to_bits() || got.is_nan() && want.is_nan(), "{x:?}: {got}");
    }
}
