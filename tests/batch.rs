//! Operations over the numbers of a batch, against loops written here a second time and against identities.
use truing_core::batch::*;
use truing_core::error::row;
use truing_core::matrix::{Floats, Ints, Mask, Matrix, MatrixMut};
use truing_core::preference::Labels;
use truing_core::sequence::Segments;
use truing_core::{Error, Status};
use truing_cpu::batch;
use truing_tests::{Cases, Golden, Random, same, with_scratch};

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
                rate: 0.0,
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
            let again = shift(&BcoShift {
                rewards: None,
                label: None,
                mask: None,
                state: Some(Matrix::vector(&got.1)),
                mode,
                rate: 0.0,
            });
            assert_eq!(again.unwrap(), (got.0, got.1, got.2));
            let own = shift(&BcoShift { state: None, ..x }).unwrap().1;
            (0..4).for_each(|k| near("state", state[k] + own[k], got.1[k]));
            state = got.1;
            cases.ran();
        }
    }
    let none = BcoShift { rewards: None, label: None, mask: None, state: None, mode: Shift::Balanced, rate: 0.0 };
    assert_eq!(shift(&none).unwrap(), (0.0, [0.0; 4], row::EMPTY));
    refused(shift(&BcoShift { rewards: Some(f(&[1.0])), ..none }), "label", Status::InvalidArgument);
    let label = Some(Labels::U8(Matrix::vector(&[1u8])));
    let pooled = BcoShift { rewards: Some(f(&[1.0])), label, mode: Shift::Pooled, ..none };
    refused(shift(&pooled), "label", Status::InvalidArgument);
    for bad in [&[0.0, -1.0, 0.0, 0.0], &[f64::NAN, 0.0, 0.0, 0.0]] {
        refused(shift(&BcoShift { state: Some(Matrix::vector(bad)), ..none }), "state", Status::InvalidArgument);
    }
    refused(shift(&BcoShift { state: Some(Matrix::vector(&[0.0])), ..none }), "state", Status::ShapeMismatch);
    // a moving average: the first batch as it is, then a share of each
    let (labels, mut state, mut means) = ([1u8, 0, 0], [0.0; 4], [0.0; 2]);
    for step in 0..5 {
        let rewards = [step as f64, 2.0, 4.0 + step as f64];
        let x = BcoShift {
            rewards: Some(f(&rewards)),
            label: Some(Labels::U8(Matrix::vector(&labels))),
            state: Some(Matrix::vector(&state)),
            rate: 0.25,
            ..none
        };
        let got = shift(&x).unwrap();
        let batch = [rewards[0], 0.5 * (rewards[1] + rewards[2])];
        // weights 0.75^(age) / (sum of them)
        for k in 0..2 {
            means[k] = 0.75 * means[k] + 0.25 * batch[k];
        }
        let weight = 1.0 - 0.75f64.powi(step + 1);
        near("moving", got.0, 0.5 * (means[0] + means[1]) / weight);
        state = got.1;
        cases.ran();
    }
    refused(shift(&BcoShift { rate: 1.5, ..none }), "rate", Status::InvalidArgument);
    refused(shift(&BcoShift { rate: 0.5, mode: Shift::Pooled, ..none }), "rate", Status::InvalidArgument);
    cases.finish("bco_shift", 65);
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

/// f64 inside: a few roundings, judged against `terms`, the size of what is added up.
#[track_caller]
fn golden(what: &str, got: f64, want: f64, terms: f64) {
    if want.is_infinite() {
        return assert_eq!(got, want, "{what}");
    }
    let bound = 64.0 * f64::EPSILON * (want.abs() + terms);
    assert!((got - want).abs() <= bound, "{what}: got {got:e}, expected {want:e}, off by {:e}", got - want);
}

