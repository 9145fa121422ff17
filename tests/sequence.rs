//! Sequence scores against their formulas, the same bits padded or packed and over threads, hostile inputs.
use truing_core::dtype::{bf16, f16};
use truing_core::error::row;
use truing_core::matrix::{Floats, FloatsMut, Ints, Layout, Mask, Matrix, MatrixMut};
use truing_core::sequence::{Divisor, Grads, Inputs, Options, Outputs, Problem, Score, Segments, Upstream, Weights};
use truing_core::{Error, Status};
use truing_cpu::{Context, Isa, sequence};
use truing_tests::{Cases, Random, context, same};

/// A batch in its plainest form: `[B, T]`, everything in f64.
struct Batch {
    width: usize,
    logp: Vec<f64>,
    reference: Vec<f64>,
    weight: Vec<f32>,
    mask: Vec<u8>,
    prefix: Vec<i32>,
}
impl Batch {
    fn new(seed: u64, sequences: usize, width: usize) -> Batch {
        let mut r = Random(seed);
        let n = sequences * width;
        let mut b = Batch {
            width,
            logp: (0..n).map(|_| f16::from_f64(-6.0 * r.uniform()).to_f64()).collect(),
            reference: (0..n).map(|_| f16::from_f64(-6.0 * r.uniform()).to_f64()).collect(),
            weight: (0..n).map(|_| [0.0, 0.5, 1.0, 2.5][r.below(4)]).collect(),
            mask: (0..n).map(|_| (r.below(4) > 0) as u8).collect(),
            prefix: (0..sequences).map(|_| r.below(width + 1) as i32).collect(),
        };
        // one sequence without a live token
        if sequences > 2 {
            b.mask[width..2 * width].fill(0);
        }
        b
    }
    /// Value and d/dlogp of sequence `b`, straight from the table in the documentation.
    fn oracle(
        &self,
        b: usize,
        o: &Options,
        reference: bool,
        weights: bool,
        masked: bool,
    ) -> (f64, Vec<f64>, f64, bool) {
        let live: Vec<usize> =
            (b * self.width..(b + 1) * self.width).filter(|&i| !masked || self.mask[i] != 0).collect();
        let w = |i: usize| if weights { self.weight[i] as f64 } else { 1.0 };
        let r = |i: usize| if reference { self.reference[i] } else { 0.0 };
        let mut grad = vec![0.0; self.width];
        let (mut value, mut size) = (0.0, 0.0);
        for (k, &i) in live.iter().enumerate() {
            let d = self.logp[i] - r(i);
            let (d, slope) = match o.clamp {
                Some((low, high)) => (d.clamp(low, high), (d >= low && d <= high) as u8 as f64),
                None => (d, 1.0),
            };
            size += w(i) * d.abs();
            let front = k < self.prefix[b] as usize;
            match o.score {
                Score::Ld { alpha, policy_only } => {
                    let c = if front { 1.0 } else { alpha };
                    value += if policy_only { c * self.logp[i] - r(i) } else { c * d };
                    grad[i - b * self.width] = c * slope;
                }
                _ => {
                    value += w(i) * d;
                    grad[i - b * self.width] = w(i) * slope;
                }
            }
        }
        let z = match o.score {
            Score::Mean(Divisor::Tokens) => live.len() as f64,
            Score::Mean(Divisor::Weights) => live.iter().map(|&i| w(i)).sum(),
            Score::Mean(Divisor::External(z)) => z,
            _ => 1.0,
        };
        if live.is_empty() || z == 0.0 {
            return (0.0, vec![0.0; self.width], 0.0, true);
        }
        (value / z, grad.iter().map(|g| g / z).collect(), size / z, false)
    }
}
const SCORES: [Score; 7] = [
    Score::Sum,
    Score::Mean(Divisor::Tokens),
    Score::Mean(Divisor::Weights),
    Score::Mean(Divisor::External(7.5)),
    Score::Ld { alpha: 0.25, policy_only: false },
    Score::Ld { alpha: 0.0, policy_only: false },
    Score::Ld { alpha: 0.5, policy_only: true },
];
fn options() -> Vec<Options> {
    let mut all = Vec::new();
    for score in SCORES {
        for clamp in [None, Some((-1.0, 2.0)), Some((f64::NEG_INFINITY, 0.0))] {
            if !(clamp.is_some() && matches!(score, Score::Ld { policy_only: true, .. })) {
                all.push(Options { score, clamp });
            }
        }
    }
    all
}
fn threads() -> [Context; 2] {
    [context(Isa::detect(), 0), context(Isa::detect(), 3)]
}

