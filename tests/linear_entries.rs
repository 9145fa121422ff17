//! The composite for every entry of the catalogue: value against a plain f64 chain, gradients of hidden states and head
//! against differences of it, with reference scores, reference log-probs and a reference head; the KL of token-level DPO;
//! the side term with every scope and divisor, and with a divergence to the reference head; weights from the policy's own
//! probabilities; clamped scores; infinite divergences; the KL in two phases; bits over threads, instruction sets and workspaces.
use truing_core::batch;
use truing_core::catalog::{self, Kind, slot};
use truing_core::error::row;
use truing_core::linear_logprob::Rounding;
use truing_core::linear_preference::{
    Divergence, Inputs, Options, Outputs, PAIR_STATS, Phase, Problem, RefHead, Scope, SideDivisor, SideTerm, Wpo,
};
use truing_core::logprob::{self, Transform, TransformInputs};
use truing_core::matrix::{Floats, Ints, Mask, Matrix, MatrixMut};
use truing_core::preference::{self, Groups, Items, Labels, Term};
use truing_core::sequence::{self, Divisor, Score, Segments};
use truing_core::{Error, Status};
use truing_cpu::linear_logprob::Grads;
use truing_cpu::{Context, Isa, batch as cpu_batch, linear_preference, preference as cpu_preference};
use truing_tests::{Cases, Random, context, contexts, first_variant, id, on_grid, same, variants, with_scratch};

const S: usize = 6;
const T: usize = 3;
const N: usize = S * T;
const D: usize = 3;
const D_REF: usize = 4;
const V: usize = 7;
const OFFSETS: [i32; 3] = [0, 2, 6];
/// Best first.
const TARGETS: [f64; 6] = [0.9, 0.1, 1.5, 0.75, 0.5, 0.125];
/// The same about the mean of each list: gvpo holds the mean of its u constant, which is without effect for these alone.
const CENTRED: [f64; 6] = [0.4, -0.4, 0.78125, 0.03125, -0.21875, -0.59375];
const MARGINS: [[f64; 3]; 2] = [[0.0, 1.0, 1.0], [0.25, 0.5, 0.75]];
const LABELS: [u8; S] = [1, 0, 1, 1, 0, 0];

