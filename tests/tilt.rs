//! Tilted distributions, Renyi numbers and the best of n, against an independent script (`golden/tilt.txt`) and at their edges.
use truing_core::error::row;
use truing_core::matrix::{Floats, Matrix, MatrixMut};
use truing_core::tilt::{
    BestOfN, BestOfNEstimate, BestOfNEstimateOut, BestOfNOut, Pairing, Renyi, RenyiOut, Tilt, TiltOut,
};
use truing_core::{Error, Status};
use truing_cpu::tilt::{best_of_n, best_of_n_estimate, best_of_n_workspace, renyi, tilt};
use truing_cpu::{Context, ContextOptions};
use truing_tests::{Cases, Golden, same, with_scratch};

const INF: f64 = f64::INFINITY;
const NAN: f64 = f64::NAN;
fn m(x: &[f64], n: usize) -> Floats<'_> {
    Floats::F64(Matrix::contiguous(x, n, x.len() / n).unwrap())
}
#[track_caller]
fn close(what: &str, got: &[f64], want: &[f64], relative: f64, size: f64) {
    assert_eq!(got.len(), want.len(), "{what}");
    let most = want.iter().filter(|x| x.is_finite()).fold(0.0f64, |m, x| m.max(x.abs()));
    for (g, w) in got.iter().zip(want) {
        assert!(g == w || (g - w).abs() <= relative * most + size, "{what}: got {g:e}, expected {w:e} of {most:e}");
    }
}

#[derive(Clone, Debug, Default)]
struct Tilts {
    log_tilted: Vec<f64>,
    figures: [Vec<f64>; 5],
    grads: [Vec<f64>; 3],
    status: Vec<u32>,
}
fn run(c: &Context, x: &Tilt<'_>) -> Result<Tilts, Error> {
    let (n, v) = (x.logps.rows(), x.logps.cols());
    let given = x.grad_log_z.is_some() || x.grad_kl.is_some();
    let f = || vec![7.5; n];
    let mut out = Tilts {
        log_tilted: vec![7.5; n * v],
        figures: [f(), f(), f(), f(), f()],
        grads: [vec![7.5; n * v], vec![7.5; n * v], f()],
        status: vec![9; n],
    };
    let [z, mean, variance, kl, alpha] = &mut out.figures;
    let [gl, gr, ga] = &mut out.grads;
    let places = TiltOut {
        log_tilted: Some(MatrixMut::contiguous(&mut out.log_tilted, n, v).unwrap().into()),
        log_z: Some(MatrixMut::vector(z).into()),
        mean: Some(MatrixMut::vector(mean).into()),
        variance: Some(MatrixMut::vector(variance).into()),
        kl: Some(MatrixMut::vector(kl).into()),
        alpha: Some(MatrixMut::vector(alpha).into()),
        grad_logps: given.then(|| MatrixMut::contiguous(gl, n, v).unwrap().into()),
        grad_rewards: given.then(|| MatrixMut::contiguous(gr, n, v).unwrap().into()),
        grad_alpha: given.then(|| MatrixMut::vector(ga).into()),
        status: Some(MatrixMut::vector(&mut out.status)),
    };
    tilt(c, x, places)?;
    Ok(out)
}
fn plain<'a>(l: &'a [f64], r: &'a [f64], alpha: &'a [f64]) -> Tilt<'a> {
    let n = alpha.len();
    Tilt { logps: m(l, n), rewards: m(r, n), alpha: m(alpha, n), solve: false, grad_log_z: None, grad_kl: None }
}