struct Got {
    scores: Vec<f64>,
    counts: Vec<i32>,
    first: Vec<i32>,
    last: Vec<i32>,
    status: Vec<u32>,
    counters: [i64; 32],
}
fn run(c: &Context, p: &Problem, i: &Inputs) -> Result<Got, Error> {
    let b = p.sequences();
    let mut g = Got {
        scores: vec![77.0; b],
        counts: vec![77; b],
        first: vec![77; b],
        last: vec![77; b],
        status: vec![77; b],
        counters: [77; 32],
    };
    let out = Outputs {
        scores: Some(MatrixMut::vector(&mut g.scores).into()),
        counts: Some(MatrixMut::vector(&mut g.counts)),
        first: Some(MatrixMut::vector(&mut g.first)),
        last: Some(MatrixMut::vector(&mut g.last)),
        status: Some(MatrixMut::vector(&mut g.status)),
    };
    sequence::forward(c, p, i, out, Some(&mut g.counters))?;
    Ok(g)
}

#[test]
fn formulas() {
    let mut cases = Cases::default();
    for (sequences, width) in [(1, 1), (3, 5), (5, 33), (40, 700)] {
        let b = Batch::new(sequences as u64, sequences, width);
        for o in options() {
            for (reference, weights, masked) in
                [(0, 0, 0), (1, 0, 1), (0, 1, 1), (1, 1, 1), (1, 1, 0)].map(|(a, b, c)| (a > 0, b > 0, c > 0))
            {
                let ld = matches!(o.score, Score::Ld { .. });
                if (o.clamp.is_some() && !reference) || (ld && weights) {
                    continue;
                }
                for dtype in 0..4 {
                    let (l32, r32): (Vec<f32>, Vec<f32>) = (to(&b.logp), to(&b.reference));
                    let lb: Vec<bf16> = b.logp.iter().map(|&x| bf16::from_f64(x)).collect();
                    let lh: Vec<f16> = b.logp.iter().map(|&x| f16::from_f64(x)).collect();
                    let mut exact = Batch {
                        mask: b.mask.clone(),
                        logp: b.logp.clone(),
                        reference: b.reference.clone(),
                        weight: b.weight.clone(),
                        prefix: b.prefix.clone(),
                        ..b
                    };
                    let logps: Floats = match dtype {
                        0 => Matrix::vector(&l32[..]).into(),
                        1 => {
                            exact.logp = lb.iter().map(|x| x.to_f64()).collect();
                            Matrix::vector(&lb[..]).into()
                        }
                        2 => Matrix::vector(&lh[..]).into(),
                        _ => Matrix::vector(&b.logp[..]).into(),
                    };
                    let segments = Segments::Padded { sequences, width };
                    let p = Problem::new(sequences * width, segments, o).unwrap();
                    let mask_i32: Vec<i32> = b.mask.iter().map(|&m| -(m as i32)).collect();
                    let mask_i64: Vec<i64> = b.mask.iter().map(|&m| m as i64 * 5).collect();
                    let mask: Mask = match dtype {
                        0 => Mask::I32(Matrix::vector(&mask_i32)),
                        1 => Mask::I64(Matrix::vector(&mask_i64)),
                        _ => Mask::U8(Matrix::vector(&b.mask)),
                    };
                    let i = Inputs {
                        logps,
                        ref_logps: reference.then_some(Floats::F32(Matrix::vector(&r32))),
                        weights: Weights {
                            mask: masked.then_some(mask),
                            token_weights: weights.then_some(Matrix::vector(&b.weight)),
                            ld_prefix: ld.then_some(Ints::I32(Matrix::vector(&b.prefix))),
                        },
                    };
                    let all = threads().map(|c| run(&c, &p, &i).unwrap());
                    same("threads", &all[0].scores, &all[1].scores);
                    same("threads", &all[0].status, &all[1].status);
                    let g = &all[0];
                    for s in 0..sequences {
                        let (want, _, size, empty) = exact.oracle(s, &o, reference, weights, masked);
                        let bound = 2f64.powi(-52) * (width as f64 + 4.0) * size + 1e-300;
                        let bound = if matches!(o.score, Score::Ld { policy_only: true, .. }) { 1e-10 } else { bound };
                        assert!((g.scores[s] - want).abs() <= bound, "{o:?} {s}: {} for {want}", g.scores[s]);
                        let live: Vec<i32> =
                            (0..width as i32).filter(|&t| !masked || b.mask[s * width + t as usize] != 0).collect();
                        assert_eq!(g.counts[s] as usize, live.len());
                        assert_eq!(
                            (g.first[s], g.last[s]),
                            (live.first().map_or(-1, |&x| x), live.last().map_or(-1, |&x| x))
                        );
                        assert_eq!(g.status[s] & row::EMPTY != 0, empty);
                        cases.ran();
                    }
                    let empty = g.status.iter().filter(|&&s| s & row::EMPTY != 0).count() as i64;
                    assert_eq!(g.counters[7], empty);
                    let mut narrow = vec![0f32; sequences];
                    let out = Outputs { scores: Some(MatrixMut::vector(&mut narrow).into()), ..Outputs::default() };
                    sequence::forward(&context(Isa::Scalar, 0), &p, &i, out, None).unwrap();
                    same("f32 scores", &narrow, &to::<f32>(&g.scores));
                }
            }
        }
    }
    cases.finish("sequence formulas", 9000);
}
fn to<T: truing_core::dtype::Float>(x: &[f64]) -> Vec<T> {
    x.iter().map(|&x| T::from_f64(x)).collect()
}

