//! The pair entries through the kernels: presets and the identities that the formulas promise, maps, anchors, betas, every
//! entry from hidden states.
use truing_core::catalog::{ALL, Kind, Score, find, slot};
use truing_core::error::row;
use truing_core::linear_preference as linear;
use truing_core::losses::map::ScoreMap;
use truing_core::matrix::{Floats, FloatsMut, Ints, Mask, Matrix, MatrixMut};
use truing_core::preference::{Groups, Inputs, Items, Options, Outputs, Problem, Reduction, Term, stat};
use truing_core::sequence::Segments;
use truing_core::{Error, Status};
use truing_cpu::linear_logprob::Grads;
use truing_cpu::{Context, Isa, linear_preference, preference};
use truing_tests::{Cases, Random, context, contexts, first_variant, id, same, variants, with_scratch};

/// Pairs as thirds: chosen, rejected, anchors.
#[derive(Clone, Debug, Default)]
struct Data {
    scores: Vec<f64>,
    reference: Vec<f64>,
    lengths: Vec<i32>,
    kl: Vec<f64>,
    margin: Option<[Vec<f64>; 2]>,
    shift: Option<Vec<f64>>,
    beta: Option<Vec<f64>>,
}
impl Data {
    fn new(seed: u64, pairs: usize) -> Data {
        let mut r = Random(seed);
        let mut list = |n: usize, low: f64, high: f64| (0..n).map(|_| r.between(low, high)).collect::<Vec<_>>();
        Data {
            scores: list(3 * pairs, -4.0, -0.2),
            reference: list(3 * pairs, -4.0, -0.2),
            lengths: list(3 * pairs, 1.0, 30.0).iter().map(|&x| x as i32).collect(),
            kl: list(3 * pairs, 0.0, 2.0),
            margin: None,
            shift: None,
            beta: None,
        }
    }
    fn pairs(&self) -> usize {
        self.scores.len() / 3
    }
    /// Margins that the entry can read, where it wants some.
    fn margins_for(mut self, name: &str) -> Data {
        let (n, mut r) = (self.pairs(), Random(9));
        let about = find(Kind::Pair, name).unwrap().about;
        if about.reads(slot::MARGIN) {
            let side = |r: &mut Random| -> Vec<f64> {
                let sign = |x: f64| if x < 0.5 { -1.0 } else { 1.0 };
                match name {
                    "bt_ties" => (0..n).map(|_| (r.uniform() < 0.5) as u8 as f64).collect(),
                    "cost_model" => (0..n).map(|_| sign(r.uniform())).collect(),
                    _ => (0..n).map(|_| r.between(-0.4, 0.4)).collect(),
                }
            };
            self.margin = Some([side(&mut r), side(&mut r)]);
        }
        self
    }
}
#[derive(Clone, Debug)]
struct Got {
    losses: Vec<f64>,
    grad: Vec<f64>,
    grad_kl: Vec<f64>,
    grad_margin: Vec<f64>,
    rewards: [Vec<f64>; 2],
    status: Vec<u32>,
}
fn floats(v: &[f64]) -> Option<Floats<'_>> {
    Some(Floats::F64(Matrix::vector(v)))
}
fn run(c: &Context, d: &Data, items: Option<Items>, term: Term, o: Options) -> Result<Got, Error> {
    let about = find(Kind::Pair, ALL.iter().find(|e| e.about.id == term.id).unwrap().about.name).unwrap().about;
    let (n, anchored) = (d.pairs(), about.reads(slot::ANCHOR));
    let s = if anchored || items.is_some() { 3 * n } else { 2 * n };
    let terms = [Term { reduction: Reduction::Sum, ..term }];
    let items = items.unwrap_or(if anchored { Items::Thirds } else { Items::Stacked });
    let p = Problem::new(s, items, &terms, o)?;
    let mut i = Inputs::new(Floats::F64(Matrix::vector(&d.scores[..s])));
    i.ref_scores = floats(&d.reference[..s]);
    i.lengths = Some(Matrix::vector(&d.lengths[..s]));
    i.kl = if about.reads(slot::KL) { floats(&d.kl[..s]) } else { None };
    i.groups = Groups {
        item_beta: d.beta.as_deref().and_then(floats),
        margin_chosen: d.margin.as_ref().and_then(|m| floats(&m[0])),
        margin_rejected: d.margin.as_ref().and_then(|m| floats(&m[1])),
        shift: d.shift.as_deref().and_then(floats),
        ..Groups::default()
    };
    let mut g = Got {
        losses: vec![77.0; n],
        grad: vec![77.0; s],
        grad_kl: vec![77.0; s],
        grad_margin: vec![77.0; n],
        rewards: [vec![77.0; n], vec![77.0; n]],
        status: vec![77; n],
    };
    let [chosen, rejected] = &mut g.rewards;
    let out = Outputs {
        losses: Some(MatrixMut::vector(&mut g.losses).into()),
        grad_scores: Some(MatrixMut::vector(&mut g.grad).into()),
        grad_kl: Some(MatrixMut::vector(&mut g.grad_kl).into()),
        grad_margin: Some(MatrixMut::vector(&mut g.grad_margin).into()),
        reward_chosen: Some(MatrixMut::vector(chosen).into()),
        reward_rejected: Some(MatrixMut::vector(rejected).into()),
        status: Some(MatrixMut::vector(&mut g.status)),
        ..Outputs::default()
    };
    with_scratch(preference::workspace(c, &p).minimum, |w| preference::forward(c, &p, &i, out, w))?;
    Ok(g)
}
fn term<'a>(name: &str, params: &'a [f64]) -> Term<'a> {
    let info = find(Kind::Pair, name).unwrap();
    Term { id: info.about.id, variant: first_variant(info), params, ..Term::default() }
}
fn eval(d: &Data, name: &str, params: &[f64]) -> Got {
    run(&context(Isa::detect(), 0), d, None, term(name, params), Options::default()).unwrap()
}
fn same_all(what: &str, a: &Got, b: &Got) {
    for (x, y) in
        [(&a.losses, &b.losses), (&a.grad, &b.grad), (&a.grad_kl, &b.grad_kl), (&a.grad_margin, &b.grad_margin)]
    {
        same(what, x, y);
    }
    same(what, &a.rewards[0], &b.rewards[0]);
    same(what, &a.rewards[1], &b.rewards[1]);
    same(what, &a.status, &b.status);
}
fn near(what: &str, a: &[f64], b: &[f64], tolerance: f64) {
    assert_eq!(a.len(), b.len(), "{what}");
    for (k, (x, y)) in a.iter().zip(b).enumerate() {
        assert!((x - y).abs() <= tolerance * (1.0 + y.abs()), "{what} {k}: {x} {y}");
    }
}
/// Every parameter of an entry: its default, or 0.6.
fn params(name: &str) -> Vec<f64> {
    let info = find(Kind::Pair, name).unwrap();
    info.params.iter().map(|p| if p.default.is_nan() { 0.6 } else { p.default }).collect()
}
fn names() -> Vec<&'static str> {
    ALL.iter().filter(|e| e.kind == Kind::Pair).map(|e| e.about.name).collect()
}