fn items(first: &[f64], second: Option<&[f64]>, rule: ItemRule) -> Result<(Vec<f64>, Vec<u32>), Error> {
    let n = first.len();
    let (mut v, mut s) = (vec![7.0f64; n], vec![7u32; n]);
    let out = ItemNumbersOut { value: Some(MatrixMut::vector(&mut v).into()), status: Some(MatrixMut::vector(&mut s)) };
    let result = batch::item_numbers(&ItemNumbers { first: f(first), second: second.map(f), rule }, out);
    assert!(result.is_ok() || v.iter().all(|&x| x == 7.0));
    result.map(|()| (v, s))
}

#[test]
fn item_numbers() {
    let mut cases = Cases::default();
    let one = |x: &[f64], y: Option<&[f64]>, rule| items(x, y, rule).unwrap().0[0];
    for g in Golden::of("density_ratio") {
        let p = g.get("params");
        let rule = |logits| ItemRule::density_ratio(p, logits).unwrap();
        golden("density", one(g.get("p"), None, rule(false)), g.one("want_p"), 0.0);
        golden("density", one(g.get("logit"), None, rule(true)), g.one("want_logit"), 0.0);
        cases.ran();
    }
    for g in Golden::of("odpo_offset") {
        let (p, c, r) = (g.get("params"), g.get("c"), g.get("r"));
        let terms = p[0];
        for (ratio, want) in [(false, "want_difference"), (true, "want_ratio")] {
            // the logarithm of a difference of rewards is as good as the rewards' own rounding
            let terms = if ratio { g.one(want).abs() } else { terms };
            golden(want, one(c, Some(r), ItemRule::odpo_offset(p, ratio).unwrap()), g.one(want), terms);
        }
        cases.ran();
    }
    for g in Golden::of("mm_beta") {
        let rule = ItemRule::mm_beta(g.get("params")).unwrap();
        golden("mm_beta", one(g.get("c"), Some(g.get("r")), rule), g.one("want"), 0.0);
        assert_eq!(items(g.get("c"), None, rule).unwrap(), items(g.get("c"), Some(g.get("r")), rule).unwrap());
        cases.ran();
    }
    for g in Golden::of("pdu_dual_step") {
        let rule = ItemRule::dual_step(g.get("params")).unwrap();
        golden("dual", one(g.get("first"), Some(g.get("second")), rule), g.one("want"), 1.0);
        cases.ran();
    }
    let density = ItemRule::density_ratio(&[], true).unwrap();
    let (v, s) = items(&[-INF, INF, NAN, 0.0], None, density).unwrap();
    same("density", &v, &[0.5, 10.0, NAN, 1.0]);
    assert_eq!(s, [row::SATURATED, row::SATURATED, row::NAN_INPUT, 0]);
    let probability = ItemRule::density_ratio(&[], false).unwrap();
    same("density", &items(&[0.0, 1.0, 0.5], None, probability).unwrap().0, &[0.5, 10.0, 1.0]);
    for bad in [-0.1, 1.1, NAN] {
        refused(items(&[0.5, bad], None, probability), "first", Status::InvalidArgument);
    }
    assert_eq!(ItemRule::density_ratio(&[2.0, 1.0], false).unwrap_err().field, "high");
    assert_eq!(ItemRule::density_ratio(&[0.0], false).unwrap_err().field, "low");
    let odpo = |ratio| ItemRule::odpo_offset(&[], ratio).unwrap();
    let (v, s) = items(&[1.0, 1.0, INF, INF, NAN], Some(&[1.0, 2.0, 0.0, INF, 0.0]), odpo(false)).unwrap();
    same("odpo", &v, &[-INF, NAN, INF, NAN, NAN]);
    assert_eq!(s, [row::INFINITE, row::DEGENERATE, row::INFINITE, row::INF_INPUT, row::NAN_INPUT]);
    let (v, s) =
        items(&[2.0, 0.0, 1.0, 0.0, -1.0, 1e308], Some(&[2.0, 1.0, 0.0, 0.0, 1.0, 1e-308]), odpo(true)).unwrap();
    same("odpo", &v[..5], &[0.0, -INF, INF, NAN, NAN]);
    golden("a ratio beyond f64", v[5], 616.0 * std::f64::consts::LN_10, 0.0);
    assert_eq!(s, [0, row::INFINITE, row::INFINITE, row::DEGENERATE, row::DEGENERATE, 0]);
    let off = ItemRule::odpo_offset(&[0.0], false).unwrap();
    same("odpo", &items(&[1.0, 1.0], Some(&[1.0, 2.0]), off).unwrap().0, &[0.0, 0.0]);
    refused(items(&[1.0], None, odpo(true)), "second", Status::InvalidArgument);
    refused(items(&[1.0], Some(&[1.0]), density), "second", Status::InvalidArgument);
    let mm = ItemRule::mm_beta(&[]).unwrap();
    let (v, s) = items(&[-1.0, 0.0, INF, NAN], None, mm).unwrap();
    same("mm_beta", &v, &[0.1, 0.1, 0.1 * 1.5, NAN]);
    assert_eq!(s, [row::SATURATED, 0, 0, row::NAN_INPUT]);
    let dual = ItemRule::dual_step(&[0.5]).unwrap();
    refused(items(&[-0.1], Some(&[0.0]), dual), "first", Status::InvalidArgument);
    refused(items(&[0.1], None, dual), "second", Status::InvalidArgument);
    assert_eq!(ItemRule::dual_step(&[]).unwrap_err().field, "step");
    cases.finish("item_numbers", 64);
}