#[test]
fn golden() {
    let (mut cases, c) = (Cases::default(), Context::default());
    let one = [1.0];
    for g in Golden::of("tilt") {
        let (l, r, alpha) = (g.get("logps"), g.get("rewards"), g.get("alpha"));
        let x = plain(l, r, alpha);
        let out = run(&c, &x).unwrap();
        let what = format!("tilt of {} by {}", l.len(), alpha[0]);
        let spread = alpha[0].abs() * r.iter().filter(|r| r.is_finite()).fold(1.0f64, |m, r| m.max(r.abs())) + 20.0;
        let ulp = 16.0 * f64::EPSILON * spread;
        close(&what, &out.figures[0], g.get("log_z"), 1e-14, ulp);
        close(&what, &out.figures[1], g.get("mean"), 1e-13, ulp / alpha[0].abs().max(1.0));
        close(&format!("{what}: variance"), &out.figures[2], g.get("variance"), 1e-9, 1e-300);
        close(&format!("{what}: KL"), &out.figures[3], g.get("kl"), 1e-10, 1e-28);
        close(&what, &out.log_tilted, g.get("log_tilted"), 1e-13, ulp);
        assert_eq!(out.status, [0]);
        cases.ran();
        if l.len() > 7 || r.contains(&-INF) {
            continue;
        }
        for (name, x) in
            [("z", Tilt { grad_log_z: Some(m(&one, 1)), ..x }), ("kl", Tilt { grad_kl: Some(m(&one, 1)), ..x })]
        {
            let out = run(&c, &x).unwrap();
            for (k, of) in ["logps", "rewards", "alpha"].iter().enumerate() {
                let want = g.get(match (name, *of) {
                    ("z", "logps") => "z_logps",
                    ("z", "rewards") => "z_rewards",
                    ("z", _) => "z_alpha",
                    (_, "logps") => "kl_logps",
                    (_, "rewards") => "kl_rewards",
                    _ => "kl_alpha",
                });
                close(&format!("{what}: d {name} / d {of}"), &out.grads[k], want, 1e-8, 1e-15 * (1.0 + spread));
            }
        }
    }
    for g in Golden::of("tilt_solve") {
        let x = Tilt { solve: true, ..plain(g.get("logps"), g.get("rewards"), g.get("target")) };
        let out = run(&c, &x).unwrap();
        close("alpha", &out.figures[4], g.get("alpha"), 1e-10, 0.0);
        close("KL of the solution", &out.figures[3], g.get("target"), 1e-12, 0.0);
        cases.ran();
    }
    for (name, pairing) in [("renyi_array", Pairing::Divergence), ("renyi_cross_entropy", Pairing::CrossEntropy)] {
        for g in Golden::of(name) {
            let (a, b, order) = (g.get("first"), g.get("second"), g.one("order"));
            let x = Renyi { first: m(a, 1), second: m(b, 1), order, pairing, grad_values: Some(m(&one, 1)) };
            let (mut value, mut ga, mut gb, mut status) = ([7.5], vec![7.5; a.len()], vec![7.5; a.len()], [9]);
            let out = RenyiOut {
                values: Some(MatrixMut::vector(&mut value).into()),
                grad_first: Some(MatrixMut::contiguous(&mut ga, 1, a.len()).unwrap().into()),
                grad_second: Some(MatrixMut::contiguous(&mut gb, 1, a.len()).unwrap().into()),
                status: Some(MatrixMut::vector(&mut status)),
            };
            renyi(&c, &x, out).unwrap();
            let (what, want) = (format!("{name} {order} of {}", a.len()), g.one("value"));
            // exponents are off by the rounding of order times a log-prob; a cross entropy is divided by 1 - order
            let size = if pairing == Pairing::CrossEntropy {
                1e-14 * (1.0 + 20.0 / (1.0 - order).abs().max(1e-3))
            } else {
                1e-24
            };
            close(&what, &value, &[want], 1e-11, if want == 0.0 { 1e-15 } else { size });
            if want == INF {
                assert_eq!((status, ga.iter().all(|g| *g == 0.0)), ([row::INFINITE], true), "{what}");
            } else {
                let size = if pairing == Pairing::CrossEntropy { 1e-12 } else { 1e-17 };
                close(&format!("{what}: first"), &ga, g.get("grad_first"), 1e-7, size);
                close(&format!("{what}: second"), &gb, g.get("grad_second"), 1e-7, size);
            }
            cases.ran();
        }
    }
    for g in Golden::of("best_of_n_exact") {
        let (l, r) = (g.get("logps"), g.get("rewards"));
        let x = BestOfN { logps: m(l, 1), rewards: m(r, 1), n: g.one("n"), worst: g.one("worst") == 1.0 };
        let (mut pmf, mut kl, mut wins) = (vec![7.5; l.len()], [7.5], [7.5]);
        let out = BestOfNOut {
            log_pmf: Some(MatrixMut::contiguous(&mut pmf, 1, l.len()).unwrap().into()),
            kl: Some(MatrixMut::vector(&mut kl).into()),
            win_rate: Some(MatrixMut::vector(&mut wins).into()),
            status: None,
        };
        with_scratch(best_of_n_workspace(&x).minimum, |w| best_of_n(&x, out, w)).unwrap();
        let (what, n) = (format!("best of {} of {}", x.n, l.len()), x.n);
        // log F^n is n roundings of log F
        close(&format!("{what}: log-probs"), &pmf, g.get("log_pmf"), 1e-11, 4.0 * f64::EPSILON * (n + 10.0));
        close(&format!("{what}: KL"), &kl, g.get("kl"), 1e-12 + 2e-16 * n, 1e-14);
        close(&format!("{what}: win rate"), &wins, g.get("win_rate"), 1e-13 + 2e-16 * n, 0.0);
        if n == 1.0 {
            assert_eq!(kl, [0.0], "{what}");
        }
        cases.ran();
    }
    for g in Golden::of("best_of_n_kl_estimate") {
        let (l, n) = (g.get("logp"), g.one("n"));
        let (mut kl, mut status) = ([7.5], [9]);
        let out = BestOfNEstimateOut {
            kl: Some(MatrixMut::vector(&mut kl).into()),
            status: Some(MatrixMut::vector(&mut status)),
        };
        best_of_n_estimate(&c, &BestOfNEstimate { logps: m(l, 1), n }, out).unwrap();
        // log q - L has the rounding of L where both are large
        let size = if n * l[0].exp() < 1e-8 { 0.0 } else { 2.0 * f64::EPSILON * (l[0].abs() + n.ln()) };
        close(&format!("estimate of the best of {n} from {}", l[0]), &kl, g.get("kl"), 1e-13, size);
        assert_eq!(status, [0]);
        cases.ran();
    }
    cases.finish("tilts, Renyi numbers, best of n", 330 + 72);
}