/// A preset without a formula of its own gives the bits of its base; a kernel is compiled for the base alone.
#[test]
fn presets() {
    let mut cases = Cases::default();
    let d = Data { margin: Some([vec![0.3; 19], vec![-0.4; 19]]), ..Data::new(1, 19) };
    for c in &contexts() {
        for (preset, base) in [
            ("odpo", "dpo"),
            ("image_dpo", "dpo"),
            ("diffusion_dpo", "dpo"),
            ("mm_dpo", "dpo"),
            ("beta_dpo", "dpo"),
            ("bt_scaled", "bt"),
        ] {
            let p = params(preset);
            let get = |name, p| run(c, &d, None, term(name, p), Options::default()).unwrap();
            same_all(preset, &get(preset, &p), &get(base, &p));
            cases.ran();
        }
        // without a reference
        let zero = Data { reference: vec![0.0; 57], ..d.clone() };
        let get = |d, name| run(c, d, None, term(name, &[0.3, 0.1]), Options::default()).unwrap();
        same_all("cpo", &get(&d, "cpo"), &get(&zero, "dpo"));
        cases.ran();
    }
    assert_eq!(cases.0 % 7, 0);
    cases.finish("presets of pair entries", 14);
}

#[test]
fn identities() {
    let mut cases = Cases::default();
    let d = Data::new(2, 40);
    let with = |m: [f64; 2]| Data { margin: Some([vec![m[0]; 40], vec![m[1]; 40]]), ..d.clone() };
    let mut check = |what: &str, a: &Got, b: &Got| {
        near(what, &a.losses, &b.losses, 1e-13);
        near(what, &a.grad[..80], &b.grad[..80], 1e-13);
        cases.ran();
    };
    let dpo = eval(&d, "dpo", &[0.3]);
    let ones = Data { lengths: vec![1; 120], ..d.clone() };
    let plain = Data { reference: vec![0.0; 120], ..d.clone() };
    check("robust_dpo without smoothing", &eval(&d, "robust_dpo", &[0.3, 0.0]), &dpo);
    check("dpo_ln on single tokens", &eval(&ones, "dpo_ln", &[0.3, 0.1]), &eval(&d, "dpo", &[0.3, 0.1]));
    check("ipo on single tokens", &eval(&ones, "ipo", &[0.3]), &eval(&d, "ipo_sum", &[0.3]));
    check("dpo_shift at 1", &eval(&d, "dpo_shift", &[0.3, 1.0]), &dpo);
    check("dpop without penalty", &eval(&d, "dpop", &[0.3, 0.0]), &dpo);
    check("modpo alone", &eval(&d, "modpo", &[0.3, 1.0]), &dpo);
    check("modpo_hinge alone", &eval(&d, "modpo_hinge", &[0.3, 1.0]), &eval(&d, "hinge", &[0.3]));
    check("tdpo2 without the gap", &eval(&d, "tdpo2", &[0.3, 0.0]), &dpo);
    check("cal_dpo without regression", &eval(&d, "cal_dpo", &[0.3, 0.0]), &eval(&d, "dpo", &[1.0]));
    check("alphapo at 0", &eval(&d, "alphapo", &[2.0, 0.0, 0.4, 0.1]), &eval(&d, "simpo", &[2.0, 0.4, 0.1]));
    let tiny = eval(&d, "alphapo", &[2.0, 1.1e-6, 0.4]);
    let simpo = eval(&d, "simpo", &[2.0, 0.4]);
    near("alphapo near 0", &tiny.losses, &simpo.losses, 1e-4);
    near("alphapo near 0", &tiny.grad, &simpo.grad, 1e-4);
    check("bt is dpo", &eval(&d, "bt", &[]), &eval(&plain, "dpo", &[1.0]));
    check("bt_center without centre", &eval(&d, "bt_center", &[0.0]), &eval(&d, "bt", &[]));
    check("bt_focal without exponent", &eval(&d, "bt_focal", &[0.0]), &eval(&d, "bt", &[]));
    // a pair without absolute labels may hold anything in their place
    let bt = eval(&d, "bt", &[]);
    let none = eval(&with([f64::NAN, f64::NAN]), "bt_mse", &[0.0]);
    check("bt_mse without labels", &none, &bt);
    assert!(none.status.iter().all(|&s| s == 0));
    let ties = |variant, p: &[f64]| {
        let t = Term { variant, ..term("bt_ties", p) };
        run(&context(Isa::detect(), 0), &with([0.0, 0.0]), None, t, Options::default()).unwrap()
    };
    check("rao_kupper without ties", &ties(1, &[0.0]), &bt);
    check("davidson without ties", &ties(2, &[f64::NAN, -60.0]), &bt);
    check("sppo_hard", &eval(&d, "sppo", &[]), &eval(&with([1.0, 0.0]), "sppo", &[0.1, 1.0]));
    let zero = Data { shift: Some(vec![0.0; 40]), ..d.clone() };
    check("bco_pair without shift", &eval(&d, "bco_pair", &[0.3]), &eval(&zero, "bco_pair", &[0.3]));
    // r_dpo is dpo with a margin: price by length
    let gap: Vec<f64> = (0..40).map(|i| -0.02 * (d.lengths[i] - d.lengths[40 + i]) as f64).collect();
    let priced = Data { margin: Some([gap, vec![0.0; 40]]), ..d.clone() };
    check("r_dpo", &eval(&d, "r_dpo", &[0.3, 0.02]), &eval(&priced, "dpo", &[0.3]));
    // exo_pair is rpo_forward_kl at the smoothed label's log odds; rpo_backward_kl there is cdpo less its entropy
    let eps: f64 = 0.1;
    let label = with([((1.0 - eps) / eps).ln(), 0.0]);
    check("exo_pair", &eval(&d, "exo_pair", &[0.3, eps]), &eval(&label, "rpo_forward_kl", &[0.3]));
    let mut soft = eval(&label, "rpo_backward_kl", &[0.3]);
    let entropy = -eps * eps.ln() - (1.0 - eps) * (1.0 - eps).ln();
    soft.losses.iter_mut().for_each(|x| *x += entropy);
    check("rpo_backward_kl", &soft, &eval(&d, "dpo", &[0.3, eps]));
    check("hard labels", &eval(&with([f64::INFINITY, 0.0]), "rpo_backward_kl", &[0.3]), &dpo);
    // 2 / beta
    let idk = eval(&d, "idk_dpo", &[0.3]);
    near("idk_dpo", &idk.losses, &dpo.losses.iter().map(|x| 2.0 / 0.3 * x).collect::<Vec<_>>(), 1e-13);
    near("idk_dpo", &idk.grad, &dpo.grad.iter().map(|x| 2.0 / 0.3 * x).collect::<Vec<_>>(), 1e-13);
    // the odds of orpo bound: lam (asft's comparison) is above it
    let (orpo, asft) = (eval(&d, "orpo", &[0.7]), eval(&d, "asft", &[0.7]));
    assert!(orpo.losses.iter().zip(&asft.losses).all(|(o, a)| o <= a));
    // anchors: equal to the rejected side, each entry is a sum of plain ones
    let mut twin = d.clone();
    for i in 0..40 {
        (twin.scores[80 + i], twin.reference[80 + i]) = (twin.scores[40 + i], twin.reference[40 + i]);
    }
    let povid = eval(&twin, "povid", &[0.3]);
    near("povid", &povid.losses, &dpo.losses, 1e-13);
    for i in 0..40 {
        let both = povid.grad[40 + i] + povid.grad[80 + i];
        near("povid", &[povid.grad[i], both], &[dpo.grad[i], dpo.grad[40 + i]], 1e-13);
    }
    let (mdpo, image) = (eval(&d, "mdpo", &[0.3, 0.2]), {
        let mut e = d.clone();
        for i in 0..40 {
            (e.scores[40 + i], e.reference[40 + i]) = (d.scores[80 + i], d.reference[80 + i]);
        }
        eval(&e, "image_dpo", &[0.3])
    });
    for i in 0..40 {
        let x = 0.3 * (d.scores[i] - d.reference[i]) - 0.2;
        let own = [(-x).exp().ln_1p(), -0.3 / (1.0 + x.exp())];
        near("mdpo", &[mdpo.losses[i]], &[dpo.losses[i] + image.losses[i] + own[0]], 1e-13);
        near("mdpo", &[mdpo.grad[i]], &[dpo.grad[i] + image.grad[i] + own[1]], 1e-13);
        near("mdpo", &mdpo.grad[40..][i..=i], &dpo.grad[40..][i..=i], 1e-13);
        near("mdpo", &mdpo.grad[80..][i..=i], &image.grad[40..][i..=i], 1e-13);
    }
    // rewards of one objective among several
    let g = eval(&with([0.4, -0.1]), "modpo", &[0.3, 0.5]);
    let want = |k: usize, m: f64| -> Vec<f64> {
        (0..40).map(|i| (0.3 * (d.scores[k + i] - d.reference[k + i]) - m) / 0.5).collect()
    };
    near("modpo rewards", &g.rewards[0], &want(0, 0.4), 1e-13);
    near("modpo rewards", &g.rewards[1], &want(40, -0.1), 1e-13);
    cases.finish("identities of pair entries", 22);
}