#[test]
fn head_weights() {
    let mut cases = Cases::default();
    for n in [0usize, 1, 5, 60] {
        for m in [1usize, 3, 7] {
            let mut r = Random((n * 10 + m) as u64);
            let head: Vec<i32> = (0..n).map(|_| r.below(m) as i32).collect();
            let mask: Vec<u8> = (0..n).map(|_| (r.below(4) > 0) as u8).collect();
            let alpha: Vec<f64> = (0..m).map(|_| r.uniform()).collect();
            let losses: Vec<f64> = (0..n).map(|_| r.normal()).collect();
            for mode in 0..3 {
                let x = HeadWeights {
                    head: Ints::I32(Matrix::vector(&head)),
                    mask: Some(Mask::U8(Matrix::vector(&mask))),
                    alpha: (mode == 0).then(|| f(&alpha)),
                    heads: m,
                    present_heads: mode == 2,
                };
                let (mut w, mut c, mut s) = (vec![7.0f64; n], vec![7i64; m], [7u32]);
                let out = HeadWeightsOut {
                    weight: Some(MatrixMut::vector(&mut w).into()),
                    counts: MatrixMut::vector(&mut c),
                    status: Some(MatrixMut::vector(&mut s)),
                };
                batch::head_weights(&x, out).unwrap();
                // the definition: the alpha-weighted sum of the heads' means
                let of = |h: usize| -> Vec<f64> {
                    (0..n).filter(|&i| mask[i] > 0 && head[i] == h as i32).map(|i| losses[i]).collect()
                };
                let present = (0..m).filter(|&h| !of(h).is_empty()).count();
                let want: f64 = (0..m)
                    .filter(|&h| !of(h).is_empty())
                    .map(|h| {
                        let share = [alpha[h], 1.0 / m as f64, 1.0 / present as f64][mode];
                        share * of(h).iter().sum::<f64>() / of(h).len() as f64
                    })
                    .sum();
                near("routed", (0..n).map(|i| w[i] * losses[i]).sum(), want);
                assert_eq!(c, (0..m).map(|h| of(h).len() as i64).collect::<Vec<_>>());
                assert_eq!(s[0], if present == 0 { row::EMPTY } else { 0 });
                assert!((0..n).all(|i| mask[i] > 0 || w[i] == 0.0));
                cases.ran();
            }
        }
    }
    let run = |head: &[i32], alpha: Option<&[f64]>, present_heads| {
        let x = HeadWeights {
            head: Ints::I32(Matrix::vector(head)),
            mask: None,
            alpha: alpha.map(f),
            heads: 2,
            present_heads,
        };
        batch::head_weights(&x, HeadWeightsOut { weight: None, counts: MatrixMut::vector(&mut [0; 2]), status: None })
    };
    refused(run(&[0, 2], None, false), "head", Status::OutOfRange);
    refused(run(&[0, -1], None, false), "head", Status::OutOfRange);
    refused(run(&[0], Some(&[0.5, -0.5]), false), "alpha", Status::InvalidArgument);
    refused(run(&[0], Some(&[0.5, NAN]), false), "alpha", Status::InvalidArgument);
    refused(run(&[0], Some(&[0.5, 0.5]), true), "alpha", Status::InvalidArgument);
    refused(run(&[0], Some(&[0.5]), false), "alpha", Status::ShapeMismatch);
    cases.finish("head_weights", 36);
}

