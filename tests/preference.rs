//! Preference losses against formulas written here a second time, their gradients against differences of those formulas;
//! the same bits over instruction sets, threads and layouts; masks, infinities, hostile inputs.
use truing_core::catalog::{
    ALL, About, Kind, ListVisitor, Score, UnpairedVisitor, resolve, slot, with_list, with_unpaired,
};
use truing_core::dtype::{bf16, f16};
use truing_core::error::row;
use truing_core::losses::{ListLoss, Member, Unpaired, UnpairedLoss};
use truing_core::matrix::{Floats, FloatsMut, Ints, Mask, Matrix, MatrixMut};
use truing_core::preference::{Groups, Inputs, Items, Labels, Options, Outputs, Problem, Reduction, Term, stat};
use truing_core::{Error, Status};
use truing_cpu::{Context, Isa, preference};
use truing_tests::{Cases, Random, context, contexts, id, same, with_scratch};

#[derive(Clone, Debug)]
struct Got {
    loss: f64,
    losses: Vec<f64>,
    chosen: Vec<f64>,
    rejected: Vec<f64>,
    grad: Vec<f64>,
    grad_kl: Vec<f64>,
    grad_margin: Vec<f64>,
    statistics: [f64; 16],
    status: Vec<u32>,
    counters: [i64; 32],
}
fn run(c: &Context, p: &Problem, i: &Inputs) -> Result<Got, Error> {
    with_scratch(preference::workspace(c, p).minimum, |w| run_on(c, p, i, w))
}
fn run_on(c: &Context, p: &Problem, i: &Inputs, scratch: &mut [u8]) -> Result<Got, Error> {
    let (s, n, pairs) = (p.sequences(), p.count(), p.items().kind() == Kind::Pair);
    let mut g = Got {
        loss: 77.0,
        losses: vec![77.0; n],
        chosen: vec![77.0; p.rewards()],
        rejected: vec![77.0; n],
        grad: vec![77.0; s],
        grad_kl: vec![77.0; s],
        grad_margin: vec![77.0; n],
        statistics: [77.0; 16],
        status: vec![77; n],
        counters: [77; 32],
    };
    let mut loss = [77.0];
    let reduced = p.terms()[0].reduction != Reduction::None;
    let out = Outputs {
        loss: reduced.then(|| MatrixMut::vector(&mut loss).into()),
        losses: Some(MatrixMut::vector(&mut g.losses).into()),
        reward_chosen: Some(MatrixMut::vector(&mut g.chosen).into()),
        reward_rejected: pairs.then(|| MatrixMut::vector(&mut g.rejected).into()),
        grad_scores: Some(MatrixMut::vector(&mut g.grad).into()),
        grad_kl: Some(MatrixMut::vector(&mut g.grad_kl).into()),
        statistics: Some(&mut g.statistics),
        status: Some(MatrixMut::vector(&mut g.status)),
        counters: Some(&mut g.counters),
        ..Outputs::default()
    };
    let mut sides = [vec![77.0f64; n], vec![77.0f64; n]];
    let [chosen, rejected] = &mut sides;
    // one vector serves both: pairs have margins, rows baselines
    let mut out = out;
    match p.items() {
        Items::Rows => out.grad_baseline = Some(MatrixMut::vector(&mut g.grad_margin).into()),
        Items::Lists { .. } => {}
        _ => {
            out.grad_margin = Some(MatrixMut::vector(&mut g.grad_margin).into());
            out.grad_margin_chosen = Some(MatrixMut::vector(chosen).into());
            out.grad_margin_rejected = Some(MatrixMut::vector(rejected).into());
        }
    }
    let result = preference::forward(c, p, i, out, scratch);
    g.loss = loss[0];
    if result.is_err() {
        let plain = [&g.losses, &g.chosen, &g.rejected, &g.grad, &g.grad_kl, &g.grad_margin];
        assert!(plain.iter().all(|v| v.iter().all(|&x| x == 77.0)) && g.loss == 77.0, "written by a refused call");
        assert!(g.statistics == [77.0; 16] && g.counters == [77; 32] && g.status.iter().all(|&x| x == 77));
    }
    if p.items().kind() == Kind::List {
        g.grad_margin.fill(0.0);
    }
    if pairs && result.is_ok() {
        // each side's alone: entries see their difference
        for (of_side, sign) in sides.iter().zip([1.0, -1.0]) {
            let want: Vec<f64> = g.grad_margin.iter().map(|&x| if x == 0.0 { 0.0 } else { sign * x }).collect();
            same("margins of a side", of_side, &want);
        }
    }
    result.map(|()| g)
}
fn same_all(what: &str, a: &Got, b: &Got) {
    same(what, &[a.loss], &[b.loss]);
    for (x, y) in [(&a.losses, &b.losses), (&a.chosen, &b.chosen), (&a.rejected, &b.rejected)] {
        same(what, x, y);
    }
    for (x, y) in [(&a.grad, &b.grad), (&a.grad_kl, &b.grad_kl), (&a.grad_margin, &b.grad_margin)] {
        same(what, x, y);
    }
    same(what, &a.statistics, &b.statistics);
    same(what, &a.status, &b.status);
    same(what, &a.counters, &b.counters);
}