/// Every entry: one result on every instruction set and over threads, gradients against differences, a beta of each pair
/// as calls of their own.
#[test]
fn every_entry() {
    let mut cases = Cases::default();
    let (all, threaded) = (contexts(), context(Isa::detect(), 3));
    for (name, variant) in names().into_iter().flat_map(|n| variants(find(Kind::Pair, n).unwrap()).map(move |v| (n, v)))
    {
        let (p, about) = (params(name), find(Kind::Pair, name).unwrap().about);
        let mut d = Data::new(3, 37).margins_for(name);
        if about.reads(slot::SHIFT) {
            d.shift = Some(vec![0.2; 37]);
        }
        let go = |c: &Context, d: &Data, p: &[f64]| {
            run(c, d, None, Term { variant, ..term(name, p) }, Options::default()).unwrap()
        };
        let want = go(&all[0], &d, &p);
        assert!(want.losses.iter().all(|x| x.is_finite()) && want.status.iter().all(|&s| s == 0), "{name}");
        for c in all.iter().skip(1).chain([&threaded]) {
            same_all(name, &go(c, &d, &p), &want);
        }
        if about.reads(slot::BETA) {
            let betas: Vec<f64> = (0..37).map(|i| 0.05 + 0.03 * i as f64).collect();
            let mut e = Data { beta: Some(betas.clone()), ..d.clone() };
            let got = go(&all[all.len() - 1], &e, &p);
            same_all(name, &go(&all[0], &e, &p), &got);
            e.beta = None;
            for (i, &beta) in betas.iter().enumerate() {
                let mut p = p.clone();
                p[0] = beta;
                let one = go(&all[0], &e, &p);
                same(name, &[got.losses[i], got.grad[i]], &[one.losses[i], one.grad[i]]);
                same(name, &[got.rewards[0][i]], &[one.rewards[0][i]]);
            }
        }
        let sequences = want.grad.len();
        for s in 0..sequences {
            let (i, h) = (s % 37, 2f64.powi(-14));
            let at = |k: f64| {
                let mut d = d.clone();
                d.scores[s] += k * h;
                go(&all[0], &d, &p).losses[i]
            };
            let slope = (8.0 * (at(1.0) - at(-1.0)) - (at(2.0) - at(-2.0))) / (12.0 * h);
            let kink = (at(1.0) - 2.0 * want.losses[i] + at(-1.0)).abs() > h * 1e-3 * (1.0 + slope.abs());
            if !kink {
                near(name, &[want.grad[s]], &[slope], 1e-6);
                cases.ran();
            }
        }
    }
    cases.finish("every pair entry", 3800);
}