#[derive(Clone, Copy, Debug, PartialEq)]
enum Reference {
    None,
    Scores,
    Tokens,
    Head,
}
#[derive(Clone)]
struct Data {
    hidden: Vec<f32>,
    weight: Vec<f32>,
    ref_hidden: Vec<f32>,
    ref_weight: Vec<f32>,
    target: Vec<i32>,
    mask: Vec<u8>,
    side_mask: Option<Vec<u8>>,
    info: &'static catalog::Info,
    variant: u32,
    params: Vec<f64>,
    reference: Reference,
    transform: Transform,
    side: Option<SideTerm>,
    interleaved: bool,
    wpo: Option<Wpo>,
    weights: Option<Vec<f64>>,
    clamp: Option<(f64, f64)>,
    /// The last column is dead in the reference.
    dead: bool,
    /// What the logits of the policy and of the reference are rounded to, and what that adds to each.
    rounding: [(Rounding, Vec<f64>); 2],
}
/// Its last column is dead.
const DEAD: [f32; V] = [0.0, 0.0, 0.0, 0.0, 0.0, 0.0, f32::NEG_INFINITY];
fn wide(x: &[f32]) -> Vec<f64> {
    x.iter().map(|&x| x.into()).collect()
}
impl Data {
    fn new(info: &'static catalog::Info, seed: u64) -> Data {
        let mut r = Random(seed);
        // a parameter without default gets a number of its range
        let params = info.params.iter().map(|p| match p.default.is_nan() {
            true => *[0.5, 2.0, 0.1].iter().find(|x| p.accepts(**x)).expect("a legal number"),
            false => p.default,
        });
        let reads = info.about.reads(slot::REF);
        Data {
            hidden: r.normals(N * D, 1.0),
            weight: r.normals(V * D, 0.7),
            ref_hidden: r.normals(N * D_REF, 1.0),
            ref_weight: r.normals(V * D_REF, 0.6),
            target: (0..N).map(|_| r.below(V) as i32).collect(),
            mask: (0..N).map(|i| (i % T == 0 || r.below(3) > 0) as u8).collect(),
            side_mask: None,
            info,
            variant: first_variant(info),
            params: params.collect(),
            reference: if reads { Reference::Scores } else { Reference::None },
            transform: Transform::default(),
            side: None,
            interleaved: false,
            wpo: None,
            weights: None,
            clamp: None,
            dead: false,
            rounding: [(); 2].map(|_| (Rounding::None, vec![0.0; N * V])),
        }
    }
    fn rounded(mut self, [own, reference]: [Rounding; 2]) -> Data {
        let added = [
            on_grid(&mut self.hidden, &mut self.weight, D, own),
            on_grid(&mut self.ref_hidden, &mut self.ref_weight, D_REF, reference),
        ];
        assert!(added.iter().flatten().any(|&x| x != 0.0));
        let [a, b] = added;
        self.rounding = [(own, a), (reference, b)];
        self
    }
    fn log_softmax(&self, hidden: &[f64], weight: &[f64], d: usize, i: usize) -> Vec<f64> {
        let t = self.transform;
        let added = &self.rounding[(d == D_REF) as usize].1;
        let logit = |j: usize| {
            let dot = (0..d).map(|k| hidden[i * d + k] * weight[j * d + k]).sum::<f64>();
            let x = t.logit_scale * (dot + added[i * V + j]);
            (if t.softcap > 0.0 { t.softcap * (x / t.softcap).tanh() } else { x }) / t.temperature
        };
        let all: Vec<f64> = (0..V).map(logit).collect();
        let top = all.iter().copied().fold(f64::NEG_INFINITY, f64::max);
        let lse = top + all.iter().map(|x| (x - top).exp()).sum::<f64>().ln();
        all.iter().map(|x| x - lse).collect()
    }
    fn mean(&self) -> bool {
        self.info.about.score == Some(catalog::Score::Mean)
    }
    fn items(&self) -> Items<'static> {
        match self.info.kind {
            Kind::Pair if self.anchored() && self.interleaved => Items::Threes,
            Kind::Pair if self.anchored() => Items::Thirds,
            Kind::Pair if self.interleaved => Items::Interleaved,
            Kind::Pair => Items::Stacked,
            Kind::Unpaired => Items::Rows,
            _ => Items::Lists { offsets: Ints::I32(Matrix::vector(&OFFSETS)), members: None },
        }
    }
    fn anchored(&self) -> bool {
        self.info.about.reads(slot::ANCHOR) || self.side.is_some_and(|s| s.scope == Scope::Anchor)
    }
    fn count(&self) -> usize {
        self.items().count(S)
    }
    fn ref_rows(&self) -> Vec<Vec<f64>> {
        let (h, w) = (wide(&self.ref_hidden), wide(&self.ref_weight));
        let mut all: Vec<Vec<f64>> = (0..N).map(|i| self.log_softmax(&h, &w, D_REF, i)).collect();
        for row in all.iter_mut().filter(|_| self.dead) {
            row[V - 1] = f64::NEG_INFINITY;
            let lse = row.iter().map(|x| x.exp()).sum::<f64>().ln();
            row.iter_mut().for_each(|x| *x -= lse);
        }
        all
    }
    /// Scores, KL, NLL (or what the side term has in its place) of the tokens.
    fn chain(&self, hidden: &[f64], weight: &[f64]) -> ([Vec<f64>; 3], Vec<f64>) {
        let (rows, refs) =
            ((0..N).map(|i| self.log_softmax(hidden, weight, D, i)).collect::<Vec<_>>(), self.ref_rows());
        let (mut scores, mut ref_scores, mut kl) = (vec![0.0; S], vec![0.0; S], vec![0.0; S]);
        for s in 0..S {
            let live: Vec<usize> = (s * T..(s + 1) * T).filter(|&i| self.mask[i] > 0).collect();
            for &i in &live {
                let share = if self.mean() { 1.0 / live.len() as f64 } else { 1.0 };
                let (own, other) = (rows[i][self.target[i] as usize], refs[i][self.target[i] as usize]);
                scores[s] += self.clamp.map_or(own, |(low, high)| other + (own - other).clamp(low, high)) * share;
                ref_scores[s] += other * share;
                kl[s] += (0..V).map(|v| refs[i][v].exp() * (refs[i][v] - rows[i][v])).sum::<f64>();
            }
        }
        let sum = |f: &dyn Fn(usize) -> f64| (0..V).map(f).sum::<f64>();
        let nll = (0..N).map(|i| match self.side.and_then(|side| side.divergence) {
            None => -rows[i][self.target[i] as usize],
            Some(Divergence::Forward) => sum(&|v| refs[i][v].exp() * (refs[i][v] - rows[i][v])),
            Some(Divergence::Reverse) => sum(&|v| rows[i][v].exp() * (rows[i][v] - refs[i][v])),
        });
        ([scores, ref_scores, kl], nll.collect())
    }
    /// Weights of the pairs: those that are given, and those of the policy's own probabilities.
    fn item_weights(&self) -> Option<Vec<f64>> {
        let (h, w) = (wide(&self.hidden), wide(&self.weight));
        let mean = |s: usize| {
            let live: Vec<usize> = (s * T..(s + 1) * T).filter(|&i| self.mask[i] > 0).collect();
            let of = |i: &usize| {
                let row = self.log_softmax(&h, &w, D, *i);
                let squares = row.iter().map(|l| (2.0 * l).exp()).sum::<f64>().ln();
                row[self.target[*i] as usize] - if self.wpo == Some(Wpo::Trl) { squares } else { 0.0 }
            };
            live.iter().map(of).sum::<f64>() / live.len() as f64
        };
        let own = |i: usize| {
            let (c, r) = self.items().pair(i, S);
            let sum = mean(c) + mean(r);
            match self.wpo {
                None => 1.0,
                Some(Wpo::Trl) => sum.exp(),
                Some(Wpo::Plain) => sum.min(0.0).exp(),
            }
        };
        let given = |i: usize| self.weights.as_ref().map_or(1.0, |w| w[i]);
        (self.wpo.is_some() || self.weights.is_some()).then(|| (0..self.count()).map(|i| given(i) * own(i)).collect())
    }
    fn groups(&self) -> Groups<'static> {
        let about = &self.info.about;
        let f = |x: &'static [f64]| Floats::F64(Matrix::vector(x));
        let n = self.count();
        Groups {
            margin_chosen: about.reads(slot::MARGIN).then(|| f(&MARGINS[0][..n])),
            margin_rejected: about.reads(slot::MARGIN).then(|| f(&MARGINS[1][..n])),
            label: about.reads(slot::LABEL).then(|| Labels::U8(Matrix::vector(&LABELS))),
            baseline: about.reads(slot::BASELINE).then(|| f(&[0.25])),
            shift: about.reads(slot::SHIFT).then(|| f(&[0.1])),
            list_targets: about
                .reads(slot::LIST_TARGET)
                .then(|| f(if about.name == "gvpo" { &CENTRED } else { &TARGETS })),
            ..Groups::default()
        }
    }
    fn term(&self) -> [Term<'_>; 1] {
        [Term { id: self.info.about.id, variant: self.variant, params: &self.params, ..Term::default() }]
    }
    /// The loss of the plain chain. The entry's value is the library's (its own golden vectors judge it), all before it is
    /// not.
    fn loss(&self, hidden: &[f64], weight: &[f64]) -> f64 {
        let ([scores, ref_scores, mut kl], nll) = self.chain(hidden, weight);
        if self.info.about.name == "tdpo2" {
            // the chosen side's KL is a constant of this entry
            let ([_, _, held], _) = self.chain(&wide(&self.hidden), &wide(&self.weight));
            for i in 0..self.count() {
                let chosen = self.items().pair(i, S).0;
                kl[chosen] = held[chosen];
            }
        }
        let lengths: Vec<i32> =
            (0..S).map(|s| (s * T..(s + 1) * T).filter(|&i| self.mask[i] > 0).count() as i32).collect();
        let terms = self.term();
        let options = preference::Options { anchored: self.anchored(), ..Default::default() };
        let p = preference::Problem::new(S, self.items(), &terms, options).unwrap();
        let mut x = preference::Inputs::new(Floats::F64(Matrix::vector(&scores)));
        x.ref_scores = (self.reference != Reference::None).then(|| Floats::F64(Matrix::vector(&ref_scores)));
        x.lengths = Some(Matrix::vector(&lengths));
        x.kl = self.info.about.reads(slot::KL).then(|| Floats::F64(Matrix::vector(&kl)));
        x.groups = self.groups();
        let weights = self.item_weights();
        x.groups.item_weight = weights.as_ref().map(|w| Floats::F64(Matrix::vector(w)));
        let (c, mut loss) = (Context::default(), [0.0f64]);
        let out = preference::Outputs { loss: Some(MatrixMut::vector(&mut loss).into()), ..Default::default() };
        let need = cpu_preference::workspace(&c, &p).minimum;
        with_scratch(need, |w| cpu_preference::forward(&c, &p, &x, out, w)).unwrap();
        loss[0] + self.side.map_or(0.0, |side| side.coef * self.side_value(&side, &nll))
    }
    fn side_value(&self, side: &SideTerm, nll: &[f64]) -> f64 {
        let mask = self.side_mask.as_ref().unwrap_or(&self.mask);
        let tokens = |s: usize| -> Vec<f64> { (s * T..(s + 1) * T).filter(|&i| mask[i] > 0).map(|i| nll[i]).collect() };
        let n = self.count();
        let all: Vec<Vec<f64>> = match (side.scope, self.info.kind) {
            (Scope::Masked, _) => (0..S).map(tokens).filter(|t| !t.is_empty()).collect(),
            (Scope::Chosen, Kind::Unpaired) => (0..S).filter(|&s| LABELS[s] > 0).map(tokens).collect(),
            (scope, _) => (0..n)
                .map(|i| match (scope, self.interleaved) {
                    (Scope::Chosen, true) => i * (S / n),
                    (Scope::Chosen, false) => i,
                    (_, true) => 3 * i + 2,
                    (_, false) => i + 2 * n,
                })
                .map(tokens)
                .collect(),
        };
        let sum: f64 = all.iter().flatten().sum();
        match side.divisor {
            SideDivisor::Pooled => sum / all.iter().map(|t| t.len()).sum::<usize>() as f64,
            SideDivisor::RowMean => {
                all.iter().map(|t| t.iter().sum::<f64>() / t.len() as f64).sum::<f64>() / all.len() as f64
            }
            SideDivisor::External(z) => sum / z,
            SideDivisor::ItemSum => sum / all.len() as f64,
        }
    }
    fn run(&self, c: &Context, preferred: bool) -> Result<Got, Error> {
        let score = if self.mean() { Score::Mean(Divisor::Tokens) } else { Score::Sum };
        let head = self.reference == Reference::Head;
        let options = Options {
            logprob: logprob::Options { transform: self.transform, ..Default::default() },
            score: sequence::Options { score, clamp: self.clamp },
            side: self.side,
            reference: head.then_some((D_REF, self.transform)),
            wpo: self.wpo,
            ..Options::default()
        };
        let terms = self.term();
        let p = Problem::new([N, D, V], Segments::Padded { sequences: S, width: T }, self.items(), &terms, options)?;
        let p = p.rounded(self.rounding[0].0, self.rounding[1].0);
        let m = |x, rows, cols| Floats::F32(Matrix::contiguous(x, rows, cols).unwrap());
        let mut x = Inputs::new(m(&self.hidden, N, D), m(&self.weight, V, D), Ints::I32(Matrix::vector(&self.target)));
        x.rows.mask = Some(Mask::U8(Matrix::vector(&self.mask)));
        x.side_mask = self.side_mask.as_ref().map(|m| Mask::U8(Matrix::vector(m)));
        x.groups = self.groups();
        x.groups.item_weight = self.weights.as_ref().map(|w| Floats::F64(Matrix::vector(w)));
        x.grad_scale = 1.5;
        let ([_, ref_scores, _], _) = self.chain(&wide(&self.hidden), &wide(&self.weight));
        let ref_logps: Vec<f64> = self.ref_rows().iter().zip(&self.target).map(|(r, &y)| r[y as usize]).collect();
        match self.reference {
            Reference::None => {}
            Reference::Scores => x.ref_scores = Some(Floats::F64(Matrix::vector(&ref_scores))),
            Reference::Tokens => x.ref_logps = Some(Floats::F64(Matrix::vector(&ref_logps))),
            Reference::Head => {
                x.ref_head = Some(RefHead {
                    hidden: m(&self.ref_hidden, N, D_REF),
                    weight: m(&self.ref_weight, V, D_REF),
                    transform: TransformInputs {
                        bias: self.dead.then(|| Floats::F32(Matrix::vector(&DEAD))),
                        row_temperature: None,
                    },
                });
            }
        }
        let (mut loss, mut side) = ([77.0f64], [77.0f64]);
        let mut got = Got { hidden: vec![77.0; N * D], weight: vec![77.0; V * D], kl: vec![77.0; S], ..Got::default() };
        (got.status, got.rows) = (vec![77; self.count()], vec![77; N]);
        let mut refs = vec![77.0; S];
        let out = Outputs {
            kl: self.info.about.reads(slot::KL).then(|| MatrixMut::vector(&mut got.kl)),
            ref_scores: (head && self.clamp.is_none()).then(|| MatrixMut::vector(&mut refs)),
            row_status: Some(MatrixMut::vector(&mut got.rows)),
            side: self.side.map(|_| MatrixMut::vector(&mut side).into()),
            preference: preference::Outputs {
                loss: Some(MatrixMut::vector(&mut loss).into()),
                status: Some(MatrixMut::vector(&mut got.status)),
                ..Default::default()
            },
            ..Outputs::default()
        };
        let grads = Grads {
            hidden: Some(MatrixMut::contiguous(&mut got.hidden, N, D).unwrap().into()),
            weight: Some(MatrixMut::contiguous(&mut got.weight, V, D).unwrap().into()),
            ..Grads::default()
        };
        let need = linear_preference::workspace(c, &p, x.hidden.dtype(), x.weight.dtype());
        let bytes = if preferred { need.preferred } else { need.minimum };
        with_scratch(bytes, |w| linear_preference::forward(c, &p, &x, out, grads, w))?;
        (got.loss, got.side) = (loss[0], side[0]);
        if head && self.clamp.is_none() {
            for (got, want) in refs.iter().zip(&ref_scores) {
                let near = (got - want).abs() < 1e-5 * (1.0 + want.abs());
                assert!(near || (got.is_nan() && want.is_nan()), "reference score {got}, expected {want}");
            }
        }
        Ok(got)
    }
    /// Value and every partial against differences; returns how many were judged and the largest of them.
    fn judge(&self, c: &Context) -> (usize, f64) {
        let name = self.info.about.name;
        let got = self.run(c, true).unwrap_or_else(|e| panic!("{name}, {:?}: {e}", self.reference));
        let (h, w) = (wide(&self.hidden), wide(&self.weight));
        let want = self.loss(&h, &w);
        let size = want.abs() + 1.0;
        assert!(
            (got.loss - want).abs() <= 2e-5 * size,
            "{name}, {:?}: loss {}, expected {want}",
            self.reference,
            got.loss
        );
        if let Some(side) = &self.side {
            let (_, nll) = self.chain(&h, &w);
            let want = self.side_value(side, &nll);
            assert!((got.side - want).abs() <= 1e-5 * (1.0 + want.abs()), "{name}: side {}, expected {want}", got.side);
        }
        let (mut judged, mut largest) = (0, 0.0f64);
        let at = |v: &[f64], k: usize, x: f64| {
            let mut v = v.to_vec();
            v[k] += x;
            v
        };
        let step = 2f64.powi(-12);
        let mut check = |what: &str, got: &[f32], f: &dyn Fn(usize, f64) -> f64| {
            let most = got.iter().fold(0f32, |a, &x| a.max(x.abs())) as f64;
            for (k, &x) in got.iter().enumerate() {
                let want =
                    1.5 * (8.0 * (f(k, step) - f(k, -step)) - (f(k, 2.0 * step) - f(k, -2.0 * step))) / (12.0 * step);
                let bound = 2e-5 * (most + want.abs()) + 1e-9 * size;
                let d = (x as f64 - want).abs();
                assert!(d <= bound, "{name}, {:?}: {what} {k}: got {x}, expected {want}", self.reference);
                judged += 1;
            }
            largest = largest.max(most);
        };
        check("grad_hidden", &got.hidden, &|k, x| self.loss(&at(&h, k, x), &w));
        check("grad_weight", &got.weight, &|k, x| self.loss(&h, &at(&w, k, x)));
        (judged, largest)
    }
}
#[derive(Clone, Debug, Default)]
struct Got {
    loss: f64,
    side: f64,
    kl: Vec<f64>,
    hidden: Vec<f32>,
    weight: Vec<f32>,
    status: Vec<u32>,
    rows: Vec<u32>,
}