#[test]
fn modpo_margin() {
    let mut cases = Cases::default();
    for (n, k) in [(0usize, 2usize), (1, 1), (4, 3), (9, 1)] {
        for shared in [true, false] {
            let mut r = Random((n * 7 + k) as u64);
            let mut draw = |n: usize| -> Vec<f64> { (0..n).map(|_| r.normal()).collect() };
            let rows = if shared { 1 } else { n };
            let (w, c, j, g) = (draw(rows * k), draw(n * k), draw(n * k), draw(n));
            let m = |x, rows| Floats::F64(Matrix::contiguous(x, rows, k).unwrap());
            let x =
                ModpoMargin { weights: m(&w, rows), chosen: m(&c, n), rejected: m(&j, n), grad_margin: Some(f(&g)) };
            let (mut mc, mut mr, mut gw, mut gc) = (vec![7.0; n], vec![7.0; n], vec![7.0; rows * k], vec![7.0; n * k]);
            let out = ModpoMarginOut {
                chosen: Some(MatrixMut::vector(&mut mc).into()),
                rejected: Some(MatrixMut::vector(&mut mr).into()),
                grad_weights: Some(MatrixMut::contiguous(&mut gw, rows, k).unwrap().into()),
                grad_chosen: Some(MatrixMut::contiguous(&mut gc, n, k).unwrap().into()),
            };
            batch::modpo_margin(&x, out).unwrap();
            let weight = |i: usize, l: usize| w[if shared { l } else { i * k + l }];
            for i in 0..n {
                near("margin", mc[i], (0..k).map(|l| weight(i, l) * c[i * k + l]).sum());
                near("margin", mr[i], (0..k).map(|l| weight(i, l) * j[i * k + l]).sum());
                (0..k).for_each(|l| near("grad", gc[i * k + l], weight(i, l) * g[i]));
            }
            for row in 0..rows {
                for l in 0..k {
                    let of = if shared { 0..n } else { row..row + 1 };
                    near("weights", gw[row * k + l], of.map(|i| g[i] * (c[i * k + l] - j[i * k + l])).sum());
                }
            }
            let none = ModpoMargin { grad_margin: None, ..x };
            let mut gw = vec![0.0; rows * k];
            let out = ModpoMarginOut {
                grad_weights: Some(MatrixMut::contiguous(&mut gw, rows, k).unwrap().into()),
                ..ModpoMarginOut::default()
            };
            refused(batch::modpo_margin(&none, out), "grad_margin", Status::InvalidArgument);
            cases.ran();
        }
    }
    // a weight of 0 takes nothing of a reward that is not finite
    let x = ModpoMargin {
        weights: Floats::F64(Matrix::contiguous(&[0.0, 2.0], 1, 2).unwrap()),
        chosen: Floats::F64(Matrix::contiguous(&[INF, 3.0], 1, 2).unwrap()),
        rejected: Floats::F64(Matrix::contiguous(&[NAN, -1.0], 1, 2).unwrap()),
        grad_margin: None,
    };
    let (mut c, mut r) = ([0.0f64], [0.0f64]);
    let out = ModpoMarginOut {
        chosen: Some(MatrixMut::vector(&mut c).into()),
        rejected: Some(MatrixMut::vector(&mut r).into()),
        ..ModpoMarginOut::default()
    };
    batch::modpo_margin(&x, out).unwrap();
    assert_eq!((c, r), ([6.0], [-2.0]));
    cases.finish("modpo_margin", 8);
}