/// Differences and slopes of the maps against `golden/maps.txt`, 60 digits: equal and nearly equal log ratios, up to 1e4,
/// bounded exponents, divided by lengths.
#[test]
fn maps_meet_their_golden_vectors() {
    use truing_core::losses::map::{Alpha, js};
    let (mut cases, mut worst) = (Cases::default(), 0.0f64);
    for line in include_str!("golden/maps.txt").lines() {
        let fields: Vec<Vec<&str>> = line.split('|').map(|f| f.split_whitespace().collect()).collect();
        let number = |f: usize, k: usize| -> f64 { fields[f][k].parse().expect("a number") };
        let (a, b) = (number(1, 0), number(1, 1));
        let shares = (!number(2, 0).is_nan()).then(|| [number(2, 0), number(2, 1)]);
        let got = match fields[0][0] {
            "js" => js(a, b, shares),
            _ => Alpha { alpha: number(0, 1), max_exponent: number(0, 2) }.difference(a, b, shares),
        };
        let u = 2f64.powi(-53);
        for (k, got) in [got.difference, got.chosen, got.rejected].into_iter().enumerate() {
            let (want, slack) = (number(3, k), number(3, 3));
            if want.is_infinite() {
                assert_eq!(got, want, "{line}");
                continue;
            }
            // a slope is one exponential
            let size =
                want.abs() * (1.0 + if k == 0 { 0.0 } else { (number(0, 1).max(0.0) + 1.0) * a.abs().max(b.abs()) });
            let bound = 16.0 * u * (size + if k == 0 { slack } else { 0.0 }) + 2f64.powi(-1074);
            let error = (got - want).abs();
            assert!(error <= bound, "{line}: output {k} is {got:e}, off by {error:e}, allowed {bound:e}");
            worst = worst.max(error / bound);
        }
        cases.ran();
    }
    println!("at most {worst:.2} of the bound");
    cases.finish("maps, golden", 2500);
}

const MAPS: [ScoreMap; 5] = [
    ScoreMap::Js,
    ScoreMap::Alpha { alpha: 1.0, max_exponent: f64::INFINITY },
    ScoreMap::Alpha { alpha: 0.5, max_exponent: f64::INFINITY },
    ScoreMap::Alpha { alpha: -0.7, max_exponent: f64::INFINITY },
    ScoreMap::Alpha { alpha: 0.5, max_exponent: 0.25 },
];
fn g(map: ScoreMap, x: f64) -> f64 {
    match map {
        ScoreMap::Identity => x,
        ScoreMap::Js => -((-x).exp().ln_1p()),
        ScoreMap::Alpha { alpha, max_exponent } => -(-alpha * x).min(max_exponent).exp() / alpha,
    }
}
#[test]
fn maps() {
    let mut cases = Cases::default();
    let all = contexts();
    let takers: Vec<_> = names().into_iter().filter(|n| find(Kind::Pair, n).unwrap().about.takes_map).collect();
    let all_takers = ["dpo", "ipo", "dpo_ln", "robust_dpo", "hinge", "ipo_sum", "exo_pair", "discopop"];
    assert_eq!(takers, all_takers);
    for name in takers {
        let (p, lengths) = (params(name), find(Kind::Pair, name).unwrap().about.reads(slot::LENGTH));
        for map in MAPS {
            let d = Data::new(5, 21);
            let go = |c: &Context, d: &Data, map| run(c, d, None, Term { map, ..term(name, &p) }, Options::default());
            let got = go(&all[0], &d, map).unwrap();
            for c in &all[1..] {
                same_all(name, &go(c, &d, map).unwrap(), &got);
            }
            // the entry on scores that are mapped beforehand
            let mut by_hand = Data { reference: vec![0.0; 63], ..d.clone() };
            for s in 0..42 {
                by_hand.scores[s] = g(map, d.scores[s] - d.reference[s]);
            }
            let want = go(&all[0], &by_hand, ScoreMap::Identity).unwrap();
            near(name, &got.losses, &want.losses, 1e-12);
            for s in 0..42 {
                let h = 2f64.powi(-16);
                let x = d.scores[s] - d.reference[s];
                let slope = (g(map, x + h) - g(map, x - h)) / (2.0 * h);
                near(name, &[got.grad[s]], &[want.grad[s] * slope], 1e-7);
            }
            // rewards are not mapped
            let plain = go(&all[0], &d, ScoreMap::Identity).unwrap();
            same(name, &got.rewards[0], &plain.rewards[0]);
            // far out: a difference of 0 stays 0, the larger exponential wins, nothing is NaN
            for far in [-1e4, -800.0, 800.0, 1e4] {
                let mut e = Data { reference: vec![0.0; 63], ..d.clone() };
                for i in 0..21 {
                    (e.scores[i], e.scores[21 + i]) = (far, far + [0.0, 1.0, -1.0][i % 3]);
                    e.lengths[21 + i] = e.lengths[i];
                }
                let got = go(&all[0], &e, map).unwrap();
                assert!(got.losses.iter().chain(&got.grad).all(|x| !x.is_nan()), "{name} {map:?} {far} {got:?}");
                let zero = Data { scores: vec![0.0; 63], reference: vec![0.0; 63], ..e.clone() };
                let want = go(&all[0], &zero, ScoreMap::Identity).unwrap();
                for i in (0..21).step_by(3) {
                    same(name, &[got.losses[i]], &[want.losses[i]]);
                }
                for c in &all[1..] {
                    same_all(name, &go(c, &e, map).unwrap(), &got);
                }
            }
            cases.ran();
        }
        // alpha next to 0 is no map
        let d = Data::new(6, 8);
        let go = |map| run(&all[0], &d, None, Term { map, ..term(name, &p) }, Options::default()).unwrap();
        let near_zero = ScoreMap::Alpha { alpha: 9e-7, max_exponent: f64::INFINITY };
        same_all(name, &go(near_zero), &go(ScoreMap::Identity));
        assert!(lengths == (name == "ipo" || name == "dpo_ln"));
    }
    // a term with a map beside one without
    let d = Data::new(7, 21);
    let both = [Term { map: ScoreMap::Js, ..term("dpo", &[0.3]) }, term("hinge", &[0.3])];
    let p = Problem::new(42, Items::Stacked, &both, Options::default()).unwrap();
    let mut grad = vec![0.0; 42];
    let out = Outputs { grad_scores: Some(MatrixMut::vector(&mut grad).into()), ..Outputs::default() };
    let mut i = Inputs::new(Floats::F64(Matrix::vector(&d.scores[..42])));
    i.ref_scores = floats(&d.reference[..42]);
    with_scratch(preference::workspace(&all[0], &p).minimum, |w| preference::forward(&all[0], &p, &i, out, w)).unwrap();
    let parts: Vec<_> = both.iter().map(|&t| run(&all[0], &d, None, t, Options::default()).unwrap()).collect();
    let want: Vec<f64> = (0..42).map(|s| (parts[0].grad[s] + parts[1].grad[s]) / 21.0).collect();
    near("two terms", &grad, &want, 1e-15);
    cases.finish("maps of pair entries", 40);
}