#[derive(Clone)]
enum Form {
    Pairs(Vec<[i32; 2]>),
    Rows,
    Lists(Vec<i64>, Vec<i64>),
}
/// All data of a call in its plainest form.
#[derive(Clone)]
struct Data {
    form: Form,
    scores: Vec<f64>,
    reference: Option<Vec<f64>>,
    lengths: Vec<i32>,
    kl: Vec<f64>,
    mask: Option<Vec<u8>>,
    weight: Option<Vec<f64>>,
    beta: Option<Vec<f64>>,
    margin: Option<[Vec<f64>; 2]>,
    label: Vec<i8>,
    baseline: Vec<f64>,
}
impl Data {
    fn new(seed: u64, kind: Kind, sequences: usize, items: usize) -> Data {
        let mut r = Random(seed);
        let form = match kind {
            Kind::Pair => {
                Form::Pairs((0..items).map(|_| [r.below(sequences) as i32, r.below(sequences) as i32]).collect())
            }
            Kind::Unpaired => Form::Rows,
            _ => {
                let mut offsets = vec![0];
                for k in 0..items {
                    offsets.push(offsets[k] + [0, 1, 2, 5, 9, 40][k % 6] as i64);
                }
                let members = (0..offsets[items]).map(|_| r.below(sequences) as i64).collect();
                Form::Lists(offsets, members)
            }
        };
        let n = if kind == Kind::Unpaired { sequences } else { items };
        Data {
            form,
            scores: (0..sequences).map(|_| -30.0 + 8.0 * r.normal()).collect(),
            reference: Some((0..sequences).map(|_| -30.0 + 8.0 * r.normal()).collect()),
            lengths: (0..sequences).map(|_| 1 + r.below(40) as i32).collect(),
            kl: (0..sequences).map(|_| 5.0 * r.uniform()).collect(),
            mask: Some((0..n).map(|_| (r.below(5) > 0) as u8).collect()),
            weight: Some((0..n).map(|_| [0.0, 0.5, 1.0, 3.0][r.below(4)]).collect()),
            beta: Some((0..n).map(|_| 0.02 + r.uniform()).collect()),
            margin: Some([(0..n).map(|_| r.normal()).collect(), (0..n).map(|_| r.normal()).collect()]),
            label: (0..n).map(|_| [-3, 0, 1, 5][r.below(4)]).collect(),
            baseline: (0..n).map(|_| r.uniform()).collect(),
        }
    }
    fn items(&self) -> usize {
        match &self.form {
            Form::Pairs(p) => p.len(),
            Form::Rows => self.scores.len(),
            Form::Lists(o, _) => o.len() - 1,
        }
    }
    fn weight(&self, i: usize) -> f64 {
        self.weight.as_ref().map_or(1.0, |w| w[i])
    }
    fn live(&self, i: usize) -> bool {
        self.mask.as_ref().is_none_or(|m| m[i] != 0)
    }
    /// Loss of item `i`, straight from the catalogue's formula text.
    fn item(&self, name: &str, params: &[f64], i: usize) -> f64 {
        let get = |k: usize, default: f64| params.get(k).copied().filter(|v| !v.is_nan()).unwrap_or(default);
        let reads_reference = name != "simpo";
        let a = |s: usize| self.scores[s] - self.reference.as_ref().filter(|_| reads_reference).map_or(0.0, |r| r[s]);
        let beta = |default: f64| match &self.beta {
            Some(b) if name != "kto" && name != "plackett_luce" => b[i],
            _ => get(0, default),
        };
        let soft = |x: f64| if x > 30.0 { x + (-x).exp() } else { x.exp().ln_1p() };
        let sigma = |x: f64| 1.0 / (1.0 + (-x).exp());
        let margin = self.margin.as_ref().map_or(0.0, |m| m[0][i] - m[1][i]);
        match &self.form {
            Form::Pairs(p) => {
                let [c, r] = p[i].map(|s| s as usize);
                match name {
                    "dpo" => {
                        let (u, eps) = (beta(0.1) * (a(c) - a(r)) - margin, get(1, 0.0));
                        (1.0 - eps) * soft(-u) + eps * soft(u)
                    }
                    "ipo" => {
                        let (tc, tr, b) = (self.lengths[c] as f64, self.lengths[r] as f64, beta(0.1));
                        (a(c) / tc - a(r) / tr - margin / b - 0.5 / b).powi(2)
                    }
                    "simpo" => {
                        let (mc, mr) = (a(c) / self.lengths[c] as f64, a(r) / self.lengths[r] as f64);
                        let (u, eps) = (beta(2.0) * (mc - mr) - get(1, 0.5), get(2, 0.0));
                        (1.0 - eps) * soft(-u) + eps * soft(u)
                    }
                    "tdpo1" => soft(-(beta(0.1) * ((a(c) - a(r)) - (self.kl[r] - self.kl[c])))),
                    other => panic!("no oracle for {other}"),
                }
            }
            Form::Rows => {
                let x = beta(0.1) * (a(i) - self.baseline[i]);
                if self.label[i] > 0 { get(1, 1.0) * sigma(-x) } else { get(2, 1.0) * sigma(x) }
            }
            Form::Lists(o, m) => {
                let r: Vec<f64> = (o[i]..o[i + 1]).map(|k| beta(0.1) * a(m[k as usize] as usize)).collect();
                let top = (get(1, f64::INFINITY)).min(r.len() as f64 - 1.0).max(0.0) as usize;
                let top = if r.is_empty() { 0 } else { top };
                (0..top)
                    .map(|k| {
                        let most = r[k..].iter().fold(f64::MIN, |a, &b| a.max(b));
                        most + r[k..].iter().map(|x| (x - most).exp()).sum::<f64>().ln() - r[k]
                    })
                    .sum()
            }
        }
    }
    fn term(&self, name: &str, t: &Term) -> f64 {
        let live: Vec<usize> = (0..self.items()).filter(|&i| self.live(i)).collect();
        let sum: f64 = live.iter().map(|&i| self.weight(i) * self.item(name, t.params, i)).sum();
        let divisor = match t.reduction {
            Reduction::Mean => live.len() as f64,
            Reduction::WeightedMean => live.iter().map(|&i| self.weight(i)).sum(),
            _ => 1.0,
        };
        let divisor = if t.normaliser != 0.0 { t.normaliser } else { divisor };
        if live.is_empty() || divisor == 0.0 { 0.0 } else { t.weight * sum / divisor }
    }
    fn total(&self, names: &[&str], terms: &[Term]) -> f64 {
        names.iter().zip(terms).map(|(n, t)| self.term(n, t)).sum()
    }
    /// Calls `f` with the problem and inputs of the library.
    fn call<T>(&self, terms: &[Term], options: Options, f: impl FnOnce(&Problem, &Inputs) -> T) -> T {
        let (mut c, mut r) = (vec![], vec![]);
        if let Form::Pairs(p) = &self.form {
            (c, r) = (p.iter().map(|p| p[0]).collect(), p.iter().map(|p| p[1]).collect());
        }
        let items = match &self.form {
            Form::Pairs(_) => Items::Indexed {
                chosen: Ints::I32(Matrix::vector(&c)),
                rejected: Ints::I32(Matrix::vector(&r)),
                anchor: None,
            },
            Form::Rows => Items::Rows,
            Form::Lists(o, m) => {
                Items::Lists { offsets: Ints::I64(Matrix::vector(o)), members: Some(Ints::I64(Matrix::vector(m))) }
            }
        };
        self.call_as(items, terms, options, f)
    }
    fn call_as<T>(&self, items: Items, terms: &[Term], options: Options, f: impl FnOnce(&Problem, &Inputs) -> T) -> T {
        let p = Problem::new(self.scores.len(), items, terms, options).unwrap();
        let mut i = Inputs::new(Floats::F64(Matrix::vector(&self.scores)));
        i.ref_scores = self.reference.as_ref().map(|r| Floats::F64(Matrix::vector(r)));
        i.lengths = Some(Matrix::vector(&self.lengths));
        i.kl = p.reads(slot::KL).then(|| Floats::F64(Matrix::vector(&self.kl)));
        i.groups = Groups {
            item_mask: self.mask.as_ref().map(|m| Mask::U8(Matrix::vector(m))),
            item_weight: self.weight.as_ref().map(|w| Floats::F64(Matrix::vector(w))),
            item_beta: self.beta.as_ref().filter(|_| p.reads(slot::BETA)).map(|b| Floats::F64(Matrix::vector(b))),
            label: p.reads(slot::LABEL).then(|| Labels::I8(Matrix::vector(&self.label))),
            baseline: p.reads(slot::BASELINE).then(|| Floats::F64(Matrix::vector(&self.baseline))),
            ..Groups::default()
        };
        if let (Some([c, r]), true) = (&self.margin, p.reads(slot::MARGIN)) {
            i.groups.margin_chosen = Some(Floats::F64(Matrix::vector(c)));
            i.groups.margin_rejected = Some(Floats::F64(Matrix::vector(r)));
        }
        f(&p, &i)
    }
}
fn near(what: &str, got: f64, want: f64, tolerance: f64) {
    assert!((got - want).abs() <= tolerance * (1.0 + want.abs()), "{what}: got {got}, expected {want}");
}
const ENTRIES: [(Kind, &str, &[f64]); 9] = [
    (Kind::Pair, "dpo", &[]),
    (Kind::Pair, "dpo", &[0.3, 0.1]),
    (Kind::Pair, "ipo", &[0.5]),
    (Kind::Pair, "simpo", &[f64::NAN, 0.7, 0.05]),
    (Kind::Pair, "tdpo1", &[0.2]),
    (Kind::Unpaired, "kto", &[0.15, 1.2, 0.8]),
    (Kind::List, "plackett_luce", &[0.1]),
    (Kind::List, "plackett_luce", &[0.2, 3.0]),
    (Kind::List, "plackett_luce", &[0.2, 1.0]),
];
const SUMS: Options = Options { score: Some(Score::Sum), skip_flagged: false, anchored: false, accumulate: false };