#[test]
fn every_entry() {
    let c = context(Isa::detect(), 0);
    let (mut cases, mut entries, mut flat) = (Cases::default(), 0, vec![]);
    for info in catalog::ALL.iter().filter(|i| matches!(i.kind, Kind::Pair | Kind::Unpaired | Kind::List)) {
        let data = Data::new(info, 1000 + u64::from(info.about.id));
        let references: &[Reference] = match (info.about.reads(slot::KL), info.about.reads(slot::REF)) {
            (true, _) => &[Reference::Head],
            (_, true) => &[Reference::Scores, Reference::Tokens, Reference::Head],
            _ => &[Reference::None],
        };
        let mut moved = 0.0f64;
        for (&reference, variant) in references.iter().flat_map(|r| variants(info).map(move |v| (r, v))) {
            let (judged, largest) = Data { reference, variant, ..data.clone() }.judge(&c);
            moved = moved.max(largest);
            cases.0 += judged;
        }
        entries += 1;
        if moved == 0.0 {
            flat.push(info.about.name);
        }
    }
    println!("composite: {entries} entries; without a gradient here: {flat:?}");
    assert!(entries >= 65 && flat.len() <= 2, "{entries} entries, flat: {flat:?}");
    cases.finish("partials of the composite for every entry", 10_875);
}