fn quantile(values: &[f64], mask: Option<&[u8]>, level: &[f64]) -> Result<(f64, u32), Error> {
    let x = QuantileThreshold { values: f(values), mask: mask.map(|m| Mask::U8(Matrix::vector(m))), level: f(level) };
    let (mut t, mut s) = ([7.0f64], [7u32]);
    let out = QuantileThresholdOut {
        threshold: Some(MatrixMut::vector(&mut t).into()),
        status: Some(MatrixMut::vector(&mut s)),
    };
    with_scratch(batch::quantile_threshold_workspace(&x).minimum, |w| batch::quantile_threshold(&x, out, w))?;
    Ok((t[0], s[0]))
}
#[test]
fn quantile_threshold() {
    let mut cases = Cases::default();
    for n in [1usize, 2, 3, 10, 101] {
        let mut r = Random(n as u64);
        let values: Vec<f64> = (0..n).map(|_| r.normal()).collect();
        let mask: Vec<u8> = (0..n).map(|i| (i == 0 || r.below(3) > 0) as u8).collect();
        let mut live: Vec<f64> = (0..n).filter(|&i| mask[i] > 0).map(|i| values[i]).collect();
        live.sort_by(f64::total_cmp);
        for level in [0.0, 0.1, 0.25, 0.5, 0.99, 1.0] {
            let at = level * (live.len() - 1) as f64;
            let (low, high) = (live[at.floor() as usize], live[at.ceil() as usize]);
            let got = quantile(&values, Some(&mask), &[level]).unwrap();
            near("quantile", got.0, low + (at - at.floor()) * (high - low));
            assert_eq!(got.1, 0);
            cases.ran();
        }
    }
    // hard labels, whose mean 0.3 times 10 is no whole number in floating point: the position is
    let values: Vec<f64> = (0..11).map(f64::from).collect();
    let labels: Vec<f64> = (0..11).map(|i| if i < 11 { 3.0 / 11.0 } else { 0.0 }).collect();
    near("level by rows", quantile(&values, None, &labels).unwrap().0, 3.0 / 11.0 * 10.0);
    let hard = [1.0, 1.0, 0.0, 0.0, 1.0, 0.0];
    assert_eq!(quantile(&[0.0, 1.0, 2.0, 3.0, 4.0, 5.0], None, &hard).unwrap().0, 2.5);
    // an infinity is a neighbour only where it is reached
    assert_eq!(quantile(&[-INF, 1.0, 2.0], None, &[0.5]).unwrap(), (1.0, 0));
    assert_eq!(quantile(&[-INF, 1.0, 2.0], None, &[0.2]).unwrap().0, -INF);
    assert_eq!(quantile(&[-INF, INF], None, &[0.5]).unwrap().1, row::INF_INPUT);
    assert_eq!(quantile(&[NAN, 1.0], None, &[0.5]).unwrap().1, row::NAN_INPUT);
    assert_eq!(quantile(&[3.0], None, &[0.7]).unwrap(), (3.0, 0));
    assert_eq!(quantile(&[3.0], Some(&[0]), &[0.7]).unwrap().1, row::EMPTY);
    for bad in [-0.1, 1.1, NAN] {
        refused(quantile(&[1.0, 2.0], None, &[bad]), "level", Status::InvalidArgument);
        refused(quantile(&[1.0, 2.0], None, &[0.5, bad]), "level", Status::InvalidArgument);
    }
    cases.finish("quantile_threshold", 30);
}