/// Values, rewards, statistics and every gradient of every entry, over reductions, masks, weights and several terms.
#[test]
fn formulas() {
    let mut cases = Cases::default();
    let all = contexts();
    let threaded = context(Isa::detect(), 3);
    for (k, &(kind, name, params)) in ENTRIES.iter().enumerate() {
        for reduction in [Reduction::Sum, Reduction::Mean, Reduction::WeightedMean] {
            for variant in 0..8 {
                let mut d = Data::new(100 * k as u64 + variant, kind, 13, 21);
                if variant & 1 == 0 {
                    (d.mask, d.beta) = (None, None);
                }
                if variant & 2 == 0 {
                    (d.weight, d.margin) = (None, None);
                }
                if variant == 5 {
                    d.reference = None;
                }
                let first = Term {
                    id: id(kind, name),
                    params,
                    weight: if variant == 6 { -0.7 } else { 1.0 },
                    normaliser: if variant == 7 { 9.5 } else { 0.0 },
                    reduction,
                    ..Term::default()
                };
                let second = match kind {
                    Kind::Pair => (
                        "simpo",
                        Term { id: id(kind, "simpo"), weight: 0.3, reduction: Reduction::Sum, ..Term::default() },
                    ),
                    _ => (name, Term { id: id(kind, name), weight: 0.3, params: &[0.4], ..Term::default() }),
                };
                let (names, terms) = if variant & 4 == 0 {
                    (vec![name], vec![first])
                } else {
                    (vec![name, second.0], vec![first, second.1])
                };
                let g = d.call(&terms, SUMS, |p, i| {
                    let i = Inputs { grad_scale: 1.5, ..*i };
                    let g = run(&all[0], p, &i).unwrap();
                    for c in all.iter().skip(1).chain([&threaded]) {
                        same_all("instruction sets and threads", &run(c, p, &i).unwrap(), &g);
                    }
                    g
                });
                near(name, g.loss, d.total(&names, &terms), 1e-12);
                let live: Vec<usize> = (0..d.items()).filter(|&i| d.live(i)).collect();
                for i in 0..d.items() {
                    let on = d.live(i) && d.weight(i) != 0.0;
                    near(name, g.losses[i], if on { d.item(name, params, i) } else { 0.0 }, 1e-12);
                    assert_eq!(g.status[i], if d.live(i) { g.status[i] & row::EMPTY } else { row::IGNORED });
                }
                let sum: f64 = live.iter().map(|&i| d.weight(i)).sum();
                assert_eq!(g.statistics[stat::ITEMS], live.len() as f64);
                near("weight sum", g.statistics[stat::WEIGHT_SUM], sum, 1e-12);
                let total: f64 = live.iter().map(|&i| d.weight(i) * d.item(name, params, i)).sum();
                near("loss sum", g.statistics[stat::LOSS_SUM], total, 1e-12);
                if let Form::Pairs(pairs) = &d.form {
                    let mut sums = [0.0; 3];
                    for &i in live.iter().filter(|&&i| d.weight(i) != 0.0) {
                        let beta = d.beta.as_ref().map_or(
                            params.first().copied().filter(|b| !b.is_nan()).unwrap_or(if name == "simpo" {
                                2.0
                            } else {
                                0.1
                            }),
                            |b| b[i],
                        );
                        let reward = |s: usize| match name {
                            "simpo" => beta * d.scores[s] / d.lengths[s] as f64,
                            "tdpo1" => beta * (d.scores[s] - d.reference.as_ref().map_or(0.0, |r| r[s]) + d.kl[s]),
                            _ => beta * (d.scores[s] - d.reference.as_ref().map_or(0.0, |r| r[s])),
                        };
                        let (c, r) = (reward(pairs[i][0] as usize), reward(pairs[i][1] as usize));
                        near("reward", g.chosen[i], c, 1e-13);
                        near("reward", g.rejected[i], r, 1e-13);
                        sums = [sums[0] + c, sums[1] + r, sums[2] + (g.chosen[i] > g.rejected[i]) as u8 as f64];
                    }
                    near("reward sum", g.statistics[stat::REWARD_CHOSEN_SUM], sums[0], 1e-12);
                    near("reward sum", g.statistics[stat::REWARD_REJECTED_SUM], sums[1], 1e-12);
                    assert_eq!(g.statistics[stat::CORRECT], sums[2]);
                }
                // gradients against fourth-order differences of the formulas above
                let slope = |f: &dyn Fn(f64) -> f64| {
                    let h = 2f64.powi(-7);
                    (8.0 * (f(h) - f(-h)) - (f(2.0 * h) - f(-2.0 * h))) / (12.0 * h) * 1.5
                };
                for s in 0..d.scores.len() {
                    let moved = |h: f64| {
                        let mut d = d.clone();
                        d.scores[s] += h;
                        d.total(&names, &terms)
                    };
                    near("grad", g.grad[s], slope(&moved), 2e-8);
                    let moved = |h: f64| {
                        let mut d = d.clone();
                        d.kl[s] += h;
                        d.total(&names, &terms)
                    };
                    near("grad kl", g.grad_kl[s], if name == "tdpo1" { slope(&moved) } else { 0.0 }, 2e-8);
                    cases.ran();
                }
                if d.margin.is_some() && kind == Kind::Pair {
                    for i in 0..d.items() {
                        let moved = |h: f64| {
                            let mut d = d.clone();
                            d.margin.as_mut().unwrap()[0][i] += h;
                            d.total(&names, &terms)
                        };
                        near("grad margin", g.grad_margin[i], slope(&moved), 2e-8);
                    }
                }
            }
        }
    }
    cases.finish("preference formulas", 2800);
}