const CHOSEN: SideTerm = SideTerm { coef: 1.0, scope: Scope::Chosen, divisor: SideDivisor::Pooled, divergence: None };
fn entry(name: &str) -> &'static catalog::Info {
    catalog::info(id(Kind::Pair, name)).unwrap()
}

/// Token-level DPO with both heads: transforms, layouts, workspaces, threads, instruction sets, equal heads, dead columns.
#[test]
fn token_level_dpo() {
    let mut cases = Cases::default();
    let c = context(Isa::detect(), 0);
    for name in ["tdpo1", "tdpo2"] {
        for (k, transform) in [
            Transform::default(),
            Transform { logit_scale: 1.5, softcap: 3.0, temperature: 0.8 },
            Transform { temperature: 2.0, ..Transform::default() },
        ]
        .into_iter()
        .enumerate()
        {
            for interleaved in [false, true] {
                let base = Data::new(entry(name), 7 + k as u64);
                let d = Data { transform, interleaved, reference: Reference::Head, ..base };
                let d = Data { params: vec![0.7, 0.5][..d.params.len()].to_vec(), ..d };
                // logits of both heads rounded as a sampler's head does
                let d = if k == 1 { d.rounded([Rounding::Bf16, Rounding::F16]) } else { d };
                cases.0 += d.judge(&c).0;
                let ([_, _, kl], _) = d.chain(&wide(&d.hidden), &wide(&d.weight));
                let want = d.run(&c, true).unwrap();
                for (got, want) in want.kl.iter().zip(&kl) {
                    assert!((got - want).abs() <= 2e-6 * (1e-3 + want.abs()), "KL {got:e}, expected {want:e}");
                }
                for other in contexts().iter().chain([&context(Isa::detect(), 3)]) {
                    for preferred in [false, true] {
                        let got = d.run(other, preferred).unwrap();
                        same(name, &[got.loss], &[want.loss]);
                        same(name, &got.kl, &want.kl);
                        same(name, &got.hidden, &want.hidden);
                        same(name, &got.weight, &want.weight);
                        cases.ran();
                    }
                }
            }
        }
        // no reference head, other scores
        let d = Data::new(entry(name), 3);
        let e = Data { reference: Reference::Scores, ..d.clone() }.run(&c, true).unwrap_err();
        assert_eq!((e.field, e.status), ("loss.id", Status::InvalidArgument));
    }
    // a policy that is its reference: the KL is 0 but for the rounding of two sums, and nothing is NaN
    let mut d = Data { reference: Reference::Head, ..Data::new(entry("tdpo2"), 5) };
    for i in 0..N {
        d.ref_hidden[i * D_REF..i * D_REF + D].copy_from_slice(&d.hidden[i * D..i * D + D]);
        d.ref_hidden[i * D_REF + D] = 0.0;
    }
    for j in 0..V {
        d.ref_weight[j * D_REF..j * D_REF + D].copy_from_slice(&d.weight[j * D..j * D + D]);
    }
    let got = d.run(&c, true).unwrap();
    assert!(got.kl.iter().all(|k| (0.0..1e-12).contains(k)), "{:?}", got.kl);
    assert!(got.hidden.iter().chain(&got.weight).all(|x| x.is_finite()));
    // a reference logit far below its maximum, where the authors' code is NaN
    let mut far = Data { reference: Reference::Head, ..Data::new(entry("tdpo1"), 6) };
    far.ref_weight.iter_mut().take(D_REF).for_each(|x| *x *= 1e4);
    let got = far.run(&c, true).unwrap();
    assert!(got.loss.is_finite() && got.hidden.iter().all(|x| x.is_finite()), "{got:?}");
    // NaN in one reference row stays in its pair
    let mut bad = Data { reference: Reference::Head, ..Data::new(entry("tdpo1"), 8) };
    bad.ref_hidden[0] = f32::NAN;
    let got = bad.run(&c, true).unwrap();
    assert!(got.status[0] & row::NAN_INPUT != 0 && got.status[1] == 0);
    cases.finish("token-level DPO", 600);
}