fn values(
    rewards: &[f64],
    offsets: &[i32],
    mask: Option<&[u8]>,
    mode: PromptValue,
    beta: f64,
) -> (Vec<f64>, Vec<f64>, Vec<u32>) {
    let p = offsets.len() - 1;
    let (mut v, mut w, mut s) = (vec![7.0f64; p], vec![7.0f64; rewards.len()], vec![7u32; p]);
    let x = AStarValue {
        rewards: f(rewards),
        segments: Segments::Packed(Ints::I32(Matrix::vector(offsets))),
        mask: mask.map(|m| Mask::U8(Matrix::vector(m))),
        mode,
        beta,
    };
    let out = AStarValueOut {
        value: Some(MatrixMut::vector(&mut v).into()),
        share: Some(MatrixMut::vector(&mut w).into()),
        status: Some(MatrixMut::vector(&mut s)),
    };
    batch::a_star_value(&x, out).unwrap();
    (v, w, s)
}
#[test]
fn a_star_value() {
    let mut cases = Cases::default();
    for g in Golden::of("a_star_value") {
        let r = g.get("rewards");
        let n = r.len() as i32;
        let size = r.iter().fold(0.0, |a: f64, b| a.max(b.abs()));
        let (v, w, s) = values(r, &[0, n], None, PromptValue::LogMeanExp, g.one("beta"));
        golden("value", v[0], g.one("want"), size + g.one("beta"));
        for (w, want) in w.iter().zip(g.get("share")) {
            // the exponent is as large as r / beta
            golden("share", *w, *want, want * size / g.one("beta"));
        }
        assert_eq!(s, [0]);
        let (v, w, _) = values(r, &[0, n], None, PromptValue::Mean, 1.0);
        near("mean", v[0], r.iter().sum::<f64>() / n as f64);
        assert!(w.iter().all(|&w| w == 1.0 / n as f64));
        let (v, w, _) = values(r, &[0, n], None, PromptValue::Max, 1.0);
        assert_eq!((v[0], w.iter().sum::<f64>()), (r.iter().copied().fold(-INF, f64::max), 1.0));
        assert_eq!(values(r, &[0, n], None, PromptValue::Zero, 1.0).0, [0.0]);
        cases.ran();
    }
    let log = PromptValue::LogMeanExp;
    let (v, w, s) = values(&[1.0, -INF, NAN, 2.0, INF, -INF], &[0, 2, 3, 3, 4, 5, 6], None, log, 0.5);
    near("half of the weight", v[0], 1.0 - 0.5 * 2f64.ln());
    same("ends", &v[1..], &[NAN, NAN, 2.0, INF, -INF]);
    same("shares", &w, &[1.0, 0.0, NAN, 1.0, 1.0, 1.0]);
    assert_eq!(s, [0, row::NAN_INPUT, row::EMPTY, 0, row::INFINITE, row::INFINITE]);
    let (v, w, _) = values(&[5.0, 1.0], &[0, 2], Some(&[0, 1]), log, 0.5);
    assert_eq!((v, w), (vec![1.0], vec![0.0, 1.0]));
    assert_eq!(AStarValue::params(&[0.0]).unwrap_err().field, "beta");
    cases.finish("a_star_value", 12);
}