/// Rows and lists of every entry: the call gives what the entry says of each item on its own.
#[test]
fn every_row_and_list_entry() {
    const S: usize = 37;
    #[derive(Clone, Copy)]
    struct One<'a>(&'a Data, &'a [f64], &'a [f64], usize, &'a [f64]);
    /// value, partials of the sequences, partial of the baseline
    type Item = (f64, Vec<(usize, f64)>, f64);
    fn score(about: &About, d: &Data, s: usize) -> f64 {
        let reference = if about.reads(slot::REF) { d.reference.as_ref().unwrap()[s] } else { 0.0 };
        let sum = d.scores[s] - reference;
        if about.score == Some(Score::Mean) { sum / d.lengths[s] as f64 } else { sum }
    }
    fn slope(about: &About, d: &Data, s: usize, g: f64) -> f64 {
        if about.score == Some(Score::Mean) { g / d.lengths[s] as f64 } else { g }
    }
    impl UnpairedVisitor for One<'_> {
        type Out = Item;
        fn visit<E: UnpairedLoss<N>, const N: usize>(self) -> Item {
            let One(d, params, shift, i, _) = self;
            let x = Unpaired {
                logp: score(&E::ABOUT, d, i),
                ref_logp: 0.0,
                len: f64::NAN,
                label: d.label[i] as f64,
                weight: d.weight(i),
                baseline: d.baseline[i],
                shift: shift[i],
            };
            let y = E::eval(x, resolve::<E, N>(params).unwrap());
            (y.value, vec![(i, slope(&E::ABOUT, d, i, y.logp))], y.baseline)
        }
    }
    impl ListVisitor for One<'_> {
        type Out = Item;
        fn visit<E: ListLoss<N>, const N: usize>(self) -> Item {
            let One(d, params, _, i, targets) = self;
            let Form::Lists(o, m) = &d.form else { panic!("lists") };
            let all: Vec<usize> = (o[i]..o[i + 1]).map(|k| m[k as usize] as usize).collect();
            let mut grad = vec![0.0; all.len()];
            if all.is_empty() {
                return (0.0, vec![], 0.0);
            }
            let member = |k: usize| Member {
                logp: score(&E::ABOUT, d, all[k]),
                ref_logp: 0.0,
                len: d.lengths[all[k]] as f64,
                target: targets[o[i] as usize + k],
            };
            let value = E::eval(member, resolve::<E, N>(params).unwrap(), &mut grad);
            (value, all.iter().zip(grad).map(|(&s, g)| (s, slope(&E::ABOUT, d, s, g))).collect(), 0.0)
        }
    }
    let mut cases = Cases::default();
    let contexts = [context(Isa::Scalar, 0), context(Isa::detect(), 3)];
    for e in ALL.iter().filter(|e| matches!(e.kind, Kind::Unpaired | Kind::List)) {
        let name = e.about.name;
        let params: Vec<f64> = e.params.iter().map(|p| if p.default.is_nan() { 0.5 } else { p.default }).collect();
        for variant in 0..4 {
            let mut d = Data::new(e.about.id as u64, e.kind, S, 24);
            if variant & 1 == 0 {
                d.weight = None;
            }
            if variant & 2 == 0 {
                d.mask = None;
            }
            let n = d.items();
            let shift: Vec<f64> = (0..n).map(|i| (i % 5) as f64 * 0.2 - 0.3).collect();
            let mut targets: Vec<f64> = vec![];
            if let Form::Lists(o, _) = &d.form {
                for w in o.windows(2) {
                    targets.extend((0..w[1] - w[0]).map(|k| 3.0 - (k / 2) as f64 * 0.7)); // descending, with ties
                }
            }
            let terms = [Term { id: e.about.id, params: &params, weight: 0.7, ..Term::default() }];
            let weighs = e.about.reads(slot::WEIGHT);
            let (mut loss, mut live, mut grad, mut moved) = (0.0, 0, vec![0.0; S], vec![0.0; n]);
            let mut losses = vec![0.0; n];
            for i in (0..n).filter(|&i| d.live(i)) {
                live += 1;
                let w = if weighs { 1.0 } else { d.weight(i) };
                if w == 0.0 {
                    continue;
                }
                let one = One(&d, &params, &shift, i, &targets);
                let y = if e.kind == Kind::List { with_list(e.about.id, one) } else { with_unpaired(e.about.id, one) };
                let (value, partials, baseline) = y.unwrap();
                (losses[i], moved[i]) = (value, w * baseline);
                loss += w * value;
                partials.iter().for_each(|&(s, g)| grad[s] += w * g);
            }
            let scale = 0.7 / live as f64;
            d.call(&terms, SUMS, |p, i| {
                let mut i = *i;
                i.groups.shift = p.reads(slot::SHIFT).then(|| Floats::F64(Matrix::vector(&shift)));
                i.groups.list_targets = p.reads(slot::LIST_TARGET).then(|| Floats::F64(Matrix::vector(&targets)));
                for c in &contexts {
                    let g = run(c, p, &i).unwrap();
                    near(name, g.loss, scale * loss, 1e-13);
                    for k in 0..n {
                        near(name, g.losses[k], losses[k], 1e-15);
                        near(name, g.grad_margin[k], scale * moved[k], 1e-13);
                    }
                    (0..S).for_each(|s| near(name, g.grad[s], scale * grad[s], 1e-13));
                    cases.ran();
                }
            });
        }
    }
    // what single entries ask of their values
    let refused = |kind: Kind, name: &str, field: &str, change: &dyn Fn(&mut Inputs)| {
        let mut d = Data::new(5, kind, 6, 4);
        (d.mask, d.weight) = (None, None);
        let terms = [Term { id: id(kind, name), ..Term::default() }];
        d.call(&terms, SUMS, |p, i| {
            let mut i = *i;
            change(&mut i);
            assert_eq!(run(&contexts[0], p, &i).unwrap_err().field, field);
        });
    };
    refused(Kind::Unpaired, "prime_ce", "groups.baseline", &|i| {
        i.groups.baseline = Some(Floats::F64(Matrix::vector(&[0.0, 1.0, 0.5, 1.5, 0.0, 0.0])));
    });
    refused(Kind::List, "preference_ranking", "groups.list_targets", &|i| {
        i.groups.list_targets = Some(Floats::F64(Matrix::vector(&[0.0, 1.0, 2.0, 3.0, 4.0, 5.0, 6.0, 7.0])));
    });
    cases.ran();
    cases.finish("rows and lists of every entry", 121);
}

/// Larger batches over threads and instruction sets, and narrow outputs as one rounding of the wide ones.
#[test]
fn bits() {
    let mut cases = Cases::default();
    let all = contexts();
    let threaded = context(Isa::detect(), 4);
    for &(kind, name, params) in &ENTRIES {
        let mut d = Data::new(7, kind, 5000, 9001);
        for plain in [false, true] {
            if plain {
                (d.mask, d.weight, d.beta, d.margin) = (None, None, None, None);
            }
            let terms = [Term { id: id(kind, name), params, ..Term::default() }];
            d.call(&terms, SUMS, |p, i| {
                let want = run(&all[0], p, i).unwrap();
                for c in all.iter().skip(1).chain([&threaded]) {
                    same_all(name, &run(c, p, i).unwrap(), &want);
                    cases.ran();
                }
                let (mut loss, mut losses, mut grad) = ([0f32], vec![0f32; p.count()], vec![0f32; p.sequences()]);
                let out = Outputs {
                    loss: Some(MatrixMut::vector(&mut loss).into()),
                    losses: Some(MatrixMut::vector(&mut losses).into()),
                    grad_scores: Some(MatrixMut::vector(&mut grad).into()),
                    ..Outputs::default()
                };
                let need = preference::workspace(&threaded, p).minimum;
                with_scratch(need, |w| preference::forward(&threaded, p, i, out, w)).unwrap();
                let narrow = |v: &[f64]| v.iter().map(|&x| x as f32).collect::<Vec<_>>();
                same("loss", &loss, &narrow(&[want.loss]));
                same("losses", &losses, &narrow(&want.losses));
                same("grad", &grad, &narrow(&want.grad));
            });
        }
    }
    cases.finish("preference bits", 36);
}

/// Interleaved, stacked and indexed pairs, and every stored type of the scores, give one result.
#[test]
fn layouts() {
    let mut cases = Cases::default();
    let c = context(Isa::detect(), 0);
    for &(kind, name, params) in ENTRIES.iter().filter(|e| e.0 == Kind::Pair) {
        for pairs in [0usize, 1, 2, 7, 8, 9, 64, 101] {
            let mut d = Data::new(pairs as u64, kind, (2 * pairs).max(1), pairs);
            d.scores.truncate(2 * pairs);
            for v in [&mut d.kl, d.reference.as_mut().unwrap()] {
                v.truncate(2 * pairs);
            }
            d.lengths.truncate(2 * pairs);
            for masked in [true, false] {
                if !masked {
                    (d.mask, d.weight, d.beta, d.margin) = (None, None, None, None);
                }
                let terms = [Term { id: id(kind, name), params, ..Term::default() }];
                d.form = Form::Pairs((0..pairs as i32).map(|i| [2 * i, 2 * i + 1]).collect());
                let want = d.call(&terms, SUMS, |p, i| run(&c, p, i).unwrap());
                same_all(
                    "interleaved",
                    &d.call_as(Items::Interleaved, &terms, SUMS, |p, i| run(&c, p, i).unwrap()),
                    &want,
                );
                d.form = Form::Pairs((0..pairs as i32).map(|i| [i, i + pairs as i32]).collect());
                let want = d.call(&terms, SUMS, |p, i| run(&c, p, i).unwrap());
                same_all("stacked", &d.call_as(Items::Stacked, &terms, SUMS, |p, i| run(&c, p, i).unwrap()), &want);
                // stored narrow: the widened values decide
                for dtype in 0..3 {
                    let narrow = |x: &f64| match dtype {
                        0 => *x as f32 as f64,
                        1 => bf16::from_f64(*x).to_f64(),
                        _ => f16::from_f64(*x).to_f64(),
                    };
                    let mut e = d.clone();
                    e.scores = d.scores.iter().map(narrow).collect();
                    e.call(&terms, SUMS, |p, i| {
                        let want = run(&c, p, i).unwrap();
                        let f: Vec<f32> = e.scores.iter().map(|&x| x as f32).collect();
                        let b: Vec<bf16> = e.scores.iter().map(|&x| bf16::from_f64(x)).collect();
                        let h: Vec<f16> = e.scores.iter().map(|&x| f16::from_f64(x)).collect();
                        let scores: Floats = match dtype {
                            0 => Matrix::vector(&f[..]).into(),
                            1 => Matrix::vector(&b[..]).into(),
                            _ => Matrix::vector(&h[..]).into(),
                        };
                        same_all("stored type", &run(&c, p, &Inputs { scores, ..*i }).unwrap(), &want);
                    });
                    cases.ran();
                }
            }
        }
    }
    cases.finish("preference layouts", 240);
}