#[test]
fn side_terms() {
    let mut cases = Cases::default();
    let c = context(Isa::detect(), 0);
    let kto = catalog::info(id(Kind::Unpaired, "kto")).unwrap();
    let divisors = [SideDivisor::Pooled, SideDivisor::RowMean, SideDivisor::External(9.0), SideDivisor::ItemSum];
    for (info, scopes) in [
        (entry("dpo"), &[Scope::Chosen, Scope::Anchor, Scope::Masked][..]),
        (entry("cpo"), &[Scope::Chosen, Scope::Masked][..]),
        (entry("mdpo"), &[Scope::Anchor, Scope::Chosen][..]),
        (kto, &[Scope::Chosen, Scope::Masked][..]),
        (entry("tdpo2"), &[Scope::Chosen][..]),
    ] {
        for &scope in scopes {
            for divisor in divisors {
                for wider in [false, true] {
                    for interleaved in [false, true] {
                        let mut d = Data::new(info, 40);
                        d.side =
                            Some(SideTerm { coef: if wider { -0.3 } else { 1.25 }, scope, divisor, divergence: None });
                        d.side_mask = wider.then(|| (0..N).map(|i| (i % 5 != 1) as u8).collect());
                        d.interleaved = interleaved;
                        if info.about.reads(slot::KL) {
                            d.reference = Reference::Head;
                        }
                        cases.0 += d.judge(&c).0;
                        let (low, high) = (d.run(&c, false).unwrap(), d.run(&context(Isa::detect(), 2), true).unwrap());
                        same("side", &low.weight, &high.weight);
                        same("side", &[low.loss, low.side], &[high.loss, high.side]);
                    }
                }
            }
        }
    }
    // no term: the plain loss, bit for bit
    let d = Data::new(entry("dpo"), 41);
    let off = Data { side: Some(SideTerm { coef: 0.0, ..CHOSEN }), ..d.clone() };
    let (a, b) = (d.run(&c, true).unwrap(), Data { side: None, ..off }.run(&c, true).unwrap());
    same("off", &a.hidden, &b.hidden);
    let bad = |side: SideTerm, info, field| {
        let e = Data { side: Some(side), ..Data::new(info, 42) }.run(&c, true).unwrap_err();
        assert_eq!((e.field, e.status), (field, Status::InvalidArgument), "{e}");
    };
    let plain = CHOSEN;
    bad(SideTerm { coef: f64::NAN, ..plain }, entry("dpo"), "side_term.coef");
    bad(SideTerm { divisor: SideDivisor::External(0.0), ..plain }, entry("dpo"), "side_term.normaliser");
    bad(plain, catalog::info(id(Kind::List, "plackett_luce")).unwrap(), "side_term.scope");
    bad(SideTerm { scope: Scope::Anchor, ..plain }, kto, "side_term.scope");
    cases.finish("side terms", 12_000);
}

/// The divergence to the reference head in the place of the NLL, beside terms with that head, with scores of their own and
/// without a reference.
#[test]
fn side_divergence() {
    let mut cases = Cases::default();
    let c = context(Isa::detect(), 0);
    let npo = catalog::info(id(Kind::Unpaired, "npo")).unwrap();
    for (info, scopes) in [
        (entry("dpo"), &[Scope::Chosen, Scope::Anchor, Scope::Masked][..]),
        (entry("cpo"), &[Scope::Masked][..]),
        (entry("simpo"), &[Scope::Chosen][..]),
        (npo, &[Scope::Masked][..]),
        (entry("tdpo2"), &[Scope::Masked][..]),
    ] {
        for (&scope, divergence) in
            scopes.iter().flat_map(|s| [Divergence::Forward, Divergence::Reverse].map(|d| (s, d)))
        {
            for (k, divisor) in [SideDivisor::Pooled, SideDivisor::RowMean].into_iter().enumerate() {
                let mut d = Data { reference: Reference::Head, ..Data::new(info, 50) };
                d.transform = Transform { softcap: 3.0, temperature: 0.8, ..Transform::default() };
                d.side = Some(SideTerm { coef: 0.75, scope, divisor, divergence: Some(divergence) });
                d.side_mask = (k > 0).then(|| (0..N).map(|i| (i % 5 != 1) as u8).collect());
                d.interleaved = k > 0;
                if info.about.reads(slot::KL) && divergence == Divergence::Reverse {
                    assert_eq!(d.run(&c, true).unwrap_err().field, "side_term.divergence");
                    continue;
                }
                cases.0 += d.judge(&c).0;
                let want = d.run(&c, true).unwrap();
                for other in contexts().iter().chain([&context(Isa::detect(), 3)]) {
                    for preferred in [false, true] {
                        let got = d.run(other, preferred).unwrap();
                        same("divergence", &[got.loss, got.side], &[want.loss, want.side]);
                        same("divergence", &got.hidden, &want.hidden);
                        same("divergence", &got.weight, &want.weight);
                        cases.ran();
                    }
                }
            }
        }
    }
    let side = Some(SideTerm { divergence: Some(Divergence::Forward), ..CHOSEN });
    let e = Data { side, ..Data::new(entry("dpo"), 51) }.run(&c, true).unwrap_err();
    assert_eq!((e.field, e.status), ("ref_head", Status::InvalidArgument));
    // a head that nothing reads
    let e = Data { reference: Reference::Head, ..Data::new(entry("cpo"), 51) }.run(&c, true).unwrap_err();
    assert_eq!((e.field, e.status), ("ref_head.hidden", Status::InvalidArgument));
    cases.finish("side divergences", 800);
}