#[test]
fn hindsight_target() {
    let mut cases = Cases::default();
    for gamma in [0.0, 0.5, 0.9, 1.0] {
        let mut r = Random(4);
        let rewards: Vec<f64> = (0..12).map(|_| r.normal()).collect();
        let outcome: Vec<f64> = (0..4).map(|_| r.normal()).collect();
        for packed in [false, true] {
            let offsets = [0i32, 3, 3, 8, 12];
            let segments = match packed {
                true => Segments::Packed(Ints::I32(Matrix::vector(&offsets))),
                false => Segments::Padded { sequences: 4, width: 3 },
            };
            let mut to = vec![7.0f64; 12];
            let x = HindsightTarget { rewards: f(&rewards), segments, outcome: f(&outcome), gamma };
            batch::hindsight_target(&x, Some(MatrixMut::vector(&mut to).into())).unwrap();
            for p in 0..4 {
                let range = segments.range(p);
                for (t, i) in range.clone().enumerate() {
                    let steps = (range.len() - 1 - t) as i32;
                    near("target", to[i], rewards[i] + gamma.powi(steps) * outcome[p]);
                }
            }
            cases.ran();
        }
    }
    assert_eq!(HindsightTarget::params(&[1.1]).unwrap_err().field, "gamma");
    assert_eq!(HindsightTarget::params(&[]).unwrap(), 0.9);
    cases.finish("hindsight_target", 8);
}

#[test]
fn kl_length_figures() {
    let mut cases = Cases::default();
    let all = Golden::of("kl");
    // every golden sequence, an empty one, and one that is masked
    let mut d: Vec<f64> = vec![];
    let mut offsets = vec![0i32];
    for g in &all {
        d.extend(g.get("d"));
        offsets.push(d.len() as i32);
    }
    offsets.push(d.len() as i32);
    d.extend([1e300, f64::NAN]);
    offsets.push(d.len() as i32);
    let (n, b) = (d.len(), offsets.len() - 1);
    let mask: Vec<u8> = (0..n).map(|i| (i + 2 < n) as u8).collect();
    let levels = [0.0, 0.5, 0.75, 1.0];
    let edges = [0.0, 1.0, 5.0, 40.0];
    let x = KlLengthFigures {
        logps: f(&d),
        ref_logps: None,
        segments: Segments::Packed(Ints::I32(Matrix::vector(&offsets))),
        mask: Some(Mask::U8(Matrix::vector(&mask))),
        levels: Some(f(&levels)),
        edges: Some(f(&edges)),
    };
    let run = |x: &KlLengthFigures| {
        let (mut k1, mut k3, mut l, mut q) = (vec![7.0f64; b], vec![7.0f64; b], vec![7i32; b], [7.0f64; 4]);
        let (mut h, mut s, mut figures) = ([7i64; 3], vec![7u32; b], [7.0; kl_figure::COUNT]);
        let out = KlLengthOut {
            k1: Some(MatrixMut::vector(&mut k1).into()),
            k3: Some(MatrixMut::vector(&mut k3).into()),
            lengths: Some(MatrixMut::vector(&mut l)),
            figures: Some(&mut figures),
            quantiles: Some(MatrixMut::vector(&mut q).into()),
            histogram: Some(MatrixMut::vector(&mut h)),
            status: Some(MatrixMut::vector(&mut s)),
        };
        with_scratch(batch::kl_length_figures_workspace(x).minimum, |w| batch::kl_length_figures(x, out, w)).unwrap();
        (k1, k3, l, q, h, s, figures)
    };
    let (k1, k3, l, q, h, s, figures) = run(&x);
    for (i, g) in all.iter().enumerate() {
        let size: f64 = g.get("d").iter().map(|d| d.abs()).sum();
        golden("k1", k1[i], g.one("k1"), size);
        golden("k3", k3[i], g.one("k3"), 0.0);
        assert_eq!((l[i] as usize, s[i]), (g.get("d").len(), 0));
        cases.ran();
    }
    assert_eq!((&l[b - 2..], &s[b - 2..]), (&[0, 0][..], &[row::EMPTY; 2][..]));
    let lengths: Vec<f64> = l.iter().filter(|&&n| n > 0).map(|&n| n as f64).collect();
    let m = lengths.len() as f64;
    let (tokens, mean) = (lengths.iter().sum::<f64>(), lengths.iter().sum::<f64>() / m);
    let squares: f64 = lengths.iter().map(|n| (n - mean).powi(2)).sum();
    let per = |k: &[f64]| (0..all.len()).map(|i| k[i] / l[i] as f64).sum::<f64>() / m;
    let want = [
        m,
        tokens,
        k1[..all.len()].iter().sum::<f64>() / m,
        k1[..all.len()].iter().sum::<f64>() / tokens,
        per(&k1),
        k3[..all.len()].iter().sum::<f64>() / m,
        k3[..all.len()].iter().sum::<f64>() / tokens,
        per(&k3),
        mean,
        (squares / m).sqrt(),
        (squares / (m - 1.0)).sqrt(),
        1.0,
        40.0,
    ];
    want.iter().zip(&figures).for_each(|(w, g)| near("figure", *g, *w));
    assert_eq!((q[0], q[3], figures[13..].to_vec()), (1.0, 40.0, vec![0.0; 3]));
    assert_eq!((h, q[1]), ([0, 4, 8], 5.0));
    // the difference of both log-probs is the same
    let zero = vec![0.0; n];
    let twice: Vec<f64> = d.iter().map(|d| d * 2.0).collect();
    let again = run(&KlLengthFigures { logps: f(&twice), ref_logps: Some(f(&d)), ..x });
    assert_eq!((again.0, again.1), (k1.clone(), k3.clone()));
    assert_eq!(run(&KlLengthFigures { ref_logps: Some(f(&zero)), ..x }).0, k1);
    let bad = |x: KlLengthFigures, field| {
        let result = with_scratch(1 << 12, |w| batch::kl_length_figures(&x, KlLengthOut::default(), w));
        assert_eq!(result.unwrap_err().field, field);
    };
    bad(KlLengthFigures { levels: Some(f(&[1.5])), ..x }, "quantile_levels");
    bad(KlLengthFigures { edges: Some(f(&[1.0, 1.0])), ..x }, "bin_edges");
    bad(KlLengthFigures { edges: Some(f(&[1.0])), ..x }, "bin_edges");
    cases.finish("kl_length_figures", 12);
}