#[test]
fn gradients() {
    let mut cases = Cases::default();
    for (sequences, width) in [(1, 1), (4, 9), (7, 4000)] {
        let b = Batch::new(90 + sequences as u64, sequences, width);
        let (l32, r32): (Vec<f32>, Vec<f32>) = (to(&b.logp), to(&b.reference));
        let g: Vec<f64> = (0..sequences).map(|s| s as f64 * 0.7 - 1.3).collect();
        let half = [0.5f32];
        for o in options() {
            for weights in [false, true] {
                let ld = matches!(o.score, Score::Ld { .. });
                if ld && weights {
                    continue;
                }
                let p = Problem::new(sequences * width, Segments::Padded { sequences, width }, o).unwrap();
                let u = Upstream {
                    logps: Some(Floats::F32(Matrix::vector(&l32))),
                    ref_logps: Some(Floats::F32(Matrix::vector(&r32))),
                    weights: Weights {
                        mask: Some(Mask::U8(Matrix::vector(&b.mask))),
                        token_weights: weights.then_some(Matrix::vector(&b.weight)),
                        ld_prefix: ld.then_some(Ints::I32(Matrix::vector(&b.prefix))),
                    },
                    grad_scores: Floats::F64(Matrix::vector(&g)),
                    grad_output: Some(Floats::F32(Matrix::vector(&half))),
                    grad_scale: -3.0,
                };
                let mut bits = Vec::new();
                for c in threads() {
                    let (mut dl, mut dr) = (vec![9f32; sequences * width], vec![9f32; sequences * width]);
                    let places =
                        Grads { logps: Some(MatrixMut::vector(&mut dl)), ref_logps: Some(MatrixMut::vector(&mut dr)) };
                    sequence::backward(&c, &p, &u, places).unwrap();
                    for s in 0..sequences {
                        let (_, want, _, _) = b.oracle(s, &o, true, weights, true);
                        for t in 0..width {
                            let (i, live) = (s * width + t, b.mask[s * width + t] != 0);
                            let w = want[t] * g[s] * -1.5;
                            assert!((dl[i] as f64 - w).abs() <= 2f64.powi(-24) * w.abs(), "{o:?}: {} for {w}", dl[i]);
                            let policy_only = matches!(o.score, Score::Ld { policy_only: true, .. });
                            let wr = if policy_only && live { g[s] * 1.5 } else { -w };
                            assert!(
                                (dr[i] as f64 - wr).abs() <= 2f64.powi(-24) * wr.abs(),
                                "{o:?}: {} for {wr}",
                                dr[i]
                            );
                        }
                        cases.ran();
                    }
                    bits.push(dl);
                }
                same("threads", &bits[0], &bits[1]);
            }
        }
    }
    cases.finish("sequence gradients", 600);
}