#[test]
fn anchors() {
    let mut cases = Cases::default();
    let all = contexts();
    for name in ["mdpo", "povid", "slic"] {
        let d = Data::new(8, 19);
        let p = params(name);
        for c in &all {
            let go = |d: &Data, items| run(c, d, Some(items), term(name, &p), Options::default()).unwrap();
            let want = go(&d, Items::Thirds);
            let index = |k: usize| (0..19).map(|i| (k * 19 + i) as i32).collect::<Vec<_>>();
            let (a, b, e) = (index(0), index(1), index(2));
            let ints = |v| Ints::I32(Matrix::vector(v));
            let indexed = Items::Indexed { chosen: ints(&a), rejected: ints(&b), anchor: Some(ints(&e)) };
            same_all(name, &go(&d, indexed), &want);
            // threes
            let order: Vec<usize> = (0..57).map(|s| s % 3 * 19 + s / 3).collect();
            let pick = |v: &[f64]| order.iter().map(|&s| v[s]).collect::<Vec<_>>();
            let lengths = order.iter().map(|&s| d.lengths[s]).collect();
            let e3 = Data { scores: pick(&d.scores), reference: pick(&d.reference), lengths, ..d.clone() };
            let got = go(&e3, Items::Threes);
            same(name, &got.losses, &want.losses);
            same(name, &got.grad, &pick(&want.grad));
            // the anchor is the chosen sequence itself: its partials add
            let shared = Items::Indexed { chosen: ints(&a), rejected: ints(&b), anchor: Some(ints(&a)) };
            let got = go(&d, shared);
            let mut copy = d.clone();
            for i in 0..19 {
                (copy.scores[38 + i], copy.reference[38 + i]) = (d.scores[i], d.reference[i]);
            }
            let apart = go(&copy, Items::Thirds);
            for i in 0..19 {
                near(name, &[got.grad[i]], &[apart.grad[i] + apart.grad[38 + i]], 1e-15);
            }
            // NaN of an anchor is its pair's
            let mut bad = d.clone();
            bad.scores[38 + 4] = f64::NAN;
            let got = go(&bad, Items::Thirds);
            for i in 0..19 {
                assert_eq!(got.losses[i].is_nan(), i == 4);
                assert_eq!(got.status[i], if i == 4 { row::NAN_INPUT } else { 0 });
            }
            cases.ran();
        }
    }
    let c = &all[0];
    let d = Data::new(8, 2);
    let mut refused = |items, t: Term, field: &str, status: Status| {
        let e = run(c, &d, Some(items), t, Options::default()).unwrap_err();
        assert_eq!((e.field, e.status), (field, status), "{e}");
        cases.ran();
    };
    let (two, far) = ([0i32, 1], [0i32, 6]);
    let ints = |v| Ints::I32(Matrix::vector(v));
    let mdpo = term("mdpo", &[]);
    use Status::{InvalidArgument, OutOfRange, ShapeMismatch};
    let some = |a| Items::Indexed { chosen: ints(&two), rejected: ints(&two), anchor: a };
    refused(Items::Stacked, mdpo, "groups.anchor_seq", InvalidArgument);
    refused(some(None), mdpo, "groups.anchor_seq", InvalidArgument);
    refused(some(Some(ints(&two))), term("dpo", &[]), "groups.anchor_seq", InvalidArgument);
    refused(some(Some(ints(&far))), mdpo, "groups.anchor_seq", OutOfRange);
    refused(some(Some(ints(&two[..1]))), mdpo, "groups.anchor_seq", ShapeMismatch);
    let e = Problem::new(7, Items::Threes, &[mdpo], Options::default()).unwrap_err();
    assert_eq!((e.field, e.status), ("scores", ShapeMismatch));
    // maps where they make no sense, and broken ones
    let js = ScoreMap::Js;
    for name in ["simpo", "apo_zero", "tdpo1", "cpo", "mdpo"] {
        let e = run(c, &d, None, Term { map: js, ..term(name, &[]) }, Options::default()).unwrap_err();
        assert_eq!((e.field, e.status), ("loss.map", InvalidArgument), "{e}");
    }
    for (alpha, max_exponent, field) in [
        (f64::NAN, 1.0, "loss.map_alpha"),
        (1.0, 0.0, "loss.map_max_exponent"),
        (1.0, f64::NAN, "loss.map_max_exponent"),
    ] {
        let map = ScoreMap::Alpha { alpha, max_exponent };
        let e = run(c, &d, None, Term { map, ..term("dpo", &[]) }, Options::default()).unwrap_err();
        assert_eq!((e.field, e.status), (field, InvalidArgument), "{e}");
    }
    // margins that an entry cannot do without
    for name in ["cost_model", "bt_mse", "rpo_square", "bt_ties"] {
        let e = run(c, &d, None, term(name, &params(name)), Options::default()).unwrap_err();
        assert_eq!((e.field, e.status), ("groups.margin_chosen", InvalidArgument), "{e}");
    }
    cases.finish("anchors of pair entries", 11);
}

