//! Token distribution shift against 80 digits, the same bits on every instruction set and thread count, masks, special rows.
use half::{bf16, f16};
use truing_core::Status;
use truing_core::error::row;
use truing_core::logprob::{Options, Problem, Rows, Transform, TransformInputs};
use truing_core::matrix::{Floats, Matrix, MatrixMut};
use truing_core::tds_rows::{Figures, INVALID};
use truing_cpu::tds_rows::{Side, tds_rows};
use truing_cpu::{Context, Isa};
use truing_tests::{Cases, Random, U, context, contexts, hash, numbers, same};

const INF: f32 = f32::INFINITY;

#[derive(Debug)]
struct Out {
    rank: Vec<i32>,
    ties: Vec<i32>,
    eta: Vec<i32>,
    eta_max: Vec<i32>,
    logp_base: Vec<f32>,
    logp_aligned: Vec<f32>,
    kl_aligned_base: Vec<f32>,
    kl_base_aligned: Vec<f32>,
    class: Vec<u8>,
    status: Vec<u32>,
    counts: [i64; 4],
}
impl Out {
    fn new(n: usize) -> Out {
        let (i, f) = (|| vec![77; n], || vec![7.5; n]);
        Out {
            rank: i(),
            ties: i(),
            eta: i(),
            eta_max: i(),
            logp_base: f(),
            logp_aligned: f(),
            kl_aligned_base: f(),
            kl_base_aligned: f(),
            class: vec![77; n],
            status: vec![1 << 31; n],
            counts: [77; 4],
        }
    }
    fn figures(&mut self) -> Figures<'_> {
        macro_rules! all {
            ($($f:ident)*) => { Figures { $($f: Some(MatrixMut::vector(&mut self.$f))),* } };
        }
        all!(rank ties eta eta_max logp_base logp_aligned kl_aligned_base kl_base_aligned class status)
    }
    fn same(&self, what: &str, want: &Out) {
        macro_rules! each {
            ($($f:ident)*) => {$( same(&format!("{what}: {}", stringify!($f)), &self.$f, &want.$f); )*};
        }
        each!(rank ties eta eta_max logp_base logp_aligned kl_aligned_base kl_base_aligned class status counts);
    }
}
fn run(c: &Context, v: usize, options: [Options; 2], sides: [Side<'_>; 2], rows: Rows<'_>) -> Out {
    let n = sides[0].logits.rows();
    let mut out = Out::new(n);
    let problems = options.map(|o| Problem::new(n, v, o).unwrap());
    let mut counts = [77; 4];
    tds_rows(c, [&problems[0], &problems[1]], sides, rows, out.figures(), Some(&mut counts)).unwrap();
    out.counts = counts;
    out
}
fn side(logits: Floats<'_>) -> Side<'_> {
    Side { logits, transform: TransformInputs::default() }
}

/// `golden/tds_rows.txt`, 80 digits from an independent script.
#[test]
fn golden() {
    let (mut cases, contexts, mut worst) = (Cases::default(), contexts(), 0.0f64);
    for line in include_str!("golden/tds_rows.txt").lines() {
        let parts: Vec<Vec<f64>> = line.split(" | ").map(numbers).collect();
        let [seed, v, step, shift, offset, dead] = parts[0][..] else { panic!("{line}") };
        let (seed, v, dead) = (seed as u32, v as usize, dead as u32);
        let (mut base, mut aligned) = (vec![], vec![]);
        for j in 0..v as u32 {
            let x = (hash(seed, j) as f64 - 32768.0) * step;
            let y = x + ((hash(seed + 2, j) % 16) as f64 - 8.0) * shift + offset;
            let gone = |bit, k, m| dead & bit != 0 && hash(seed + k, j).is_multiple_of(m);
            base.push(if gone(1, 1, 5) { -INF } else { x as f32 });
            aligned.push(if gone(2, 3, 7) { -INF } else { y as f32 });
        }
        let [y, rank, ties, eta, class] = parts[1][..] else { panic!("{line}") };
        let target = [y as i64];
        let rows = Rows { target: Some(Matrix::vector(&target).into()), ..Rows::default() };
        let sides = [&base, &aligned].map(|z| side(Matrix::contiguous(z, 1, v).unwrap().into()));
        for c in &contexts {
            let out = run(c, v, [Options::default(); 2], sides, rows);
            let got = (out.rank[0], out.ties[0], out.eta[0], out.eta_max[0], out.class[0] as f64);
            assert_eq!(got, (rank as i32, ties as i32, eta as i32, (eta + ties) as i32, class), "{line}");
            for (k, got) in [out.logp_base[0], out.logp_aligned[0]].into_iter().enumerate() {
                let want = parts[2][k];
                assert!(
                    got as f64 == want || (got as f64 - want).abs() <= 8.0 * U * (1.0 + want.abs()),
                    "{line}: {got}"
                );
            }
            for (k, got) in [out.kl_aligned_base[0], out.kl_base_aligned[0]].into_iter().enumerate() {
                let want = parts[2][2 + k];
                if got as f64 == want {
                    continue;
                }
                // an exponent of a carries the relative error u |a| into each term; exact zeros and infinities are equal
                let error = (got as f64 - want).abs() / want;
                worst = worst.max(error);
                assert!(error <= 1e-6 || want < 1e-30 && got < 1e-13, "{line}: KL {k}: got {got:e}, expected {want:e}");
            }
            let infinite = out.kl_aligned_base[0] == INF || out.kl_base_aligned[0] == INF;
            assert_eq!(out.status[0] & row::INFINITE != 0, infinite);
            cases.ran();
        }
    }
    println!("largest relative error of a KL: {worst:e}");
    cases.finish("golden rows of the shift", 2 * 324);
}

#[test]
fn same_bits_everywhere() {
    let mut cases = Cases::default();
    for (v, n) in [(1, 3), (33, 5), (2048, 4), (5000, 7)] {
        let mut r = Random(v as u64);
        let base: Vec<f32> = (0..n * v).map(|_| (r.normal() * 4.0) as f32).collect();
        let aligned: Vec<f32> = base.iter().map(|x| x + (r.normal() * 0.3) as f32).collect();
        let (b16, h16): (Vec<bf16>, Vec<f16>) =
            (base.iter().map(|&x| bf16::from_f32(x)).collect(), aligned.iter().map(|&x| f16::from_f32(x)).collect());
        let (wide_b, wide_a): (Vec<f32>, Vec<f32>) =
            (b16.iter().map(|x| x.to_f32()).collect(), h16.iter().map(|x| x.to_f32()).collect());
        let bias: Vec<f32> = (0..v).map(|j| if j % 9 == 8 { -INF } else { (j % 3) as f32 * 0.5 }).collect();
        let transform = Transform { logit_scale: 1.0, softcap: 15.0, temperature: 1.3 };
        let cut = Options { transform, n_valid_vocab: v - v / 4, ..Options::default() };
        let m = |z| Floats::F32(Matrix::contiguous(z, n, v).unwrap());
        let narrow = [
            side(Matrix::contiguous(&b16, n, v).unwrap().into()),
            Side {
                logits: Matrix::contiguous(&h16, n, v).unwrap().into(),
                transform: TransformInputs { bias: Some(Matrix::vector(&bias).into()), row_temperature: None },
            },
        ];
        let wide = [Side { logits: m(&wide_b), ..narrow[0] }, Side { logits: m(&wide_a), ..narrow[1] }];
        for options in [[Options::default(), cut], [cut, Options::default()]] {
            let want = run(&context(Isa::Scalar, 0), v, options, wide, Rows::default());
            for c in contexts().iter().chain([&context(Isa::detect(), 3)]) {
                run(c, v, options, narrow, Rows::default()).same(&format!("V {v}"), &want);
                cases.ran();
            }
        }
        // rows alone, and without the divergences
        let c = context(Isa::detect(), 0);
        let want = run(&c, v, [Options::default(); 2], [side(m(&base)), side(m(&aligned))], Rows::default());
        for i in 0..n {
            let one =
                |z: &'_ [f32]| side(Floats::F32(Matrix::contiguous(&z[i * v..][..v], 1, v).unwrap())).logits.get(0);
            assert_eq!(one(&base).to_bits(), (base[i * v] as f64).to_bits());
            let row = |z| Side { logits: Floats::F32(Matrix::contiguous(z, 1, v).unwrap()), ..side(m(&base)) };
            let got = run(
                &c,
                v,
                [Options::default(); 2],
                [row(&base[i * v..][..v]), row(&aligned[i * v..][..v])],
                Rows::default(),
            );
            assert_eq!(got.kl_aligned_base[0].to_bits(), want.kl_aligned_base[i].to_bits());
            assert_eq!(got.rank[0], want.rank[i]);
        }
        let mut out = Out::new(n);
        let problem = Problem::new(n, v, Options::default()).unwrap();
        let figures = Figures { kl_aligned_base: None, kl_base_aligned: None, ..out.figures() };
        tds_rows(&c, [&problem; 2], [side(m(&base)), side(m(&aligned))], Rows::default(), figures, None).unwrap();
        same("without the divergences", &out.rank, &want.rank);
        same("without the divergences", &out.logp_base, &want.logp_base);
        assert!(out.kl_aligned_base.iter().all(|&x| x == 7.5));
        assert_eq!(want.counts.iter().sum::<i64>(), n as i64);
    }
    cases.finish("bits of the shift", 4 * 2 * 3);
}

#[test]
fn edges_and_refusals() {
    let c = context(Isa::detect(), 0);
    let (nan, d) = (f32::NAN, -INF);
    #[rustfmt::skip]
    let (base, aligned) = (
        [[1.0, 2.0, 0.0], [nan, 2.0, 0.0], [1.0, 2.0, 0.0], [d, d, d], [1.0, 2.0, d], [1.0, 2.0, 3.0], [9.0, 9.0, 9.0]],
        [[1.0, 2.0, 0.0], [1.0, 2.0, 0.0], [1.0, INF, 0.0], [1.0, 2.0, 0.0], [0.0, 1.0, 2.0], [1.0, d, d], [nan, nan, nan]],
    );
    let mask = [1u8, 1, 1, 1, 1, 1, 0];
    let rows = Rows { mask: Some(Matrix::vector(&mask).into()), ..Rows::default() };
    let m = |z: &'static [[f32; 3]; 7]| side(Matrix::contiguous(z.as_flattened(), 7, 3).unwrap().into());
    let (base, aligned): (&'static _, &'static _) = (Box::leak(Box::new(base)), Box::leak(Box::new(aligned)));
    let out = run(&c, 3, [Options::default(); 2], [m(base), m(aligned)], rows);
    assert_eq!(out.rank, [0, -1, -1, -1, 2, 2, -1]);
    assert_eq!(out.eta, [1, 0, 0, 0, 3, 3, 0]);
    assert_eq!(out.class, [0, INVALID, INVALID, INVALID, 1, 1, INVALID]);
    assert_eq!(out.counts, [1, 2, 0, 4]);
    assert_eq!((out.kl_aligned_base[0], out.kl_base_aligned[0]), (0.0, 0.0));
    for i in [1, 2, 3] {
        assert!(out.kl_aligned_base[i].is_nan() && out.logp_base[i].is_nan());
    }
    // the aligned token is dead in the base
    assert_eq!((out.logp_base[4], out.kl_aligned_base[4]), (-INF, INF));
    assert!(out.kl_base_aligned[4] > 0.0 && out.kl_base_aligned[4] < 10.0);
    assert!((out.kl_aligned_base[5] - (2.0 + (1.0f32 + (-1f32).exp() + (-2f32).exp()).ln())).abs() < 1e-5);
    assert_eq!(out.kl_base_aligned[5], INF);
    assert_eq!((out.logp_base[6], out.kl_aligned_base[6], out.status[6]), (0.0, 0.0, row::IGNORED));
    assert_eq!(out.status[..4], [0, row::NAN_INPUT, row::INF_INPUT, row::ALL_NEG_INF]);
    assert_eq!(out.status[4], row::INFINITE | row::TARGET_NEG_INF);
    let empty: [f32; 0] = [];
    let none = side(Matrix::contiguous(&empty, 0, 3).unwrap().into());
    assert_eq!(run(&c, 3, [Options::default(); 2], [none; 2], Rows::default()).counts, [0; 4]);

    let problem = Problem::new(7, 3, Options::default()).unwrap();
    let refused = |sides: [Side<'_>; 2], rows: Rows<'_>, status: Status, field: &str| {
        let mut out = Out::new(7);
        let e = tds_rows(&c, [&problem; 2], sides, rows, out.figures(), None).unwrap_err();
        assert_eq!((e.status, e.field), (status, field), "{e}");
        assert!(out.status.iter().all(|&s| s == 1 << 31), "a refused call has written");
    };
    let (zero, double) = ([0f32; 12], [0f64; 21]);
    let short = side(Matrix::contiguous(&zero, 4, 3).unwrap().into());
    refused([short, m(aligned)], rows, Status::ShapeMismatch, "base");
    refused([m(base), short], rows, Status::ShapeMismatch, "aligned");
    let wide = side(Matrix::contiguous(&double, 7, 3).unwrap().into());
    refused([m(base), wide], rows, Status::UnsupportedDtype, "aligned");
    let bias = [INF, 0.0, 0.0];
    let bad = TransformInputs { bias: Some(Matrix::vector(&bias).into()), row_temperature: None };
    refused([Side { transform: bad, ..m(base) }, m(aligned)], rows, Status::InvalidArgument, "base_transform.bias");
    refused([m(base), Side { transform: bad, ..m(aligned) }], rows, Status::InvalidArgument, "aligned_transform.bias");
    let target = [3i32; 7];
    let rows = Rows { target: Some(Matrix::vector(&target).into()), ..Rows::default() };
    refused([m(base), m(aligned)], rows, Status::OutOfRange, "rows.target");
}