/// The same live tokens in every layout: padded, strided, packed with i32 and i64 offsets, left and right padding.
#[test]
fn layouts() {
    let mut cases = Cases::default();
    let mut r = Random(5);
    let lengths = [3usize, 0, 17, 1, 64, 5];
    let n: usize = lengths.iter().sum();
    let (width, total) = (70, lengths.len());
    let packed: Vec<f32> = (0..n).map(|_| -(r.uniform() as f32)).collect();
    let packed_ref: Vec<f32> = (0..n).map(|_| -(r.uniform() as f32)).collect();
    let packed_w: Vec<f32> = (0..n).map(|_| r.uniform() as f32 * 2.0).collect();
    let mut cu = vec![0i64];
    lengths.iter().for_each(|&l| cu.push(cu[cu.len() - 1] + l as i64));
    let cu32: Vec<i32> = cu.iter().map(|&c| c as i32).collect();
    for o in options() {
        let ld = matches!(o.score, Score::Ld { .. });
        let prefix = [2i64, 0, 9, 0, 100, 5];
        let mut want: Option<(Got, Vec<f32>)> = None;
        for form in 0..6 {
            // where token t of sequence s stands
            let (stride, lead) = ([width, width, width + 3, 0, 0, 2 * width][form], [0, 1, 0, 0, 0, 0][form]);
            let step = if form == 5 { 2 } else { 1 };
            let (mut l, mut f, mut w, mut m) = (packed.clone(), packed_ref.clone(), packed_w.clone(), vec![1u8; n]);
            if form < 3 || form == 5 {
                let size = total * stride.max(1) + 8;
                (l, f, w, m) = (vec![f32::NAN; size], vec![f32::INFINITY; size], vec![-5.0; size], vec![0u8; size]);
                for s in 0..total {
                    for t in 0..lengths[s] {
                        let from = cu[s] as usize + t;
                        let at = s * stride + (t + if lead == 1 { width - lengths[s] } else { 0 }) * step;
                        (l[at], f[at], w[at], m[at]) = (packed[from], packed_ref[from], packed_w[from], 1);
                    }
                }
            }
            let layout = if form == 3 || form == 4 {
                Layout::contiguous(n, 1)
            } else {
                Layout::batched(total, width, 1, stride, step)
            };
            let segments = match form {
                3 => Segments::Packed(Ints::I64(Matrix::vector(&cu))),
                4 => Segments::Packed(Ints::I32(Matrix::vector(&cu32))),
                _ => Segments::Padded { sequences: total, width },
            };
            let p = Problem::new(layout.rows(), segments, o).unwrap();
            let i = Inputs {
                logps: Floats::F32(Matrix::new(&l, layout).unwrap()),
                ref_logps: Some(Floats::F32(Matrix::new(&f, layout).unwrap())),
                weights: Weights {
                    mask: Some(Mask::U8(Matrix::new(&m, layout).unwrap())),
                    token_weights: (!ld).then(|| Matrix::new(&w, layout).unwrap()),
                    ld_prefix: ld.then_some(Ints::I64(Matrix::vector(&prefix))),
                },
            };
            let ones = vec![1.0; total];
            let u = Upstream {
                logps: Some(i.logps),
                ref_logps: i.ref_logps,
                weights: i.weights,
                grad_scores: Floats::F64(Matrix::vector(&ones)),
                grad_output: None,
                grad_scale: 1.0,
            };
            let mut dense = vec![5f32; layout.rows()];
            sequence::backward(
                &threads()[1],
                &p,
                &u,
                Grads { logps: Some(MatrixMut::vector(&mut dense)), ref_logps: None },
            )
            .unwrap();
            let live: Vec<f32> = (0..layout.rows()).filter(|&i| m[layout.offset(i)] != 0).map(|i| dense[i]).collect();
            assert!((0..layout.rows()).all(|i| m[layout.offset(i)] != 0 || dense[i] == 0.0));
            let g = run(&threads()[form % 2], &p, &i).unwrap();
            match &want {
                None => want = Some((g, live)),
                Some((w, dw)) => {
                    same("scores of a layout", &g.scores, &w.scores);
                    same("counts of a layout", &g.counts, &w.counts);
                    same("status of a layout", &g.status, &w.status);
                    same("gradients of a layout", &live, dw);
                }
            }
            cases.ran();
        }
    }
    cases.finish("sequence layouts", 114);
}