/// What a call of [`few_outputs`] gives.
#[derive(Clone, Debug)]
struct Few {
    loss: f64,
    grad: Vec<f64>,
    /// Losses and rewards of both sides.
    items: [Vec<f64>; 3],
    statistics: [f64; stat::COUNT],
    status: Vec<u32>,
    counters: [i64; row::BITS],
}
/// The same bits whatever else is asked for and however the pairs lie, also where one pass makes them: every entry, sizes
/// around those of the lanes and of a chunk, reductions, infinite, NaN and huge scores, scores and places in f32; and loss and
/// gradient add up where they are told to. Pairs by index are the yardstick: no pass of their own serves them.
#[test]
fn few_outputs() {
    let mut cases = Cases::default();
    let (all, threaded) = (contexts(), context(Isa::detect(), 2));
    for name in names() {
        let info = find(Kind::Pair, name).unwrap();
        let p = params(name);
        for (k, n) in [1, 7, 8, 9, 64, 131, 2049, 256, 257].into_iter().enumerate() {
            let mut d = Data::new(40 + k as u64, n);
            for x in [&mut d.scores, &mut d.reference] {
                x.iter_mut().for_each(|x| *x = *x as f32 as f64); // so that f32 holds the same
            }
            match k {
                3 => d.scores[4] = f64::NEG_INFINITY,
                4 => d.reference[17] = f64::NAN,
                5 => d.scores[9] = -1e38f32 as f64,
                7 => d.scores[255] = 0.0,
                _ => {}
            }
            let anchored = info.about.reads(slot::ANCHOR);
            let s = if anchored { 3 * n } else { 2 * n };
            let reduction = [Reduction::Mean, Reduction::Sum, Reduction::WeightedMean][k % 3];
            let terms = [Term { reduction, weight: -1.5, normaliser: (k == 6) as u8 as f64 * 77.0, ..term(name, &p) }];
            let d = d.margins_for(name);
            // `held`: what loss and gradient hold and are added to; `short`: f32 in and out
            let run = |c: &Context, items: Items<'_>, more: bool, held: Option<f64>, short: bool| {
                let options = Options { accumulate: held.is_some(), skip_flagged: k == 8, ..Options::default() };
                let problem = Problem::new(s, items, &terms, options).unwrap();
                let narrow = |x: &[f64]| x.iter().map(|x| *x as f32).collect::<Vec<_>>();
                let (scores, reference) = (narrow(&d.scores[..s]), narrow(&d.reference[..s]));
                let mut x = Inputs::new(Floats::F64(Matrix::vector(&d.scores[..s])));
                x.ref_scores = floats(&d.reference[..s]);
                if short {
                    x.scores = Floats::F32(Matrix::vector(&scores));
                    x.ref_scores = Some(Floats::F32(Matrix::vector(&reference)));
                }
                x.lengths = (k % 2 == 0 || info.about.reads(slot::LENGTH)).then(|| Matrix::vector(&d.lengths[..s]));
                x.kl = if info.about.reads(slot::KL) { floats(&d.kl[..s]) } else { None };
                x.groups.margin_chosen =
                    d.margin.as_ref().filter(|_| info.about.margins[0].is_nan()).and_then(|m| floats(&m[0]));
                x.groups.margin_rejected =
                    d.margin.as_ref().filter(|_| info.about.margins[0].is_nan()).and_then(|m| floats(&m[1]));
                x.grad_scale = 0.75;
                let held = held.unwrap_or(7.0);
                let mut got = Few {
                    loss: 0.0,
                    grad: vec![held; s],
                    items: core::array::from_fn(|_| vec![7.0; n]),
                    statistics: [7.0; stat::COUNT],
                    status: vec![7; n],
                    counters: [7; row::BITS],
                };
                let mut loss = [held];
                let (mut grad, mut of_items) = (vec![held as f32; s], [(); 3].map(|()| vec![7f32; n]));
                fn place<'a>(short: bool, f: &'a mut [f32], d: &'a mut [f64]) -> Option<FloatsMut<'a>> {
                    Some(if short { MatrixMut::vector(f).into() } else { MatrixMut::vector(d).into() })
                }
                let mut out = Outputs {
                    loss: Some(MatrixMut::vector(&mut loss).into()),
                    grad_scores: place(short, &mut grad, &mut got.grad),
                    ..Outputs::default()
                };
                if more {
                    let ([a, b, c], [x, y, z]) = (&mut of_items, &mut got.items);
                    out.losses = place(short, a, x);
                    out.reward_chosen = place(short, b, y);
                    out.reward_rejected = place(short, c, z);
                    out.statistics = Some(&mut got.statistics);
                    out.status = Some(MatrixMut::vector(&mut got.status));
                    out.counters = Some(&mut got.counters);
                }
                with_scratch(preference::workspace(c, &problem).minimum, |w| {
                    preference::forward(c, &problem, &x, out, w)
                })
                .unwrap();
                if short {
                    got.grad = grad.iter().map(|&x| x.into()).collect();
                    got.items = of_items.map(|x| x.iter().map(|&x| x.into()).collect());
                }
                got.loss = loss[0];
                got
            };
            // stacked, interleaved
            let list = |step: usize, at: usize| (0..n).map(|i| (i * step + at) as i32).collect::<Vec<_>>();
            let lists = [[list(1, 0), list(1, n)], [list(2, 0), list(2, 1)]];
            for (layout, items) in [(0, Items::Stacked), (1, Items::Interleaved)] {
                let [chosen, rejected] = [0, 1].map(|side| Ints::I32(Matrix::vector(&lists[layout][side])));
                let (items, indexed) = match anchored {
                    true if layout == 0 => (Items::Thirds, Items::Thirds),
                    true => (Items::Threes, Items::Threes),
                    false => (items, Items::Indexed { chosen, rejected, anchor: None }),
                };
                for short in [false, true] {
                    let want = run(&all[0], indexed, true, None, short);
                    for c in all.iter().chain([&threaded]) {
                        let got = run(c, items, true, None, short);
                        same(name, &[got.loss], &[want.loss]);
                        same(name, &got.grad, &want.grad);
                        for (got, want) in got.items.iter().zip(&want.items) {
                            same(name, got, want);
                        }
                        same(name, &got.statistics, &want.statistics);
                        same(name, &got.status, &want.status);
                        same(name, &got.counters, &want.counters);
                        let got = run(c, items, false, None, short);
                        same(name, &[got.loss], &[want.loss]);
                        same(name, &got.grad, &want.grad);
                        if !short {
                            let got = run(c, items, false, Some(0.25), short);
                            same(name, &[got.loss], &[0.25 + want.loss]);
                            same(name, &got.grad, &want.grad.iter().map(|x| 0.25 + x).collect::<Vec<_>>());
                        }
                        cases.ran();
                    }
                }
            }
        }
    }
    cases.finish("pair entries with few outputs", 49 * 9 * 4 * 3);
}

