//! Operations over the numbers of a batch, against loops written here a second time and against identities.
use truing_core::batch::*;
use truing_core::error::row;
use truing_core::matrix::{Floats, Mask, Matrix, MatrixMut};
use truing_core::preference::Labels;
use truing_core::{Error, Status};
use truing_cpu::batch;
use truing_tests::{Cases, Random, same, with_scratch};

const INF: f64 = f64::INFINITY;
const NAN: f64 = f64::NAN;
fn f(x: &[f64]) -> Floats<'_> {
    Floats::F64(Matrix::vector(x))
}
fn near(what: &str, got: f64, want: f64) {
    assert!((got - want).abs() <= 1e-13 * (1.0 + want.abs()), "{what}: got {got}, expected {want}");
}
fn refused<T: std::fmt::Debug>(got: Result<T, Error>, field: &str, status: Status) {
    let e = got.unwrap_err();
    assert_eq!((e.field, e.status), (field, status), "{e}");
}

#[derive(Debug, PartialEq)]
struct Baseline(f64, i64, i64, f64);
fn baseline(x: &KtoBaseline) -> Result<Baseline, Error> {
    let (mut sum, mut count, mut nonzero, mut z) = ([7.0f64], [7i64], [7i64], [7.0f64]);
    let out = KtoBaselineOut {
        sum: Some(MatrixMut::vector(&mut sum).into()),
        count: Some(MatrixMut::vector(&mut count)),
        nonzero: Some(MatrixMut::vector(&mut nonzero)),
        baseline: Some(MatrixMut::vector(&mut z).into()),
    };
    let result = batch::kto_baseline(x, out);
    assert!(result.is_ok() || (sum, count, nonzero, z) == ([7.0], [7], [7], [7.0]));
    result.map(|()| Baseline(sum[0], count[0], nonzero[0], z[0]))
}

#[test]
fn kto_baseline() {
    let mut cases = Cases::default();
    for n in [0usize, 1, 2, 9, 1000] {
        for at in [-3.0, 0.0, 4.0] {
            let mut r = Random(n as u64 + 5);
            let scores: Vec<f64> = (0..n).map(|_| at + r.normal()).collect();
            let reference: Vec<f64> = scores.iter().map(|&s| if r.below(3) == 0 { s } else { r.normal() }).collect();
            let mask: Vec<u8> = (0..n).map(|_| (r.below(4) > 0) as u8).collect();
            let live: Vec<f64> = (0..n).filter(|&i| mask[i] > 0).map(|i| scores[i] - reference[i]).collect();
            let nonzero = live.iter().filter(|x| **x != 0.0).count();
            for nonzero_only in [false, true] {
                let x = KtoBaseline {
                    scores: f(&scores),
                    ref_scores: Some(f(&reference)),
                    mask: Some(Mask::U8(Matrix::vector(&mask))),
                    nonzero_only,
                };
                let got = baseline(&x).unwrap();
                near("sum", got.0, live.iter().sum());
                assert_eq!((got.1, got.2), (live.len() as i64, nonzero as i64));
                let rows = if nonzero_only { nonzero } else { live.len() };
                near("baseline", got.3, if rows == 0 { 0.0 } else { (got.0 / rows as f64).max(0.0) });
                cases.ran();
            }
        }
    }
    let plain = |s: &'static [f64]| KtoBaseline { scores: f(s), ref_scores: None, mask: None, nonzero_only: false };
    assert_eq!(baseline(&plain(&[1.0, 0.0, 2.0])).unwrap(), Baseline(3.0, 3, 2, 1.0));
    assert_eq!(baseline(&plain(&[-INF, 1.0])).unwrap().3, 0.0);
    assert!(baseline(&plain(&[f64::NAN, 1.0])).unwrap().3.is_nan());
    refused(
        baseline(&KtoBaseline { ref_scores: Some(f(&[0.0])), ..plain(&[1.0, 2.0]) }),
        "ref_scores",
        Status::ShapeMismatch,
    );
    cases.finish("kto_baseline", 30);
}