/// Weights of the pairs from the policy's own probabilities, constant.
#[test]
fn weights_of_the_policy() {
    let mut cases = Cases::default();
    let c = context(Isa::detect(), 0);
    for name in ["dpo", "simpo", "tdpo1", "mdpo"] {
        for wpo in [Wpo::Trl, Wpo::Plain] {
            for weights in [None, Some(vec![0.5, 2.0, 0.0])] {
                for interleaved in [false, true] {
                    let info = entry(name);
                    let mut d = Data { wpo: Some(wpo), weights: weights.clone(), interleaved, ..Data::new(info, 60) };
                    let count = d.count();
                    d.weights.iter_mut().for_each(|w| w.truncate(count));
                    if info.about.reads(slot::KL) {
                        d.reference = Reference::Head;
                    }
                    cases.0 += d.judge(&c).0;
                    let want = d.run(&c, true).unwrap();
                    assert_ne!(want.loss, Data { wpo: None, ..d.clone() }.run(&c, true).unwrap().loss);
                    for other in contexts().iter().chain([&context(Isa::detect(), 3)]) {
                        for preferred in [false, true] {
                            let got = d.run(other, preferred).unwrap();
                            same(name, &[got.loss], &[want.loss]);
                            same(name, &got.hidden, &want.hidden);
                            same(name, &got.weight, &want.weight);
                            cases.ran();
                        }
                    }
                }
            }
        }
    }
    let kto = catalog::info(id(Kind::Unpaired, "kto")).unwrap();
    let e = Data { wpo: Some(Wpo::Plain), ..Data::new(kto, 61) }.run(&c, true).unwrap_err();
    assert_eq!((e.field, e.status), ("wpo", Status::InvalidArgument));
    cases.finish("weights of the policy", 1500);
}

/// Heads of their own for different pairs (MAH-DPO): a call for each head over its pairs, with the weights that the operation
/// gives, adds up to the sum of alpha times each head's mean; the gradients of the hidden states are slices.
#[test]
fn routed_heads() {
    let c = context(Isa::detect(), 0);
    let d = Data { interleaved: true, ..Data::new(entry("dpo"), 30) };
    let heads: Vec<Vec<f32>> = (0..2).map(|k| Random(31 + k).normals(V * D, 0.7)).collect();
    // pairs 0 and 1 belong to the first head, pair 2 to the second
    let (head, alpha, rows) = ([0i32, 0, 1], [0.3, 0.7], [0..4 * T, 4 * T..6 * T]);
    let x = batch::HeadWeights {
        head: Ints::I32(Matrix::vector(&head)),
        mask: None,
        alpha: Some(Floats::F64(Matrix::vector(&alpha))),
        heads: 2,
        present_heads: false,
    };
    let (mut weights, mut counts) = ([0.0f64; 3], [0i64; 2]);
    let place = Some(MatrixMut::vector(&mut weights).into());
    cpu_batch::head_weights(
        &x,
        batch::HeadWeightsOut { weight: place, counts: MatrixMut::vector(&mut counts), status: None },
    )
    .unwrap();
    let terms = [Term { reduction: preference::Reduction::Sum, ..d.term()[0] }];
    let mut losses = [0.0f64; 2];
    let (mut gh, mut gw) = (vec![7f32; N * D], [vec![7f32; V * D], vec![7f32; V * D]]);
    let ([_, reference, _], _) = d.chain(&wide(&d.hidden), &wide(&d.weight));
    for k in 0..2 {
        let (first, last) = (rows[k].start, rows[k].end);
        let (n, s) = (last - first, (last - first) / T);
        let segments = Segments::Padded { sequences: s, width: T };
        let p = Problem::new([n, D, V], segments, Items::Interleaved, &terms, Options::default()).unwrap();
        let m = |x, rows, cols| Floats::F32(Matrix::contiguous(x, rows, cols).unwrap());
        let target = Ints::I32(Matrix::vector(&d.target[first..last]));
        let mut x = Inputs::new(m(&d.hidden[first * D..last * D], n, D), m(&heads[k], V, D), target);
        x.rows.mask = Some(Mask::U8(Matrix::vector(&d.mask[first..last])));
        x.ref_scores = Some(Floats::F64(Matrix::vector(&reference[first / T..last / T])));
        x.groups.item_weight = Some(Floats::F64(Matrix::vector(&weights[first / T / 2..last / T / 2])));
        let loss = Some(MatrixMut::vector(&mut losses[k..=k]).into());
        let out = Outputs { preference: preference::Outputs { loss, ..Default::default() }, ..Outputs::default() };
        let grads = Grads {
            hidden: Some(MatrixMut::contiguous(&mut gh[first * D..last * D], n, D).unwrap().into()),
            weight: Some(MatrixMut::contiguous(&mut gw[k], V, D).unwrap().into()),
            ..Grads::default()
        };
        let need = linear_preference::workspace(&c, &p, x.hidden.dtype(), x.weight.dtype());
        with_scratch(need.preferred, |w| linear_preference::forward(&c, &p, &x, out, grads, w)).unwrap();
    }
    // alpha times the mean over the head's pairs, in f64
    let total = |hidden: &[f64], heads: &[Vec<f64>]| -> f64 {
        let of = |k: usize| d.chain(hidden, &heads[k]).0[0].clone();
        let scores = [of(0), of(1)];
        let pair = |i: usize| {
            let own = &scores[head[i] as usize];
            let u = 0.1 * ((own[2 * i] - reference[2 * i]) - (own[2 * i + 1] - reference[2 * i + 1]));
            alpha[head[i] as usize] / counts[head[i] as usize] as f64 * (-u).exp().ln_1p()
        };
        (0..3).map(pair).sum()
    };
    let (h, e) = (wide(&d.hidden), heads.iter().map(|x| wide(x)).collect::<Vec<_>>());
    let (got, want) = (losses[0] + losses[1], total(&h, &e));
    assert!((got - want).abs() < 2e-6 * want, "{got} {want}");
    let mut cases = Cases::default();
    let mut check = |got: f32, f: &dyn Fn(f64) -> f64| {
        let want = (f(1e-4) - f(-1e-4)) / 2e-4;
        assert!((got as f64 - want).abs() < 2e-5 * (0.05 + want.abs()), "got {got}, expected {want}");
        cases.ran();
    };
    for k in 0..N * D {
        check(gh[k], &|by| {
            let mut h = h.clone();
            h[k] += by;
            total(&h, &e)
        });
    }
    for (head, k) in (0..2).flat_map(|head| (0..V * D).map(move |k| (head, k))) {
        check(gw[head][k], &|by| {
            let mut e = e.clone();
            e[head][k] += by;
            total(&h, &e)
        });
    }
    cases.finish("routed heads", 96);
}