/// A mean log-prob that is not below 0 is lowered, flagged, and keeps a gradient; sums become means on the way.
#[test]
fn lowered_means() {
    let c = context(Isa::detect(), 0);
    for name in ["orpo", "asft", "asft_tempered"] {
        let p = params(name);
        let mut d = Data::new(1, 3);
        (d.scores[0], d.scores[4]) = (0.0, 1e-9);
        let got = run(&c, &d, None, term(name, &p), Options::default()).unwrap();
        assert_eq!(got.status, [row::SATURATED, row::SATURATED, 0]);
        assert!(got.losses.iter().all(|x| x.is_finite()));
        (d.scores[0], d.scores[4]) = (-2f64.powi(-24), -2f64.powi(-24));
        let want = run(&c, &d, None, term(name, &p), Options::default()).unwrap();
        same(name, &got.losses, &want.losses);
        same(name, &got.grad, &want.grad);
        let sums = Data { scores: (0..9).map(|s| d.scores[s] * d.lengths[s] as f64).collect(), ..d.clone() };
        let o = Options { score: Some(Score::Sum), ..Options::default() };
        let got = run(&c, &sums, None, term(name, &p), o).unwrap();
        near(name, &got.losses, &want.losses, 1e-12);
        for s in 0..6 {
            near(name, &[got.grad[s] * d.lengths[s] as f64], &[want.grad[s]], 1e-9);
        }
    }
    println!("3 entries lower their means");
}

/// Every entry without KL from hidden states: the loss of the split form on the same scores, the gradients of the phased
/// form with the split form's partials; the same bits whether logits are kept or not, with anchors between the pairs.
#[test]
fn from_hidden_states() {
    let mut cases = Cases::default();
    let c = context(Isa::detect(), 0);
    let (d, v, width, pairs) = (8, 23, 4, 5);
    for name in names() {
        let info = find(Kind::Pair, name).unwrap();
        let about = info.about;
        for (layout, variant) in [0, 1].into_iter().flat_map(|l| variants(info).map(move |v| (l, v))) {
            let per = if about.reads(slot::ANCHOR) { 3 } else { 2 };
            let items = match (per, layout) {
                (3, 0) => Items::Threes,
                (3, _) => Items::Thirds,
                (_, 0) => Items::Interleaved,
                _ => Items::Stacked,
            };
            let (s, n) = (per * pairs, per * pairs * width);
            let mut r = Random(11);
            let (hidden, weight) = (r.normals(n * d, 0.7), r.normals(v * d, 0.7));
            let target: Vec<i32> = (0..n).map(|_| r.below(v) as i32).collect();
            let reference: Vec<f64> = (0..s).map(|_| -12.0 + r.normal()).collect();
            let data = Data::new(3, pairs).margins_for(name);
            let map = if about.takes_map { ScoreMap::Js } else { ScoreMap::Identity };
            let p = params(name);
            let terms = [Term { map, variant, ..term(name, &p) }];
            let segments = Segments::Padded { sequences: s, width };
            let options = |phase| linear::Options { phase, ..linear::Options::default() };
            let single = linear::Problem::new([n, d, v], segments, items, &terms, options(linear::Phase::Single));
            if about.reads(slot::KL) {
                let e = single.unwrap_err();
                assert_eq!((e.field, e.status), ("loss.id", Status::InvalidArgument));
                continue;
            }
            let single = single.unwrap();
            let mut i = linear::Inputs::new(
                Floats::F32(Matrix::contiguous(&hidden, n, d).unwrap()),
                Floats::F32(Matrix::contiguous(&weight, v, d).unwrap()),
                Ints::I32(Matrix::vector(&target)),
            );
            i.ref_scores = if about.reads(slot::REF) { floats(&reference) } else { None };
            i.groups.margin_chosen = data.margin.as_ref().and_then(|m| floats(&m[0]));
            i.groups.margin_rejected = data.margin.as_ref().and_then(|m| floats(&m[1]));
            let go = |p: &linear::Problem, i: &linear::Inputs, bytes: usize| {
                let (mut loss, mut scores, mut grad) = ([0.0], vec![0.0; s], vec![0.0; s]);
                let (mut gh, mut gw) = (vec![0f32; n * d], vec![0f32; v * d]);
                let one = p.phase() == linear::Phase::Single;
                let inner = Outputs {
                    loss: one.then(|| MatrixMut::vector(&mut loss).into()),
                    grad_scores: one.then(|| MatrixMut::vector(&mut grad).into()),
                    ..Outputs::default()
                };
                let out = linear::Outputs {
                    scores: one.then(|| MatrixMut::vector(&mut scores)),
                    preference: inner,
                    ..linear::Outputs::default()
                };
                let grads = Grads {
                    hidden: Some(MatrixMut::contiguous(&mut gh, n, d).unwrap().into()),
                    weight: Some(MatrixMut::contiguous(&mut gw, v, d).unwrap().into()),
                    ..Grads::default()
                };
                with_scratch(bytes, |w| linear_preference::forward(&c, p, i, out, grads, w)).unwrap();
                (loss[0], scores, grad, gh, gw)
            };
            let need = linear_preference::workspace(&c, &single, i.hidden.dtype(), i.weight.dtype());
            let want = go(&single, &i, need.minimum);
            let kept = go(&single, &i, need.preferred);
            same(name, &[want.0], &[kept.0]);
            for (x, y) in [(&want.1, &kept.1), (&want.2, &kept.2)] {
                same(name, x, y);
            }
            for (x, y) in [(&want.3, &kept.3), (&want.4, &kept.4)] {
                same(name, x, y);
            }
            // the split form
            let split = Problem::new(
                s,
                items,
                &terms,
                Options { score: Some(Score::Sum), skip_flagged: false, ..Options::default() },
            )
            .unwrap();
            let lengths = vec![width as i32; s];
            let mut scores = Inputs::new(Floats::F64(Matrix::vector(&want.1)));
            (scores.ref_scores, scores.lengths) = (i.ref_scores, Some(Matrix::vector(&lengths)));
            scores.groups = i.groups;
            let (mut loss, mut grad) = ([0f64], vec![0f64; s]);
            let out = Outputs {
                loss: Some(MatrixMut::vector(&mut loss).into()),
                grad_scores: Some(MatrixMut::vector(&mut grad).into()),
                ..Outputs::default()
            };
            let bytes = preference::workspace(&c, &split).minimum;
            with_scratch(bytes, |w| preference::forward(&c, &split, &scores, out, w)).unwrap();
            same(name, &loss, &[want.0]);
            same(name, &grad, &want.2);
            assert!(loss[0].is_finite() && grad.iter().any(|&g| g != 0.0), "{name}");
            // and back
            let phase = linear::Phase::WithCoefficients;
            let phased = linear::Problem::new([n, d, v], segments, items, &terms, options(phase)).unwrap();
            let mut coefficients = linear::Inputs::new(i.hidden, i.weight, Ints::I32(Matrix::vector(&target)));
            coefficients.score_coefficients = Some(Matrix::vector(&grad));
            let need = linear_preference::workspace(&c, &phased, i.hidden.dtype(), i.weight.dtype());
            let back = go(&phased, &coefficients, need.minimum);
            same(name, &back.3, &want.3);
            same(name, &back.4, &want.4);
            cases.ran();
        }
    }
    cases.finish("pair entries from hidden states", 96);
}