/// Threads change nothing; bad rows stay alone; what has no solution says so.
#[test]
fn edges() {
    let c = Context::default();
    let l = [0.0, 1.0, NAN, 0.0, 0.0, INF, -INF, -INF, 0.0, 0.5, 1.0, 2.0];
    let r = [1.0, 2.0, 1.0, 2.0, 1.0, 2.0, 1.0, 2.0, NAN, 1.0, -INF, 3.0];
    let alpha = [1.0, 1.0, 1.0, 1.0, 1.0, -1.0];
    let out = run(&c, &plain(&l, &r, &alpha)).unwrap();
    let flags = [0, row::NAN_INPUT, row::INF_INPUT, row::ALL_NEG_INF, row::NAN_INPUT, row::INF_INPUT];
    assert_eq!(out.status, flags);
    assert!(out.figures[0][0].is_finite() && out.figures[0][1..].iter().all(|x| x.is_nan()));
    // beyond the largest divergence that a tilt has, and without a spread
    let (l, r) = ([0.0, 0.0, 0.0, 0.0], [1.0, 2.0, 5.0, 5.0]);
    let target = [0.7, 0.1];
    let x = Tilt { solve: true, ..plain(&l, &r, &target) };
    let out = run(&c, &x).unwrap();
    assert_eq!((out.status.as_slice(), out.figures[4].as_slice()), (&[row::DEGENERATE; 2][..], &[INF; 2][..]));
    assert_eq!(out.log_tilted, [-INF, 0.0, -(2f64.ln()), -(2f64.ln())]);
    assert!((out.figures[3][0] - 2f64.ln()).abs() < 1e-15);
    let zero = [0.0, 0.0];
    let out = run(&c, &Tilt { solve: true, ..plain(&l, &r, &zero) }).unwrap();
    assert_eq!((out.figures[4].as_slice(), out.figures[3].as_slice()), (&[0.0; 2][..], &[0.0; 2][..]));
    // an estimate has no probability above 1
    let (l, mut kl, mut status) = ([0.5, INF, NAN, -1.0], [7.5f64; 4], [9; 4]);
    let out = BestOfNEstimateOut {
        kl: Some(MatrixMut::vector(&mut kl).into()),
        status: Some(MatrixMut::vector(&mut status)),
    };
    best_of_n_estimate(&c, &BestOfNEstimate { logps: m(&l, 4), n: 4.0 }, out).unwrap();
    assert_eq!(status, [row::DEGENERATE, row::INF_INPUT, row::NAN_INPUT, 0]);
    assert!(kl[..3].iter().all(|x| x.is_nan()) && kl[3].is_finite());
    // threads
    let (l, r): (Vec<f64>, Vec<f64>) =
        (0..64 * 300).map(|j| ((j * 37 % 101) as f64 / 25.0, (j * 53 % 89) as f64 / 30.0)).unzip();
    let alpha = vec![0.75; 64];
    let want = run(&c, &plain(&l, &r, &alpha)).unwrap();
    let three = Context::new(ContextOptions { threads: 3, ..ContextOptions::default() }).unwrap();
    let got = run(&three, &plain(&l, &r, &alpha)).unwrap();
    same("log phi", &got.log_tilted, &want.log_tilted);
    same("KL", &got.figures[3], &want.figures[3]);
}