/// An item that is masked may hold anything; only NaN of its own item reaches a result.
#[test]
fn masks() {
    let mut cases = Cases::default();
    let c = context(Isa::detect(), 0);
    for &(kind, name, params) in &ENTRIES {
        let mut d = Data::new(3, kind, 40, 20);
        d.margin = None;
        d.form = match kind {
            Kind::Pair => Form::Pairs((0..20).map(|i| [2 * i, 2 * i + 1]).collect()),
            Kind::Unpaired => Form::Rows,
            _ => Form::Lists((0..=20).map(|i| 2 * i).collect(), (0..40).collect()),
        };
        let per = 40 / d.items();
        let terms = [Term { id: id(kind, name), params, ..Term::default() }];
        let want = d.call(&terms, SUMS, |p, i| run(&c, p, i).unwrap());
        let mut e = d.clone();
        for i in (0..d.items()).filter(|&i| !d.live(i) || d.weight(i) == 0.0) {
            for s in per * i..per * (i + 1) {
                (e.scores[s], e.reference.as_mut().unwrap()[s], e.kl[s]) = (f64::NAN, f64::INFINITY, f64::NEG_INFINITY);
            }
            if !d.live(i) {
                (e.weight.as_mut().unwrap()[i], e.beta.as_mut().unwrap()[i]) = (-1.0, f64::NAN);
                e.baseline[i] = f64::NAN;
                if let Form::Pairs(p) = &mut e.form {
                    p[i] = [-7, 1 << 30];
                }
            }
        }
        same_all(name, &e.call(&terms, SUMS, |p, i| run(&c, p, i).unwrap()), &want);
        // one live NaN: its own item only, and the total
        let bad = (0..d.items()).find(|&i| d.live(i) && d.weight(i) != 0.0).unwrap();
        d.scores[per * bad] = f64::NAN;
        let got = d.call(&terms, SUMS, |p, i| run(&c, p, i).unwrap());
        for i in 0..d.items() {
            if i == bad {
                let k1 = kind == Kind::List && per == 1;
                assert!(k1 || (got.losses[i].is_nan() && got.grad[per * i].is_nan()), "{name}");
                assert_eq!(got.status[i], row::NAN_INPUT);
            } else {
                same(name, &[got.losses[i], got.grad[per * i]], &[want.losses[i], want.grad[per * i]]);
            }
        }
        assert!(got.loss.is_nan() && got.counters[1] == 1);
        // left out on request
        let skip = Options { skip_flagged: true, ..SUMS };
        let got = d.call(&terms, skip, |p, i| run(&c, p, i).unwrap());
        let mut without = d.clone();
        without.mask.as_mut().unwrap()[bad] = 0;
        let want = without.call(&terms, skip, |p, i| run(&c, p, i).unwrap());
        same(name, &[got.loss], &[want.loss]);
        same(name, &got.grad, &want.grad);
        same(name, &got.statistics, &want.statistics);
        cases.ran();
    }
    cases.finish("preference masks", 9);
}

#[test]
fn special_values() {
    let (inf, nan) = (f64::INFINITY, f64::NAN);
    let mut cases = Cases::default();
    let all = contexts();
    for c in &all {
        let pair = |name: &str, params: &[f64], chosen: f64, rejected: f64| {
            let terms = [Term { id: id(Kind::Pair, name), params, reduction: Reduction::Sum, ..Term::default() }];
            let p = Problem::new(2, Items::Stacked, &terms, Options::default()).unwrap();
            let (scores, lengths) = ([chosen, rejected], [3, 4]);
            let mut i = Inputs::new(Floats::F64(Matrix::vector(&scores)));
            i.lengths = Some(Matrix::vector(&lengths));
            let g = run(c, &p, &i).unwrap();
            (g.loss, g.grad, g.status[0])
        };
        let mut check = |got: (f64, Vec<f64>, u32), loss: f64, grad: [f64; 2], status: u32| {
            same("special", &[got.0, got.1[0], got.1[1]], &[loss, grad[0], grad[1]]);
            assert_eq!(got.2, status);
            cases.ran();
        };
        for eps in [0.0, 0.1] {
            let p = [0.5, eps];
            let up = if eps == 0.0 { 0.0 } else { inf };
            // z = +inf: L = 0, partials 0 (with smoothing the other side is infinite)
            let g = 0.5 * eps;
            check(pair("dpo", &p, inf, 1.0), up, [g, 0.0 - g], row::INFINITE);
            check(pair("dpo", &p, 1.0, -inf), up, [g, 0.0 - g], row::INFINITE);
            // z = -inf: L = +inf, |dL/dz| = 1
            let g = 0.5 * (1.0 - eps);
            check(pair("dpo", &p, -inf, 1.0), inf, [-g, g], row::INFINITE);
            check(pair("dpo", &p, -inf, -inf), nan, [nan, nan], row::INF_INPUT);
            check(pair("dpo", &p, inf, inf), nan, [nan, nan], row::INF_INPUT);
            check(pair("dpo", &p, nan, 1.0), nan, [nan, nan], row::NAN_INPUT);
            check(pair("dpo", &p, nan, inf), nan, [nan, nan], row::NAN_INPUT);
        }
        check(pair("dpo", &[0.1], 4e4, -4e4), 0.0, [0.0, 0.0], 0);
        check(pair("dpo", &[0.1], -4e4, 4e4), 8e3, [-0.1, 0.1], 0);
        check(pair("ipo", &[0.1], -inf, 1.0), inf, [-inf, inf], row::INFINITE);
        let q = 1e300 / 3.0 + 1e300 / 4.0 - 5.0;
        check(pair("ipo", &[0.1], 1e300, -1e300), inf, [(q + q) / 3.0, -((q + q) / 4.0)], row::OVERFLOW);
    }
    assert_eq!(cases.0 % all.len(), 0);
    cases.finish("preference special values", 36);
}