fn shift(x: &BcoShift) -> Result<(f64, [f64; 4], u32), Error> {
    let (mut value, mut state, mut status) = ([7.0f64], [7.0f64; 4], [7u32]);
    let out = BcoShiftOut {
        shift: Some(MatrixMut::vector(&mut value).into()),
        state: Some(MatrixMut::vector(&mut state)),
        status: Some(MatrixMut::vector(&mut status)),
    };
    batch::bco_shift(x, out).map(|()| (value[0], state, status[0]))
}

#[test]
fn bco_shift() {
    let mut cases = Cases::default();
    for mode in [Shift::Balanced, Shift::Pooled, Shift::PerStep] {
        let mut r = Random(11);
        let mut state = [0.0; 4];
        let (mut rows, mut means): ([Vec<f64>; 2], Vec<f64>) = ([vec![], vec![]], vec![]);
        for step in 0..20 {
            // some batches are empty or of one class
            let n = [7, 0, 1, 30][step % 4];
            let rewards: Vec<f64> = (0..n).map(|_| 3.0 + r.normal()).collect();
            let label: Vec<i8> = (0..n).map(|_| if step < 3 { 1 } else { r.below(2) as i8 }).collect();
            let mask: Vec<u8> = (0..n).map(|_| (r.below(5) > 0) as u8).collect();
            let mut batch = vec![];
            for i in (0..n).filter(|&i| mask[i] > 0) {
                rows[1 - (label[i] > 0) as usize].push(rewards[i]);
                batch.push(rewards[i]);
            }
            let mean = |x: &[f64]| x.iter().sum::<f64>() / x.len() as f64;
            if !batch.is_empty() {
                means.push(mean(&batch));
            }
            let balanced = mode == Shift::Balanced;
            let x = BcoShift {
                rewards: Some(f(&rewards)),
                label: balanced.then(|| Labels::I8(Matrix::vector(&label))),
                mask: Some(Mask::U8(Matrix::vector(&mask))),
                state: Some(Matrix::vector(&state)),
                mode,
            };
            let got = shift(&x).unwrap();
            let want = match mode {
                Shift::Balanced if rows[1].is_empty() => mean(&rows[0]),
                Shift::Balanced => 0.5 * (mean(&rows[0]) + mean(&rows[1])),
                Shift::Pooled => mean(&rows.concat()),
                Shift::PerStep => mean(&means),
            };
            near("shift", got.0, want);
            assert_eq!(got.2, if balanced && rows[1].is_empty() { row::EMPTY } else { 0 });
            // the state alone says the same, and the states of two ranks add up
            let again =
                shift(&BcoShift { rewards: None, label: None, mask: None, state: Some(Matrix::vector(&got.1)), mode });
            assert_eq!(again.unwrap(), (got.0, got.1, got.2));
            let own = shift(&BcoShift { state: None, ..x }).unwrap().1;
            (0..4).for_each(|k| near("state", state[k] + own[k], got.1[k]));
            state = got.1;
            cases.ran();
        }
    }
    let none = BcoShift { rewards: None, label: None, mask: None, state: None, mode: Shift::Balanced };
    assert_eq!(shift(&none).unwrap(), (0.0, [0.0; 4], row::EMPTY));
    refused(shift(&BcoShift { rewards: Some(f(&[1.0])), ..none }), "label", Status::InvalidArgument);
    let label = Some(Labels::U8(Matrix::vector(&[1u8])));
    let pooled = BcoShift { rewards: Some(f(&[1.0])), label, mode: Shift::Pooled, ..none };
    refused(shift(&pooled), "label", Status::InvalidArgument);
    for bad in [&[0.0, -1.0, 0.0, 0.0], &[f64::NAN, 0.0, 0.0, 0.0]] {
        refused(shift(&BcoShift { state: Some(Matrix::vector(bad)), ..none }), "state", Status::InvalidArgument);
    }
    refused(shift(&BcoShift { state: Some(Matrix::vector(&[0.0])), ..none }), "state", Status::ShapeMismatch);
    cases.finish("bco_shift", 60);
}