#[test]
fn special_values() {
    let sum = |l: &[f64], r: Option<&[f64]>, w: Option<&[f32]>, o: Options| {
        let p = Problem::new(l.len(), Segments::Padded { sequences: 1, width: l.len() }, o).unwrap();
        let i = Inputs {
            logps: Floats::F64(Matrix::vector(l)),
            ref_logps: r.map(|r| Floats::F64(Matrix::vector(r))),
            weights: Weights { token_weights: w.map(Matrix::vector), ..Weights::default() },
        };
        let g = run(&threads()[0], &p, &i).unwrap();
        (g.scores[0], g.status[0])
    };
    let (inf, nan, plain) = (f64::INFINITY, f64::NAN, Options::default());
    assert_eq!(sum(&[-1.0, -inf], None, None, plain), (-inf, row::INFINITE));
    assert_eq!(sum(&[-1.0, -2.0], Some(&[-inf, -1.0]), None, plain), (inf, row::INFINITE));
    let (v, s) = sum(&[-1.0, -inf], Some(&[-1.0, -inf]), None, plain);
    assert!(v.is_nan() && s == row::INF_INPUT);
    let (v, s) = sum(&[-1.0, nan], None, None, plain);
    assert!(v.is_nan() && s == row::NAN_INPUT);
    // a token of weight 0 is not read but counts as live
    let mean = Options { score: Score::Mean(Divisor::Tokens), clamp: None };
    assert_eq!(sum(&[-1.0, nan], None, Some(&[1.0, 0.0]), mean), (-0.5, 0));
    let weighted = Options { score: Score::Mean(Divisor::Weights), clamp: None };
    assert_eq!(sum(&[-1.0, nan], None, Some(&[0.0, 0.0]), weighted), (0.0, row::EMPTY));
    assert_eq!(sum(&[], None, None, mean), (0.0, row::EMPTY));
    let clamp = Options { score: Score::Sum, clamp: Some((-1.0, 1.0)) };
    assert_eq!(sum(&[-9.0, -1.0], Some(&[-1.0, -1.0]), None, clamp), (-1.0, row::SATURATED));
    // on the bound nothing is clamped
    assert_eq!(sum(&[-2.0], Some(&[-1.0]), None, clamp), (-1.0, 0));
    let (v, _) = sum(&[nan], Some(&[-1.0]), None, clamp);
    assert!(v.is_nan());
    // f32 places overflow by themselves
    let l = [-3e38f64; 2];
    let p = Problem::new(2, Segments::Padded { sequences: 1, width: 2 }, plain).unwrap();
    let i = Inputs { logps: Floats::F64(Matrix::vector(&l)), ref_logps: None, weights: Weights::default() };
    let (mut s, mut bits) = ([0f32], [0u32]);
    let out = Outputs {
        scores: Some(MatrixMut::vector(&mut s).into()),
        status: Some(MatrixMut::vector(&mut bits)),
        ..Outputs::default()
    };
    sequence::forward(&threads()[0], &p, &i, out, None).unwrap();
    assert_eq!((s[0], bits[0]), (f32::NEG_INFINITY, row::OVERFLOW));
    // no sequence at all
    let p = Problem::new(0, Segments::Padded { sequences: 0, width: 9 }, plain).unwrap();
    let i = Inputs { logps: Floats::F64(Matrix::vector(&[])), ref_logps: None, weights: Weights::default() };
    assert!(run(&threads()[1], &p, &i).unwrap().scores.is_empty());
}