#[test]
fn empty() {
    let c = context(Isa::detect(), 2);
    let mut cases = Cases::default();
    for &(kind, name, params) in &ENTRIES {
        for reduction in [Reduction::Sum, Reduction::Mean, Reduction::WeightedMean] {
            for normaliser in [0.0, 3.0] {
                let terms = [Term { id: id(kind, name), params, reduction, normaliser, ..Term::default() }];
                // nothing at all
                let mut d = Data::new(1, kind, 0, 0);
                d.form = match kind {
                    Kind::List => Form::Lists(vec![0], vec![]),
                    Kind::Pair => Form::Pairs(vec![]),
                    _ => Form::Rows,
                };
                let g = d.call(&terms, SUMS, |p, i| run(&c, p, i).unwrap());
                assert_eq!((g.loss, g.counters[7], g.statistics[stat::ITEMS]), (0.0, 1, 0.0));
                // nothing live, all NaN
                let mut d = Data::new(2, kind, 6, 5);
                d.mask = Some(vec![0; d.items()]);
                d.scores.fill(f64::NAN);
                let g = d.call(&terms, SUMS, |p, i| run(&c, p, i).unwrap());
                assert_eq!((g.loss, g.counters[7], g.counters[0]), (0.0, 1, d.items() as i64));
                assert!(g.grad.iter().chain(&g.losses).chain(&g.chosen).all(|&x| x == 0.0));
                // live, but every weight is 0
                let mut d = Data::new(3, kind, 6, 5);
                d.mask = None;
                d.weight = Some(vec![0.0; d.items()]);
                d.scores.fill(f64::NAN);
                let g = d.call(&terms, SUMS, |p, i| run(&c, p, i).unwrap());
                let divides = reduction == Reduction::WeightedMean && normaliser == 0.0;
                assert_eq!((g.loss, g.counters[7], g.statistics[stat::ITEMS]), (0.0, divides as i64, d.items() as f64));
                assert!(g.grad.iter().all(|&x| x == 0.0));
                cases.ran();
            }
        }
    }
    // sequences without tokens: a mean of 0, its partial 0, the pair flagged
    for name in ["ipo", "simpo"] {
        let terms = [Term { id: id(Kind::Pair, name), reduction: Reduction::Sum, ..Term::default() }];
        let p = Problem::new(2, Items::Stacked, &terms, SUMS).unwrap();
        let (scores, lengths) = ([0.0, -2.0], [0, 4]);
        let mut i = Inputs::new(Floats::F64(Matrix::vector(&scores)));
        i.lengths = Some(Matrix::vector(&lengths));
        let g = run(&c, &p, &i).unwrap();
        assert!(g.loss.is_finite() && g.grad[0] == 0.0 && g.grad[1] != 0.0 && g.status[0] == row::EMPTY);
        cases.ran();
    }
    // lists of no and of one member
    let terms = [Term { id: id(Kind::List, "plackett_luce"), reduction: Reduction::Sum, ..Term::default() }];
    let offsets = [0i32, 0, 1];
    let p = Problem::new(1, Items::Lists { offsets: Ints::I32(Matrix::vector(&offsets)), members: None }, &terms, SUMS)
        .unwrap();
    let g = run(&c, &p, &Inputs::new(Floats::F64(Matrix::vector(&[-3.0])))).unwrap();
    assert_eq!((g.loss, g.grad[0], g.status[0], g.status[1]), (0.0, 0.0, row::EMPTY, 0));
    cases.ran();
    cases.finish("preference, nothing to do", 57);
}

/// A tie counts as wrong; upstream gradients of unreduced losses; a weight of 0 in front of a term.
#[test]
fn small_rules() {
    let c = context(Isa::detect(), 0);
    let scores = [-1.0, -3.0, -1.0, -2.0];
    let mut terms = [Term { id: id(Kind::Pair, "dpo"), reduction: Reduction::None, ..Term::default() }; 2];
    let p = Problem::new(4, Items::Stacked, &terms[..1], SUMS).unwrap();
    let mut i = Inputs::new(Floats::F64(Matrix::vector(&scores)));
    let upstream = [2.0f32, 0.0];
    i.grad_output = Some(Floats::F32(Matrix::vector(&upstream)));
    let g = run(&c, &p, &i).unwrap();
    assert_eq!(g.statistics[stat::CORRECT], 0.0);
    assert!((g.grad[0] + 2.0 * 0.1 * 0.5).abs() < 1e-15 && g.grad[1] == 0.0 && g.grad[2] == -g.grad[0]);
    assert!((g.losses[0] - 2f64.ln()).abs() < 1e-15);
    // a term of weight 0 is selected away, infinite or not
    terms = [Term { reduction: Reduction::Sum, ..terms[0] }; 2];
    let far = [f64::NEG_INFINITY, -3.0, -1.0, -2.0];
    terms[1].weight = 0.0;
    terms[0].weight = 0.0;
    let p = Problem::new(4, Items::Stacked, &terms, SUMS).unwrap();
    let g = run(&c, &p, &Inputs::new(Floats::F64(Matrix::vector(&far)))).unwrap();
    assert!(g.loss == 0.0 && g.grad == [0.0; 4] && g.losses[0] == f64::INFINITY);
    // one sequence in many pairs: partials add up in item order
    let (chosen, rejected) = (vec![0i32; 1000], vec![1i32; 1000]);
    let items = Items::Indexed {
        chosen: Ints::I32(Matrix::vector(&chosen)),
        rejected: Ints::I32(Matrix::vector(&rejected)),
        anchor: None,
    };
    let one = [Term { id: id(Kind::Pair, "dpo"), ..Term::default() }];
    let p = Problem::new(2, items, &one, SUMS).unwrap();
    let g = run(&c, &p, &Inputs::new(Floats::F64(Matrix::vector(&scores[..2])))).unwrap();
    let want = -0.1 / (1.0 + (0.2f64).exp());
    assert!(
        (g.grad[0] - want).abs() < 1e-15 && g.grad[1] == -g.grad[0] && (g.loss - (-0.2f64).exp().ln_1p()).abs() < 1e-14
    );
    println!("preference, small rules: 3 cases");
}