type Sorted = (Vec<i32>, Vec<i32>, Vec<f64>, Vec<u32>);
fn sort(x: &AotSort) -> Result<Sorted, Error> {
    let n = x.rows();
    let (mut u, mut v, mut d, mut s) = (vec![7; n], vec![7; n], vec![7.0f64; n], vec![7u32; n]);
    let out = AotSortOut {
        u_order: Some(MatrixMut::vector(&mut u)),
        v_order: Some(MatrixMut::vector(&mut v)),
        difference: Some(MatrixMut::vector(&mut d).into()),
        status: Some(MatrixMut::vector(&mut s)),
    };
    with_scratch(batch::aot_sort_workspace(x).minimum, |w| batch::aot_sort(x, out, w))?;
    Ok((u, v, d, s))
}

#[test]
fn aot_sort() {
    let mut cases = Cases::default();
    for n in [0usize, 1, 2, 3, 17, 500] {
        for ties in [false, true] {
            let mut r = Random(n as u64 + 3);
            let mut draw =
                || -> Vec<f64> { (0..n).map(|_| if ties { r.below(4) as f64 - 2.0 } else { r.normal() }).collect() };
            let (c, j, rc, rj) = (draw(), draw(), draw(), draw());
            for pairing in [Pairing::Paired, Pairing::Unpaired] {
                let x = AotSort {
                    chosen: f(&c),
                    rejected: f(&j),
                    ref_chosen: Some(f(&rc)),
                    ref_rejected: Some(f(&rj)),
                    pairing,
                };
                let (u, v, d, s) = sort(&x).unwrap();
                let [a, b]: [Vec<f64>; 2] = match pairing {
                    Pairing::Paired => [(0..n).map(|i| c[i] - j[i]).collect(), (0..n).map(|i| rc[i] - rj[i]).collect()],
                    _ => [(0..n).map(|i| c[i] - rc[i]).collect(), (0..n).map(|i| j[i] - rj[i]).collect()],
                };
                // the stable order: every element counts those before it
                for (order, values) in [(&u, &a), (&v, &b)] {
                    for i in 0..n {
                        let rank =
                            (0..n).filter(|&k| values[k] < values[i] || (values[k] == values[i] && k < i)).count();
                        assert_eq!(order[rank], i as i32);
                    }
                }
                for k in 0..n {
                    assert_eq!(d[k], a[u[k] as usize] - b[v[k] as usize]);
                }
                assert!(s.iter().all(|&s| s == 0));
                cases.ran();
            }
        }
    }
    let x = |c: &'static [f64], r: &'static [f64]| AotSort {
        chosen: f(c),
        rejected: f(r),
        ref_chosen: None,
        ref_rejected: None,
        pairing: Pairing::Unpaired,
    };
    let (u, v, d, s) = sort(&x(&[NAN, INF, -INF, 0.0, -0.0, NAN], &[1.0, -INF, 5.0, INF, 2.0, 3.0])).unwrap();
    assert_eq!((u, v), (vec![2, 3, 4, 1, 0, 5], vec![1, 0, 4, 5, 2, 3]));
    assert_eq!(s, [row::INF_INPUT, 0, 0, 0, row::NAN_INPUT, row::NAN_INPUT]);
    assert!(d[0].is_nan() && d[3] == INF && d[4].is_nan());
    refused(sort(&x(&[1.0], &[1.0, 2.0])), "rejected", Status::ShapeMismatch);
    refused(sort(&AotSort { pairing: Pairing::Paired, ..x(&[1.0], &[1.0]) }), "ref_chosen", Status::InvalidArgument);
    refused(
        sort(&AotSort { ref_chosen: Some(f(&[1.0])), ..x(&[1.0], &[1.0]) }),
        "ref_rejected",
        Status::InvalidArgument,
    );
    let one = x(&[1.0], &[2.0]);
    refused(batch::aot_sort(&one, AotSortOut::default(), &mut []), "workspace_size", Status::WorkspaceTooSmall);
    cases.finish("aot_sort", 24);
}