#[test]
fn refusals() {
    let c = Context::default();
    let (l, one) = ([0.0, 1.0], [1.0]);
    let refused = |x: &Tilt<'_>, field: &str| {
        let e = run(&c, x).unwrap_err();
        assert_eq!((e.status, e.field), (Status::InvalidArgument, field), "{e}");
    };
    refused(&plain(&l, &l, &[NAN]), "alpha");
    refused(&Tilt { solve: true, ..plain(&l, &l, &[-1.0]) }, "target");
    assert_eq!(run(&c, &plain(&l, &[0.0, 1.0, 2.0], &one)).unwrap_err().field, "rewards");
    for (order, pairing) in [(-1.0, Pairing::Divergence), (NAN, Pairing::Divergence), (INF, Pairing::CrossEntropy)] {
        let x = Renyi { first: m(&l, 1), second: m(&l, 1), order, pairing, grad_values: None };
        assert_eq!(renyi(&c, &x, RenyiOut::default()).unwrap_err().field, "order");
    }
    let mut grad = [7.5; 2];
    let out =
        RenyiOut { grad_first: Some(MatrixMut::contiguous(&mut grad, 1, 2).unwrap().into()), ..RenyiOut::default() };
    let x = Renyi { first: m(&l, 1), second: m(&l, 1), order: 2.0, pairing: Pairing::Divergence, grad_values: None };
    assert_eq!(renyi(&c, &x, out).unwrap_err().field, "grad_first_out");
    for n in [0.5, NAN, INF] {
        let x = BestOfN { logps: m(&l, 1), rewards: m(&l, 1), n, worst: false };
        assert_eq!(best_of_n(&x, BestOfNOut::default(), &mut []).unwrap_err().field, "n");
        let x = BestOfNEstimate { logps: m(&l, 2), n };
        assert_eq!(best_of_n_estimate(&c, &x, BestOfNEstimateOut::default()).unwrap_err().field, "n");
    }
}