/// Clamped differences to log-probs of a reference, given or of a head.
#[test]
fn clamped_scores() {
    let mut cases = Cases::default();
    let c = context(Isa::detect(), 0);
    for name in ["dpo", "ipo"] {
        for reference in [Reference::Tokens, Reference::Head] {
            let d = Data { reference, clamp: Some((-0.75, 0.5)), ..Data::new(entry(name), 80) };
            cases.0 += d.judge(&c).0;
            let want = d.run(&c, true).unwrap();
            assert_ne!(want.loss, Data { clamp: None, ..d.clone() }.run(&c, true).unwrap().loss);
            for other in contexts().iter().chain([&context(Isa::detect(), 3)]) {
                for preferred in [false, true] {
                    let got = d.run(other, preferred).unwrap();
                    same(name, &got.hidden, &want.hidden);
                    same(name, &got.weight, &want.weight);
                    cases.ran();
                }
            }
        }
    }
    cases.finish("clamped scores", 300);
}

/// A column that is dead on one side only: an infinite divergence, without a gradient, flagged at its rows, and at its items
/// where a term reads it. Rows that are undefined in the reference likewise.
#[test]
fn infinite_divergence() {
    let mut cases = Cases::default();
    for c in &contexts() {
        let mut d = Data::new(entry("cpo"), 90);
        d.target.iter_mut().for_each(|y| *y = (*y).min(V as i32 - 2));
        let plain = d.run(c, true).unwrap();
        let side = SideTerm { coef: 0.75, scope: Scope::Masked, divergence: Some(Divergence::Reverse), ..CHOSEN };
        let headed = Data { reference: Reference::Head, side: Some(side), ..d.clone() };
        for preferred in [false, true] {
            let got = Data { dead: true, ..headed.clone() }.run(c, preferred).unwrap();
            assert_eq!((got.loss, got.side), (f64::INFINITY, f64::INFINITY));
            for (got, want) in got.hidden.iter().chain(&got.weight).zip(plain.hidden.iter().chain(&plain.weight)) {
                assert!((got - want).abs() <= 1e-6 * (0.1 + want.abs()), "{got}, expected {want}");
                cases.ran();
            }
            for (bits, live) in got.rows.iter().zip(&d.mask) {
                assert_eq!(*bits, if *live > 0 { row::INFINITE } else { row::IGNORED });
            }
            // only the side term reads the head
            assert!(got.status.iter().all(|&bits| bits == 0), "{:?}", got.status);
            let mut bad = headed.clone();
            bad.ref_hidden[0] = f32::NAN;
            let got = bad.run(c, preferred).unwrap();
            assert!(got.rows[0] == row::NAN_INPUT && got.rows[T] == 0 && got.status[0] == 0, "{got:?}");
            let got = Data { info: entry("dpo"), params: vec![0.1, 0.0], side: None, ..bad }.run(c, preferred).unwrap();
            assert!(got.rows[0] == row::NAN_INPUT && got.rows[T] == 0 && got.status[0] & row::NAN_INPUT != 0);
            cases.ran();
        }
        // KL(reference || policy) with the column dead in the policy, in two phases
        let m = |x, rows, cols| Floats::F32(Matrix::contiguous(x, rows, cols).unwrap());
        let options = |phase| Options { phase, kl: true, reference: Some((D_REF, d.transform)), ..Options::default() };
        let segments = Segments::Padded { sequences: S, width: T };
        let problem = |phase| Problem::new([N, D, V], segments, d.items(), &[], options(phase)).unwrap();
        let mut x = Inputs::new(m(&d.hidden, N, D), m(&d.weight, V, D), Ints::I32(Matrix::vector(&d.target)));
        x.transform.bias = Some(Floats::F32(Matrix::vector(&DEAD)));
        x.ref_head = Some(RefHead {
            hidden: m(&d.ref_hidden, N, D_REF),
            weight: m(&d.ref_weight, V, D_REF),
            transform: TransformInputs::default(),
        });
        let (mut kl, mut stats, mut rows) = (vec![7.0; S], vec![7f32; N * PAIR_STATS], vec![7; N]);
        let out = Outputs {
            kl: Some(MatrixMut::vector(&mut kl)),
            pair_stats: Some(MatrixMut::contiguous(&mut stats, N, PAIR_STATS).unwrap()),
            row_status: Some(MatrixMut::vector(&mut rows)),
            ..Outputs::default()
        };
        let figures = problem(Phase::Figures);
        let need = linear_preference::workspace(c, &figures, x.hidden.dtype(), x.weight.dtype()).minimum;
        with_scratch(need, |w| linear_preference::forward(c, &figures, &x, out, Grads::default(), w)).unwrap();
        assert!(kl.iter().all(|&x| x == f64::INFINITY) && rows.iter().all(|&x| x == row::INFINITE), "{rows:?}");
        let second = problem(Phase::WithCoefficients);
        let need = linear_preference::workspace(c, &second, x.hidden.dtype(), x.weight.dtype()).minimum;
        let weight = |scale: &[f64; S], saved: bool| {
            let mut x = x;
            (x.score_coefficients, x.kl_coefficients) = (Some(Matrix::vector(&[0.5; S])), Some(Matrix::vector(scale)));
            x.pair_stats = saved.then(|| Matrix::contiguous(&stats, N, PAIR_STATS).unwrap());
            let mut gw = vec![7f32; V * D];
            let grads =
                Grads { weight: Some(MatrixMut::contiguous(&mut gw, V, D).unwrap().into()), ..Grads::default() };
            with_scratch(need, |w| linear_preference::forward(c, &second, &x, Outputs::default(), grads, w)).unwrap();
            gw
        };
        let want = weight(&[0.0; S], false);
        assert!(want.iter().all(|x| x.is_finite()) && want.iter().any(|&x| x != 0.0));
        for saved in [false, true] {
            assert_eq!(weight(&[0.3; S], saved), want);
            cases.ran();
        }
    }
    cases.finish("infinite divergences", 80);
}