type Stats = (Vec<u8>, f64, [f64; 2], u32);
fn stats(x: &BetaDpoStats) -> Result<Stats, Error> {
    let n = x.gaps.rows();
    let (mut keep, mut beta, mut state, mut status) = (vec![7u8; n], [7.0f64], [7.0f64; 2], [7u32]);
    let out = BetaDpoStatsOut {
        keep: Some(MatrixMut::vector(&mut keep)),
        beta: Some(MatrixMut::vector(&mut beta).into()),
        state: Some(MatrixMut::vector(&mut state)),
        status: Some(MatrixMut::vector(&mut status)),
    };
    with_scratch(batch::beta_dpo_stats_workspace(x).minimum, |w| batch::beta_dpo_stats(x, out, w))?;
    Ok((keep, beta[0], state, status[0]))
}

#[test]
fn beta_dpo_stats() {
    let mut cases = Cases::default();
    let nan = f64::NAN;
    for n in [1usize, 2, 5, 64, 777] {
        for given in [&[][..], &[0.3, 0.0], &[0.1, 1.5, 0.5, 0.0], &[nan, nan, 0.0, 1.0], &[nan, nan, 1.0]] {
            let params = BetaDpoStats::params(given).unwrap();
            let mut r = Random(n as u64);
            let gaps: Vec<f64> = (0..n).map(|_| 2.0 + 3.0 * r.normal()).collect();
            let uniforms: Vec<f64> = (0..n).map(|_| r.uniform().clamp(1e-9, 1.0 - 1e-9)).collect();
            let before = [0.7, 1.9];
            let x =
                BetaDpoStats { gaps: f(&gaps), uniforms: f(&uniforms), state: Some(Matrix::vector(&before)), params };
            let (keep, beta, [m, d], status) = stats(&x).unwrap();
            let mean = gaps.iter().sum::<f64>() / n as f64;
            let [b, alpha, rho, gamma] = params;
            near("M", m, gamma * 0.7 + (1.0 - gamma) * mean);
            if n == 1 {
                assert_eq!(d, 1.9);
            } else {
                let var = gaps.iter().map(|g| (g - mean).powi(2)).sum::<f64>() / (n - 1) as f64;
                near("D", d, gamma * 1.9 + (1.0 - gamma) * var.sqrt());
            }
            // a race: row i finishes at -log u / w, the first to finish are kept
            let finish: Vec<f64> =
                (0..n).map(|i| -uniforms[i].ln() / (-(gaps[i] - m).powi(2) / (2.0 * d * d)).exp()).collect();
            let count = (n as f64 * (1.0 - rho)).floor() as usize;
            assert_eq!(keep.iter().map(|&k| k as usize).sum::<usize>(), count);
            let last = (0..n).filter(|&i| keep[i] == 1).map(|i| finish[i]).fold(0.0, f64::max);
            assert!((0..n).filter(|&i| keep[i] == 0).all(|i| finish[i] >= last));
            let kept = (0..n).filter(|&i| keep[i] == 1).map(|i| gaps[i]).sum::<f64>() / count as f64;
            let want = if count == 0 { b } else { b * (1.0 + alpha * (kept - m)) };
            near("beta", beta, want.max(1e-3));
            let bits = if n == 1 { row::DEGENERATE } else { 0 } | if count == 0 { row::EMPTY } else { 0 };
            assert_eq!(status, bits);
            cases.ran();
        }
    }
    // without a deviation every row has the same chance: the largest uniform numbers win
    let base = BetaDpoStats {
        gaps: f(&[2.0; 4]),
        uniforms: f(&[0.1, 0.9, 0.5, 0.7]),
        state: None,
        params: BetaDpoStats::params(&[0.1, 0.6, 0.5]).unwrap(),
    };
    let (keep, beta, state, _) = stats(&base).unwrap();
    assert_eq!((keep, state[1]), (vec![0, 1, 0, 1], 0.0));
    near("beta", beta, 0.1 * (1.0 + 0.6 * (2.0 - 0.2)));
    assert_eq!(stats(&BetaDpoStats { gaps: f(&[]), uniforms: f(&[]), ..base }).unwrap().3, row::EMPTY);
    refused(stats(&BetaDpoStats { gaps: f(&[1.0, INF, 0.0, 0.0]), ..base }), "gaps", Status::InvalidArgument);
    for u in [&[0.5, 0.0, 0.5, 0.5], &[0.5, 1.0, 0.5, 0.5], &[0.5, nan, 0.5, 0.5]] {
        refused(stats(&BetaDpoStats { uniforms: f(u), ..base }), "uniforms", Status::InvalidArgument);
    }
    for (k, bad) in [-0.1, -1.0, 1.1, 1.5].into_iter().enumerate() {
        let mut given = [nan; 4];
        given[k] = bad;
        assert_eq!(BetaDpoStats::params(&given).unwrap_err().field, BetaDpoStats::PARAMS[k].name);
    }
    assert_eq!(BetaDpoStats::params(&[0.1; 5]).unwrap_err().field, "num_params");
    refused(
        stats(&BetaDpoStats { state: Some(Matrix::vector(&[0.0, -1.0])), ..base }),
        "state",
        Status::InvalidArgument,
    );
    cases.finish("beta_dpo_stats", 25);
}