#[test]
fn errors() {
    let mut cases = Cases::default();
    let mut refused = |e: Error, field: &str, status: Status| {
        assert_eq!((e.field, e.status), (field, status), "{e}");
        cases.ran();
    };
    let plain = Options::default();
    let new = |n, s, o| Problem::new(n, s, o).unwrap_err();
    let packed = |cu: &'static [i32]| Segments::Packed(Ints::I32(Matrix::vector(cu)));
    refused(new(7, Segments::Padded { sequences: 2, width: 3 }, plain), "logps", Status::ShapeMismatch);
    refused(new(7, packed(&[]), plain), "cu_seqlens", Status::ShapeMismatch);
    refused(new(7, packed(&[1, 7]), plain), "cu_seqlens", Status::OutOfRange);
    refused(new(7, packed(&[0, 5, 4, 7]), plain), "cu_seqlens", Status::OutOfRange);
    refused(new(7, packed(&[0, 5]), plain), "cu_seqlens", Status::OutOfRange);
    refused(new(7, packed(&[0, -5, 7]), plain), "cu_seqlens", Status::OutOfRange);
    let one = Segments::Padded { sequences: 1, width: 2 };
    for z in [0.0, -1.0, f64::NAN, f64::INFINITY] {
        let o = Options { score: Score::Mean(Divisor::External(z)), clamp: None };
        refused(new(2, one, o), "score.normaliser", Status::InvalidArgument);
    }
    for alpha in [-0.1, 1.1, f64::NAN] {
        let o = Options { score: Score::Ld { alpha, policy_only: false }, clamp: None };
        refused(new(2, one, o), "score.ld_alpha", Status::InvalidArgument);
    }
    for clamp in [(1.0, 0.0), (f64::NAN, 1.0), (0.0, f64::NAN)] {
        refused(
            new(2, one, Options { score: Score::Sum, clamp: Some(clamp) }),
            "score.clamp_high",
            Status::InvalidArgument,
        );
    }
    let both = Options { score: Score::Ld { alpha: 0.5, policy_only: true }, clamp: Some((0.0, 1.0)) };
    refused(new(2, one, both), "score.clamp_low", Status::InvalidArgument);

    let (l, three) = ([-1f32, -2.0], [-1f32; 3]);
    let i = Inputs { logps: Floats::F32(Matrix::vector(&l)), ref_logps: None, weights: Weights::default() };
    let p = Problem::new(2, one, plain).unwrap();
    let c = &threads()[1];
    // nothing is written by a refused call
    let mut try_it = |p: &Problem, i: &Inputs, field: &str, status: Status| {
        let (mut s, mut n, mut counters) = ([77f64], [77i32], [77i64; 32]);
        let out = Outputs {
            scores: Some(MatrixMut::vector(&mut s).into()),
            counts: Some(MatrixMut::vector(&mut n)),
            ..Outputs::default()
        };
        refused(sequence::forward(c, p, i, out, Some(&mut counters)).unwrap_err(), field, status);
        assert!(s == [77.0] && n == [77] && counters == [77; 32]);
    };
    let bad = Floats::F32(Matrix::vector(&three));
    try_it(&p, &Inputs { logps: bad, ..i }, "logps", Status::ShapeMismatch);
    try_it(&p, &Inputs { ref_logps: Some(bad), ..i }, "ref_logps", Status::ShapeMismatch);
    let mask = Some(Mask::U8(Matrix::vector(&[1u8])));
    try_it(&p, &Inputs { weights: Weights { mask, ..i.weights }, ..i }, "mask", Status::ShapeMismatch);
    let mut w = |x: [f32; 2], dead: u8| {
        let m = [1u8, dead];
        let weights = Weights {
            mask: Some(Mask::U8(Matrix::vector(&m))),
            token_weights: Some(Matrix::vector(&x)),
            ld_prefix: None,
        };
        if dead == 1 {
            try_it(&p, &Inputs { weights, ..i }, "score.token_weights", Status::InvalidArgument);
        } else {
            assert!(run(c, &p, &Inputs { weights, ..i }).is_ok());
        }
    };
    w([1.0, -1.0], 1);
    w([1.0, f32::NAN], 1);
    w([1.0, f32::INFINITY], 1);
    w([1.0, f32::NAN], 0);
    let clamp = Problem::new(2, one, Options { score: Score::Sum, clamp: Some((0.0, 1.0)) }).unwrap();
    try_it(&clamp, &i, "ref_logps", Status::InvalidArgument);
    let ld =
        Problem::new(2, one, Options { score: Score::Ld { alpha: 0.5, policy_only: false }, clamp: None }).unwrap();
    try_it(&ld, &i, "score.ld_prefix", Status::InvalidArgument);
    let prefix = |p: &'static [i32]| Weights { ld_prefix: Some(Ints::I32(Matrix::vector(p))), ..Weights::default() };
    try_it(&ld, &Inputs { weights: prefix(&[-1]), ..i }, "score.ld_prefix", Status::OutOfRange);
    try_it(&ld, &Inputs { weights: prefix(&[1, 1]), ..i }, "score.ld_prefix", Status::ShapeMismatch);
    try_it(&p, &Inputs { weights: prefix(&[1]), ..i }, "score.ld_prefix", Status::InvalidArgument);
    let weights = Weights { token_weights: Some(Matrix::vector(&l)), ..prefix(&[1]) };
    try_it(&ld, &Inputs { weights, ..i }, "score.token_weights", Status::InvalidArgument);
    let mut half = [bf16::ZERO];
    let out = Outputs { scores: Some(FloatsMut::Bf16(MatrixMut::vector(&mut half))), ..Outputs::default() };
    refused(sequence::forward(c, &p, &i, out, None).unwrap_err(), "out_scores", Status::UnsupportedDtype);
    let mut two = [0i32; 2];
    let out = Outputs { counts: Some(MatrixMut::vector(&mut two)), ..Outputs::default() };
    refused(sequence::forward(c, &p, &i, out, None).unwrap_err(), "out_counts", Status::ShapeMismatch);
    let g = [1f64];
    let u = Upstream {
        logps: None,
        ref_logps: None,
        weights: Weights::default(),
        grad_scores: Floats::F64(Matrix::vector(&g)),
        grad_output: None,
        grad_scale: 1.0,
    };
    let mut back = |p: &Problem, u: Upstream, field: &str, status: Status| {
        let mut d = [77f32; 2];
        let places = Grads { logps: Some(MatrixMut::vector(&mut d)), ref_logps: None };
        refused(sequence::backward(c, p, &u, places).unwrap_err(), field, status);
        assert_eq!(d, [77.0; 2]);
    };
    back(&clamp, u, "logps", Status::InvalidArgument);
    back(&p, Upstream { grad_scale: f64::NAN, ..u }, "grad_scale", Status::InvalidArgument);
    back(&p, Upstream { grad_output: Some(bad), ..u }, "grad_output", Status::ShapeMismatch);
    back(&p, Upstream { grad_scores: bad, ..u }, "grad_scores", Status::ShapeMismatch);
    let half = [bf16::ONE];
    back(
        &p,
        Upstream { grad_scores: Floats::Bf16(Matrix::vector(&half)), ..u },
        "grad_scores",
        Status::UnsupportedDtype,
    );
    cases.finish("sequence errors", 36);
}