#[test]
fn ches() {
    let mut cases = Cases::default();
    for g in Golden::of("ches") {
        let [d, nc, nr] = [0, 1, 2].map(|i| g.get("shape")[i] as usize);
        // rejected, an empty sequence, chosen, between rows that are masked
        let mut hidden = vec![NAN; d];
        let mut mask = vec![0u8];
        hidden.extend(g.get("rejected"));
        hidden.extend(g.get("chosen"));
        hidden.extend(vec![INF; d]);
        mask.extend(vec![1; nr + nc]);
        mask.push(0);
        let offsets = [0, 1 + nr as i32, 1 + nr as i32, (2 + nr + nc) as i32];
        let size = 10.0 * (d * (nc + nr) * nc) as f64;
        for (mean, want) in [(false, "sum"), (true, "mean")] {
            let x = Ches {
                hidden: Floats::F64(Matrix::contiguous(&hidden, nc + nr + 2, d).unwrap()),
                segments: Segments::Packed(Ints::I32(Matrix::vector(&offsets))),
                mask: Some(Mask::U8(Matrix::vector(&mask))),
                chosen: Ints::I32(Matrix::vector(&[2, 2])),
                rejected: Ints::I32(Matrix::vector(&[0, 1])),
                mean,
            };
            let (mut v, mut s) = ([7.0f64; 2], [7u32; 2]);
            let out =
                ChesOut { value: Some(MatrixMut::vector(&mut v).into()), status: Some(MatrixMut::vector(&mut s)) };
            with_scratch(batch::ches_workspace(&x).minimum, |w| batch::ches(&x, out, w)).unwrap();
            golden("ches", v[0], g.one(want), size);
            assert!(v[1] < 0.0 && s == [0, row::EMPTY]);
            let out = || ChesOut::default();
            let far = Ches { chosen: Ints::I32(Matrix::vector(&[2, 3])), ..x };
            refused(with_scratch(1 << 12, |w| batch::ches(&far, out(), w)), "chosen_seq", Status::OutOfRange);
            cases.ran();
        }
    }
    cases.finish("ches", 6);
}