#[test]
fn errors() {
    let mut cases = Cases::default();
    let c = context(Isa::detect(), 2);
    let mut refused = |e: Error, field: &str, status: Status| {
        assert_eq!((e.field, e.status), (field, status), "{e}");
        cases.ran();
    };
    use Status::*;
    let pair = |name| Term { id: id(Kind::Pair, name), ..Term::default() };
    let new = |n, items, terms: &[Term], o| Problem::new(n, items, terms, o).map(|_| ()).unwrap_err();
    let dpo = pair("dpo");
    let none = Options::default();
    refused(new(2, Items::Stacked, &[], none), "loss", InvalidArgument);
    refused(new(2, Items::Stacked, &[Term { id: 999, ..dpo }], none), "loss.id", InvalidArgument);
    refused(new(2, Items::Stacked, &[Term { id: id(Kind::Unpaired, "kto"), ..dpo }], none), "loss.id", InvalidArgument);
    refused(new(2, Items::Rows, &[dpo], none), "loss.id", InvalidArgument);
    refused(
        new(2, Items::Stacked, &[Term { id: id(Kind::Token, "ppo_clip"), ..dpo }], none),
        "loss.id",
        InvalidArgument,
    );
    refused(new(2, Items::Stacked, &[Term { params: &[-0.1], ..dpo }], none), "beta", InvalidArgument);
    refused(new(2, Items::Stacked, &[Term { params: &[0.1, 0.5], ..dpo }], none), "label_smoothing", InvalidArgument);
    refused(new(2, Items::Stacked, &[Term { params: &[0.1, 0.1, 0.1], ..dpo }], none), "num_params", InvalidArgument);
    refused(new(2, Items::Stacked, &[Term { weight: f64::NAN, ..dpo }], none), "loss.weight", InvalidArgument);
    refused(new(2, Items::Stacked, &[Term { normaliser: -1.0, ..dpo }], none), "loss.normaliser", InvalidArgument);
    refused(
        new(2, Items::Stacked, &[Term { normaliser: 1.0, reduction: Reduction::None, ..dpo }], none),
        "loss.normaliser",
        InvalidArgument,
    );
    refused(
        new(2, Items::Stacked, &[dpo, Term { reduction: Reduction::None, ..dpo }], none),
        "loss.reduction",
        InvalidArgument,
    );
    refused(
        new(2, Items::Stacked, &[Term { score: Some(Score::Mean), ..pair("ipo") }], SUMS),
        "loss.score_kind",
        InvalidArgument,
    );
    refused(new(2, Items::Stacked, &[Term { score: Some(Score::Mean), ..dpo }], none), "score_kind", InvalidArgument);
    let means = Options { score: Some(Score::Mean), ..none };
    refused(new(2, Items::Stacked, &[pair("ipo")], means), "score_kind", InvalidArgument);
    refused(new(3, Items::Stacked, &[dpo], none), "scores", ShapeMismatch);
    refused(new(3, Items::Interleaved, &[dpo], none), "scores", ShapeMismatch);
    let (three, two) = ([0i32, 1, 0], [1i32, 0]);
    let (three, two) = (Ints::I32(Matrix::vector(&three)), Ints::I32(Matrix::vector(&two)));
    refused(
        new(2, Items::Indexed { chosen: three, rejected: two, anchor: None }, &[dpo], none),
        "groups.rejected_seq",
        ShapeMismatch,
    );
    let list = [Term { id: id(Kind::List, "plackett_luce"), ..Term::default() }];
    for bad in [&[][..], &[1, 2], &[0, 2, 1, 2], &[0, 1], &[0, 3], &[0, -1, 2]] {
        let status = if bad.is_empty() { ShapeMismatch } else { OutOfRange };
        let items = Items::Lists { offsets: Ints::I32(Matrix::vector(bad)), members: None };
        refused(new(2, items, &list, none), "groups.list_offsets", status);
    }

    let scores = [-1.0f64, -2.0];
    let one = [1.0f64];
    let (nan, minus, three) = ([f64::NAN], [-1.0f64], [1.0f64; 3]);
    let f = |v: &'static [f64]| -> Option<Floats<'static>> { Some(Floats::F64(Matrix::vector(v))) };
    let good = Inputs::new(Floats::F64(Matrix::vector(&scores)));
    let terms = [dpo];
    let p = Problem::new(2, Items::Stacked, &terms, SUMS).unwrap();
    let mut bad =
        |p: &Problem, i: Inputs, field: &str, status: Status| refused(run(&c, p, &i).unwrap_err(), field, status);
    bad(&p, Inputs { scores: Floats::F64(Matrix::vector(&three)), ..good }, "scores", ShapeMismatch);
    bad(&p, Inputs { ref_scores: f(&[1.0]), ..good }, "ref_scores", ShapeMismatch);
    let lengths: [[i32; 2]; 2] = [[1, -1], [1, 1]];
    bad(&p, Inputs { lengths: Some(Matrix::vector(&lengths[0])), ..good }, "lengths", OutOfRange);
    bad(&p, Inputs { lengths: Some(Matrix::vector(&lengths[1][..1])), ..good }, "lengths", ShapeMismatch);
    bad(&p, Inputs { kl: f(&[1.0, 1.0]), ..good }, "kl", InvalidArgument);
    bad(&p, Inputs { grad_scale: f64::INFINITY, ..good }, "grad_scale", InvalidArgument);
    bad(&p, Inputs { grad_output: f(&[1.0, 1.0, 1.0]), ..good }, "grad_output", ShapeMismatch);
    let mut group =
        |p: &Problem, groups: Groups, field: &str, status: Status| bad(p, Inputs { groups, ..good }, field, status);
    let g = Groups::default();
    group(
        &p,
        Groups { item_weight: Some(Floats::F64(Matrix::vector(&minus))), ..g },
        "groups.item_weight",
        InvalidArgument,
    );
    group(
        &p,
        Groups { item_weight: Some(Floats::F64(Matrix::vector(&nan))), ..g },
        "groups.item_weight",
        InvalidArgument,
    );
    group(
        &p,
        Groups { item_weight: Some(Floats::F64(Matrix::vector(&three))), ..g },
        "groups.item_weight",
        ShapeMismatch,
    );
    group(
        &p,
        Groups { item_beta: Some(Floats::F64(Matrix::vector(&minus))), ..g },
        "groups.item_beta",
        InvalidArgument,
    );
    group(&p, Groups { item_mask: Some(Mask::U8(Matrix::vector(&[1, 1]))), ..g }, "groups.item_mask", ShapeMismatch);
    group(&p, Groups { baseline: Some(Floats::F64(Matrix::vector(&one))), ..g }, "groups.baseline", InvalidArgument);
    group(
        &p,
        Groups { list_targets: Some(Floats::F64(Matrix::vector(&one))), ..g },
        "groups.list_targets",
        InvalidArgument,
    );
    group(&p, Groups { shift: Some(Floats::F64(Matrix::vector(&one))), ..g }, "groups.shift", InvalidArgument);
    group(&p, Groups { label: Some(Labels::U8(Matrix::vector(&[1u8]))), ..g }, "groups.label", InvalidArgument);
    let simpo = [pair("simpo")];
    let q = Problem::new(2, Items::Stacked, &simpo, SUMS).unwrap();
    group(&q, g, "lengths", InvalidArgument);
    group(
        &q,
        Groups { margin_chosen: Some(Floats::F64(Matrix::vector(&one))), ..g },
        "groups.margin_chosen",
        InvalidArgument,
    );
    let tdpo = [pair("tdpo1")];
    group(&Problem::new(2, Items::Stacked, &tdpo, SUMS).unwrap(), g, "kl", InvalidArgument);
    let kto = [Term { id: id(Kind::Unpaired, "kto"), ..Term::default() }];
    let k = Problem::new(2, Items::Rows, &kto, SUMS).unwrap();
    let label = Some(Labels::U8(Matrix::vector(&[1, 0])));
    group(&k, g, "groups.label", InvalidArgument);
    group(&k, Groups { label, ..g }, "groups.baseline", InvalidArgument);
    group(
        &k,
        Groups { label, baseline: Some(Floats::F64(Matrix::vector(&nan))), ..g },
        "groups.baseline",
        InvalidArgument,
    );
    let (low, high) = ([-1i32], [2i64]);
    for (chosen, rejected, field) in [
        (Ints::I32(Matrix::vector(&low)), Ints::I64(Matrix::vector(&[1])), "groups.chosen_seq"),
        (Ints::I64(Matrix::vector(&[1])), Ints::I64(Matrix::vector(&high)), "groups.rejected_seq"),
    ] {
        bad(
            &Problem::new(2, Items::Indexed { chosen, rejected, anchor: None }, &terms, SUMS).unwrap(),
            good,
            field,
            OutOfRange,
        );
    }
    let offsets = [0i32, 1];
    let items =
        Items::Lists { offsets: Ints::I32(Matrix::vector(&offsets)), members: Some(Ints::I64(Matrix::vector(&high))) };
    bad(&Problem::new(2, items, &list, SUMS).unwrap(), good, "groups.member_seq", OutOfRange);

    let mut place = |out: Outputs, p: &Problem, field: &str, status: Status| {
        let need = preference::workspace(&c, p).minimum;
        refused(with_scratch(need, |w| preference::forward(&c, p, &good, out, w)).unwrap_err(), field, status);
    };
    let mut two = [0f64; 2];
    let mut half = [bf16::ZERO; 1];
    place(
        Outputs { loss: Some(MatrixMut::vector(&mut two).into()), ..Outputs::default() },
        &p,
        "outputs.out_loss",
        ShapeMismatch,
    );
    place(
        Outputs { losses: Some(MatrixMut::vector(&mut two).into()), ..Outputs::default() },
        &p,
        "items.out_losses",
        ShapeMismatch,
    );
    place(
        Outputs { loss: Some(FloatsMut::Bf16(MatrixMut::vector(&mut half))), ..Outputs::default() },
        &p,
        "outputs.out_loss",
        UnsupportedDtype,
    );
    let unreduced = [Term { reduction: Reduction::None, ..dpo }];
    let u = Problem::new(2, Items::Stacked, &unreduced, SUMS).unwrap();
    place(
        Outputs { loss: Some(MatrixMut::vector(&mut two[..1]).into()), ..Outputs::default() },
        &u,
        "outputs.out_loss",
        InvalidArgument,
    );
    let need = preference::workspace(&c, &p).minimum;
    let e = with_scratch(need, |w| preference::forward(&c, &p, &good, Outputs::default(), &mut w[..need - 1]));
    refused(e.unwrap_err(), "workspace_size", WorkspaceTooSmall);
    let e = with_scratch(need + 1, |w| preference::forward(&c, &p, &good, Outputs::default(), &mut w[1..]));
    refused(e.unwrap_err(), "workspace", InvalidArgument);
    cases.finish("preference errors", 55);
}