fn weights(x: &WpoWeight) -> Result<(Vec<f64>, Vec<u32>), Error> {
    let n = x.chosen.rows();
    let (mut w, mut s) = (vec![7.0f64; n], vec![7u32; n]);
    let out = WpoWeightOut { weight: Some(MatrixMut::vector(&mut w).into()), status: Some(MatrixMut::vector(&mut s)) };
    batch::wpo_weight(x, out).map(|()| (w, s))
}

#[test]
fn wpo_weight() {
    let mut cases = Cases::default();
    let mut r = Random(2);
    let mut draw = || -> Vec<f64> { (0..200).map(|_| -2.0 * r.uniform()).collect() };
    let (c, j, sc, sj) = (draw(), draw(), draw(), draw());
    let plain =
        WpoWeight { chosen: f(&c), rejected: f(&j), chosen_log_sum_sq: None, rejected_log_sum_sq: None, trl: false };
    let trl = WpoWeight { chosen_log_sum_sq: Some(f(&sc)), rejected_log_sum_sq: Some(f(&sj)), trl: true, ..plain };
    let (a, b) = (weights(&plain).unwrap(), weights(&trl).unwrap());
    for i in 0..200 {
        near("plain", a.0[i], (c[i].exp() * j[i].exp()).min(1.0));
        near("trl", b.0[i], (c[i] - sc[i]).exp() * (j[i] - sj[i]).exp());
        assert_eq!((a.1[i], b.1[i]), (0, 0));
        cases.ran();
    }
    let ends =
        weights(&WpoWeight { chosen: f(&[-INF, 1.0, f64::NAN, INF]), rejected: f(&[-1.0, 2.0, 0.0, -INF]), ..plain });
    let (w, s) = ends.unwrap();
    same("ends", &w, &[0.0, 1.0, f64::NAN, f64::NAN]);
    assert_eq!(s, [0, 0, row::NAN_INPUT, row::INF_INPUT]);
    refused(weights(&WpoWeight { trl: true, ..plain }), "chosen_log_sum_sq", Status::InvalidArgument);
    refused(weights(&WpoWeight { trl: false, ..trl }), "chosen_log_sum_sq", Status::InvalidArgument);
    cases.finish("wpo_weight", 200);
}