/// The partial of a learned parameter against differences of the loss, over weights, masks and a scalar factor; the second
/// output of `poft` against the factor that its gradient puts on a plain NLL.
#[test]
fn learned_parameters_and_second_outputs() {
    let mut cases = Cases::default();
    let c = Context::default();
    let p = 5;
    let mut r = Random(77);
    let mut draw = |size: f64| -> Vec<f64> { (0..2 * p).map(|_| size * r.normal()).collect() };
    let (scores, reference, margin) = (draw(3.0), draw(1.0), draw(0.7));
    let outcome: Vec<f64> = (0..p).map(|i| (i % 2) as f64).collect();
    let (weight, mask) = ([1.0, 0.5, 2.0, 0.0, 3.0], [1u8, 1, 1, 1, 0]);
    for (name, at, params) in [
        ("modpo", 1, vec![0.3, 0.7]),
        ("modpo_hinge", 1, vec![0.3, 2.0]),
        ("bt_ties", 0, vec![0.4, f64::NAN]),
        ("bt_ties", 0, vec![30.0, f64::NAN]),
        ("bt_ties", 1, vec![f64::NAN, 0.3]),
        ("bt_ties", 1, vec![f64::NAN, -40.0]),
        ("dpo", 9, vec![0.1, 0.0]),
    ] {
        let run = |params: &[f64]| {
            let variant = if name == "bt_ties" { at as u32 + 1 } else { 0 };
            let terms = [Term { variant, ..term(name, params) }];
            let problem = Problem::new(2 * p, Items::Stacked, &terms, Options::default()).unwrap();
            let about = terms[0].about();
            let mut x = Inputs::new(Floats::F64(Matrix::vector(&scores)));
            x.ref_scores = about.reads(slot::REF).then(|| Floats::F64(Matrix::vector(&reference)));
            let ties = name == "bt_ties";
            if about.reads(slot::MARGIN) && name != "dpo" {
                let chosen = if ties { &outcome[..] } else { &margin[..p] };
                x.groups.margin_chosen = Some(Floats::F64(Matrix::vector(chosen)));
                x.groups.margin_rejected = (!ties).then(|| Floats::F64(Matrix::vector(&margin[p..])));
            }
            x.groups.item_weight = Some(Floats::F64(Matrix::vector(&weight)));
            x.groups.item_mask = Some(Mask::U8(Matrix::vector(&mask)));
            x.grad_scale = -2.0;
            let (mut loss, mut grad) = ([0.0f64], vec![7.0f64; params.len()]);
            let out = Outputs {
                loss: Some(MatrixMut::vector(&mut loss).into()),
                grad_params: Some(MatrixMut::vector(&mut grad)),
                ..Outputs::default()
            };
            let need = preference::workspace(&c, &problem).minimum;
            with_scratch(need, |w| preference::forward(&c, &problem, &x, out, w)).unwrap();
            (loss[0], grad)
        };
        let (_, grad) = run(&params);
        for k in 0..params.len() {
            if k != at {
                assert_eq!(grad[k], 0.0, "{name}");
                continue;
            }
            let moved = |h: f64| {
                let mut q = params.clone();
                q[k] += h;
                run(&q).0
            };
            let h = 1e-4;
            let want = -2.0 * (8.0 * (moved(h) - moved(-h)) - (moved(2.0 * h) - moved(-2.0 * h))) / (12.0 * h);
            assert!((grad[k] - want).abs() <= 1e-9 * (1.0 + want.abs()), "{name}: got {}, expected {want}", grad[k]);
        }
        cases.ran();
    }
    let terms = [Term { id: id(Kind::Unpaired, "poft"), params: &[2.0, 0.3], ..Term::default() }];
    let problem = Problem::new(3, Items::Rows, &terms, Options::default()).unwrap();
    let means = [-0.5, -300.0, -1.25];
    let mut x = Inputs::new(Floats::F64(Matrix::vector(&means)));
    x.groups.baseline = Some(Floats::F64(Matrix::vector(&[-1.0])));
    let mut aux = [7.0f64; 3];
    let out = Outputs { aux: Some(MatrixMut::vector(&mut aux).into()), ..Outputs::default() };
    with_scratch(preference::workspace(&c, &problem).minimum, |w| preference::forward(&c, &problem, &x, out, w))
        .unwrap();
    for (got, l) in aux.iter().zip(means) {
        let want = 1.0 / (1.0 + (2.0 * (l + 1.0) + 0.3f64).exp());
        assert!((got - want).abs() <= 4.0 * f64::EPSILON * want, "poft: got {got}, expected {want}");
        cases.ran();
    }
    let kto = [Term { id: id(Kind::Unpaired, "npo"), ..Term::default() }];
    let problem = Problem::new(3, Items::Rows, &kto, Options::default()).unwrap();
    let out = Outputs { aux: Some(MatrixMut::vector(&mut aux).into()), ..Outputs::default() };
    assert_eq!(out.check(&problem).unwrap_err().field, "items.out_aux");
    cases.finish("learned parameters", 10);
}