/// Whatever the scratch memory holds, results are the same: each pair of entries, whose terms have different partials.
#[test]
fn scratch_memory() {
    let mut cases = Cases::default();
    let c = context(Isa::detect(), 0);
    let names = ["dpo", "ipo", "simpo", "tdpo1"];
    for first in names {
        for second in names {
            for skip_flagged in [false, true] {
                for plain in [false, true] {
                    let mut d = Data::new(5, Kind::Pair, 12, 21);
                    if plain {
                        (d.mask, d.weight, d.margin) = (None, None, None);
                    }
                    let term = |name, weight| Term { id: id(Kind::Pair, name), weight, ..Term::default() };
                    let terms = [term(first, 1.0), term(second, 0.4)];
                    d.call(&terms, Options { skip_flagged, ..SUMS }, |p, i| {
                        let bytes = preference::workspace(&c, p).minimum;
                        with_scratch(bytes, |w| {
                            w.fill(0);
                            let want = run_on(&c, p, i, w).unwrap();
                            assert!(want.loss.is_finite() && want.status.iter().all(|&bits| bits & !row::IGNORED == 0));
                            same_all("reused", &run_on(&c, p, i, w).unwrap(), &want);
                            for fill in [0xff, 0x7f] {
                                w.fill(fill);
                                same_all("stale", &run_on(&c, p, i, w).unwrap(), &want);
                            }
                        });
                    });
                    cases.ran();
                }
            }
        }
    }
    cases.finish("preference, scratch memory", 64);
}

/// A factor that is not finite reaches only items that have a weight and a partial.
#[test]
fn infinite_factor() {
    let (inf, nan) = (f64::INFINITY, f64::NAN);
    let mut cases = Cases::default();
    for c in &contexts() {
        for factor in [inf, -inf, nan] {
            let scores = [-1.0, -2.0, 4e4, -3.0, -1.5, -4e4];
            let terms = [Term { id: id(Kind::Pair, "dpo"), reduction: Reduction::Sum, ..Term::default() }];
            let p = Problem::new(6, Items::Stacked, &terms, SUMS).unwrap();
            let (weight, upstream) = ([0.0, 1.0, 1.0], [factor]);
            let mut i = Inputs::new(Floats::F64(Matrix::vector(&scores)));
            i.grad_output = Some(Floats::F64(Matrix::vector(&upstream)));
            i.groups.item_weight = Some(Floats::F64(Matrix::vector(&weight)));
            let g = run(c, &p, &i).unwrap();
            same("weights", &g.grad, &[0.0, -factor, 0.0, 0.0, factor, 0.0]);
            assert_eq!(g.status, [0; 3]);
            // the third pair is so far apart that its partial is 0
            i.groups.item_weight = None;
            let g = run(c, &p, &i).unwrap();
            same("no weights", &g.grad, &[-factor, -factor, 0.0, factor, factor, 0.0]);
            cases.ran();
        }
    }
    assert!(cases.0 >= 3);
    println!("preference, infinite factor: {} cases", cases.0);
}

/// What overflows is flagged by the place that it overflows, and by nothing else.
#[test]
fn overflow() {
    let mut cases = Cases::default();
    let c = context(Isa::detect(), 0);
    // the first and the third pair share a sequence; the second stands alone
    let (chosen, rejected) = ([0i32, 2, 0], [1i32, 3, 4]);
    let items = Items::Indexed {
        chosen: Ints::I32(Matrix::vector(&chosen)),
        rejected: Ints::I32(Matrix::vector(&rejected)),
        anchor: None,
    };
    let terms = [Term { id: id(Kind::Pair, "ipo"), reduction: Reduction::Sum, ..Term::default() }];
    let p = Problem::new(5, items, &terms, Options::default()).unwrap();
    let lengths = [1i32; 5];
    let go = |scores: &[f64; 5], scale: f64, which: u32, narrow: bool| {
        let mut i = Inputs::new(Floats::F64(Matrix::vector(scores)));
        (i.lengths, i.grad_scale) = (Some(Matrix::vector(&lengths)), scale);
        let (mut d, mut s) = ([[0f64; 5]; 4], [[0f32; 5]; 4]);
        let (mut status, mut counters) = ([77u32; 3], [77i64; 32]);
        let mut places = d.iter_mut().zip(&mut s).enumerate().map(|(k, (d, s))| {
            let n = [1, 3, 3, 5][k];
            let place: FloatsMut<'_> =
                if narrow { MatrixMut::vector(&mut s[..n]).into() } else { MatrixMut::vector(&mut d[..n]).into() };
            (which >> k & 1 == 1).then_some(place)
        });
        let out = Outputs {
            loss: places.next().unwrap(),
            losses: places.next().unwrap(),
            reward_chosen: places.next().unwrap(),
            grad_scores: places.next().unwrap(),
            status: Some(MatrixMut::vector(&mut status)),
            counters: Some(&mut counters),
            ..Outputs::default()
        };
        drop(places);
        with_scratch(preference::workspace(&c, &p).minimum, |w| preference::forward(&c, &p, &i, out, w)).unwrap();
        (status, counters[8])
    };
    let over = row::OVERFLOW;
    for (scores, scale, which, narrow, status, count) in [
        // losses of 1e60: f64 holds them
        ([-1e30, -1.0, -1.0, -2.0, -1.0], 1.0, 0b1111, false, [0, 0, 0], 0),
        ([-1e30, -1.0, -1.0, -2.0, -1.0], 1.0, 0b0001, true, [0, 0, 0], 1),
        ([-1e30, -1.0, -1.0, -2.0, -1.0], 1.0, 0b0010, true, [over, 0, over], 2),
        ([-1e30, -1.0, -1.0, -2.0, -1.0], 1.0, 0b1100, true, [0, 0, 0], 0),
        ([-1e30, -1.0, -1.0, -2.0, -1.0], 1e30, 0b1000, true, [over, 0, over], 2),
        ([-1e30, -1.0, -1.0, -2.0, -1.0], 1e30, 0b1000, false, [0, 0, 0], 0),
        // rewards
        ([-1.0, -2.0, -1e39, -2.0, -1.0], 1.0, 0b0100, true, [0, 0, 0], 0),
        ([-1.0, -2.0, -1e40, -2.0, -1.0], 1.0, 0b0100, true, [0, over, 0], 1),
        // a loss beyond f64, whatever is asked for
        ([-1.0, -2.0, -1e200, -2.0, -1.0], 1.0, 0, true, [0, over, 0], 1),
        ([-1.0, -2.0, -1e200, -2.0, -1.0], 1.0, 0b0001, false, [0, over, 0], 1),
        // each loss fits, the sum does not
        ([-1.0, 1.3e154, -1.0, -2.0, 1.3e154], 1.0, 0, false, [0, 0, 0], 1),
        // a gradient beyond f64
        ([-1e30, -1.0, -1.0, -2.0, -1.0], 1e300, 0b1000, false, [over, 0, over], 2),
        ([-1e30, -1.0, -1.0, -2.0, -1.0], 1e300, 0b0111, false, [0, 0, 0], 0),
        // an infinite score explains the gradient of its own pair, and of those that share the sequence
        ([f64::NEG_INFINITY, -1.0, -1.0, -2.0, -1.0], 1.0, 0b1111, true, [row::INFINITE, 0, row::INFINITE], 0),
        ([-1.0, f64::NEG_INFINITY, -1.0, -2.0, -1.0], 1.0, 0b1111, true, [row::INFINITE, 0, 0], 0),
    ] {
        assert_eq!(go(&scores, scale, which, narrow), (status, count), "{scores:?} {scale} {which:b} {narrow}");
        cases.ran();
    }
    cases.finish("preference, overflow", 15);
}