/// Token-level DPO in two phases: figures, the split form on them, and the gradients that the single phase gives, bit for
/// bit, with and without the saved statistics.
#[test]
fn divergence_in_two_phases() {
    let mut cases = Cases::default();
    let single = context(Isa::detect(), 0);
    for interleaved in [false, true] {
        let d = Data { reference: Reference::Head, interleaved, ..Data::new(entry("tdpo1"), 70) };
        let want = d.run(&single, true).unwrap();
        let m = |x, rows, cols| Floats::F32(Matrix::contiguous(x, rows, cols).unwrap());
        let segments = Segments::Padded { sequences: S, width: T };
        let options = |phase, kl| Options { phase, kl, reference: Some((D_REF, d.transform)), ..Options::default() };
        let mut x = Inputs::new(m(&d.hidden, N, D), m(&d.weight, V, D), Ints::I32(Matrix::vector(&d.target)));
        x.rows.mask = Some(Mask::U8(Matrix::vector(&d.mask)));
        x.ref_head = Some(RefHead {
            hidden: m(&d.ref_hidden, N, D_REF),
            weight: m(&d.ref_weight, V, D_REF),
            transform: TransformInputs::default(),
        });
        for c in contexts().iter().chain([&context(Isa::detect(), 3)]) {
            let figures = Problem::new([N, D, V], segments, d.items(), &[], options(Phase::Figures, true)).unwrap();
            let (mut scores, mut kl, mut stats) = (vec![7.0; S], vec![7.0; S], vec![7f32; N * PAIR_STATS]);
            let out = Outputs {
                scores: Some(MatrixMut::vector(&mut scores)),
                kl: Some(MatrixMut::vector(&mut kl)),
                pair_stats: Some(MatrixMut::contiguous(&mut stats, N, PAIR_STATS).unwrap()),
                ..Outputs::default()
            };
            let need = linear_preference::workspace(c, &figures, x.hidden.dtype(), x.weight.dtype()).minimum;
            with_scratch(need, |w| linear_preference::forward(c, &figures, &x, out, Grads::default(), w)).unwrap();
            same("KL", &kl, &want.kl);
            let terms = d.term();
            let p = preference::Problem::new(S, d.items(), &terms, Default::default()).unwrap();
            let mut split = preference::Inputs::new(Floats::F64(Matrix::vector(&scores)));
            split.kl = Some(Floats::F64(Matrix::vector(&kl)));
            let (mut loss, mut of_scores, mut of_kl) = ([7.0f64], vec![7.0f64; S], vec![7.0f64; S]);
            let out = preference::Outputs {
                loss: Some(MatrixMut::vector(&mut loss).into()),
                grad_scores: Some(MatrixMut::vector(&mut of_scores).into()),
                grad_kl: Some(MatrixMut::vector(&mut of_kl).into()),
                ..Default::default()
            };
            split.grad_scale = 1.5;
            let need = cpu_preference::workspace(c, &p).minimum;
            with_scratch(need, |w| cpu_preference::forward(c, &p, &split, out, w)).unwrap();
            same("loss", &loss, &[want.loss]);
            let phase = Phase::WithCoefficients;
            let second = Problem::new([N, D, V], segments, d.items(), &[], options(phase, true)).unwrap();
            for saved in [false, true] {
                let mut x = x;
                x.score_coefficients = Some(Matrix::vector(&of_scores));
                x.kl_coefficients = Some(Matrix::vector(&of_kl));
                x.pair_stats = saved.then(|| Matrix::contiguous(&stats, N, PAIR_STATS).unwrap());
                let (mut gh, mut gw) = (vec![7f32; N * D], vec![7f32; V * D]);
                let need = linear_preference::workspace(c, &second, x.hidden.dtype(), x.weight.dtype());
                for bytes in [need.minimum, need.preferred] {
                    let grads = Grads {
                        hidden: Some(MatrixMut::contiguous(&mut gh, N, D).unwrap().into()),
                        weight: Some(MatrixMut::contiguous(&mut gw, V, D).unwrap().into()),
                        ..Grads::default()
                    };
                    with_scratch(bytes, |w| linear_preference::forward(c, &second, &x, Outputs::default(), grads, w))
                        .unwrap();
                    same("hidden", &gh, &want.hidden);
                    same("weight", &gw, &want.weight);
                    cases.ran();
                }
            }
            let refused = |o: Options, change: &dyn Fn(&mut Inputs<'_>), field: &str| {
                let p = Problem::new([N, D, V], segments, d.items(), &[], o);
                let mut x = x;
                change(&mut x);
                let e = p.and_then(|p| x.check(&p)).unwrap_err();
                assert_eq!((e.field, e.status), (field, Status::InvalidArgument), "{e}");
            };
            refused(options(phase, true), &|_| {}, "score_coefficients");
            refused(
                options(phase, true),
                &|x| x.score_coefficients = Some(Matrix::vector(&[0.0; S])),
                "kl_coefficients",
            );
            refused(options(phase, false), &|_| {}, "ref_head");
            refused(Options { reference: None, ..options(Phase::Figures, true) }, &|_| {}, "ref_head");
            let none = Options { reference: None, ..options(phase, false) };
            let plain = |x: &mut Inputs<'_>| {
                (x.ref_head, x.score_coefficients) = (None, Some(Matrix::vector(&[0.0; S])));
            };
            let unwanted = |x: &mut Inputs<'_>| {
                plain(x);
                x.kl_coefficients = Some(Matrix::vector(&[0.0; S]));
            };
            refused(none, &unwanted, "kl_coefficients");
        }
    }
    cases.finish("divergence in two phases", 24);
}
