//! Every entry against golden vectors: `golden/losses.txt`, written by `golden/losses.py` at 50 digits.
//!
//! Bound (promise A2'): entries that evaluate in f64, rounded once to f32, lie within 1 ulp of the exact value plus
//! 4 * 2^-53 * slack; token entries and estimators within 4 ulp plus 4 * 2^-24 * slack. slack = sum |x df/dx| + sum |terms|.
use std::collections::BTreeMap;
use truing_core::catalog::{ALL, ListVisitor, each_formula, resolve, with_list};
use truing_core::losses::formula::{Formula, MAX, Visitor};
use truing_core::losses::{ListLoss, Member};

struct Case {
    /// 0, or written `#1` before the parameters.
    variant: u32,
    params: Vec<f64>,
    x: Vec<f64>,
    /// value, slack
    want: Vec<(f64, f64)>,
}
struct Section {
    inputs: Vec<String>,
    outputs: Vec<String>,
    cases: Vec<Case>,
}
fn words(s: &str) -> Vec<String> {
    s.split_whitespace().map(String::from).collect()
}
fn numbers(s: &str) -> Vec<f64> {
    s.split_whitespace().map(|w| w.parse().unwrap_or_else(|_| panic!("{w} is no number"))).collect()
}
/// Sections by "id kind name part": the vectors fix the id, which is a promise.
fn read() -> BTreeMap<String, Section> {
    let mut all = BTreeMap::new();
    let mut head = String::new();
    for line in include_str!("golden/losses.txt").lines() {
        let fields: Vec<&str> = line.split('|').collect();
        if let Some(h) = fields[0].strip_prefix("@ ") {
            head = h.trim().to_string();
            let section = Section { inputs: words(fields[1]), outputs: words(fields[2]), cases: vec![] };
            assert!(all.insert(head.clone(), section).is_none(), "{head} twice");
            continue;
        }
        let want = fields[2..].iter().map(|f| numbers(f)).map(|n| (n[0], n[1])).collect();
        let (variant, params) = match fields[0].strip_prefix('#') {
            Some(rest) => rest.split_once(' ').expect("a variant and parameters"),
            None => ("0", fields[0]),
        };
        let variant = variant.parse().expect("the number of a variant");
        let case = Case { variant, params: numbers(params), x: numbers(fields[1]), want };
        all.get_mut(&head).expect("a case outside a section").cases.push(case);
    }
    all
}

/// One unit in the last place of f32 at `v`.
fn ulp(v: f64) -> f64 {
    2f64.powi((((v.to_bits() >> 52 & 0x7ff) as i32 - 1023).max(-126) - 23).min(104))
}
fn largest(x: &[f64]) -> f64 {
    x.iter().filter(|v| v.is_finite()).fold(0.0, |m, v| v.abs().max(m))
}
#[derive(Default)]
struct Tally {
    cases: usize,
    outputs: usize,
    /// Largest share of the bound that was used.
    worst: f64,
}
impl Tally {
    /// `got` is the entry's own result, in its own precision.
    /// `largest` is the largest finite input: an exponential that underflows is off by 2^-149 times its factor.
    fn judge(&mut self, what: &str, single: bool, largest: f64, got: f64, (want, slack): (f64, f64)) {
        self.outputs += 1;
        let rounded = got as f32 as f64;
        let top = f32::MAX as f64;
        if want.is_nan() || want.abs() > top + ulp(top) / 2.0 || rounded.is_infinite() {
            // beyond f32: infinity of the same sign, or the last step before it
            let fits = rounded.is_infinite() && rounded.signum() == want.signum() && want.abs() > top - 4.0 * ulp(top);
            assert!(fits, "{what}: got {got:e}, exactly {want:e}");
            return;
        }
        let bound = if single {
            4.0 * ulp(want) + 4.0 * 2f64.powi(-24) * slack + 2f64.powi(-149) * largest
        } else {
            ulp(want) + 4.0 * 2f64.powi(-53) * slack
        };
        let error = (rounded - want).abs();
        assert!(error <= bound, "{what}: got {got:e}, exactly {want:e}, off by {error:e}, allowed {bound:e}");
        self.worst = self.worst.max(error / bound);
    }
}

/// Cases of a section and of all of them: they may only grow.
const FLOOR: (usize, usize) = (120, 34605);

#[test]
fn every_entry_meets_its_golden_vectors() {
    struct Judge {
        golden: BTreeMap<String, Section>,
        done: BTreeMap<String, Tally>,
    }
    impl Visitor for Judge {
        fn visit<F: Formula>(&mut self) {
            let part = if F::PART.is_empty() { "-" } else { F::PART };
            let head = format!("{} {} {} {part}", F::ABOUT.id, F::KIND.name(), F::ABOUT.name);
            let golden = self.golden.get(&head).unwrap_or_else(|| panic!("no golden vectors for {head}"));
            assert!(
                golden.inputs.iter().map(String::as_str).eq(F::INPUTS.iter().copied()),
                "{head}: {:?}",
                &*F::INPUTS
            );
            assert!(
                golden.outputs.iter().map(String::as_str).eq(F::OUTPUTS.iter().copied()),
                "{head}: {:?}",
                &*F::OUTPUTS
            );
            let mut tally = Tally::default();
            for case in &golden.cases {
                let p = F::constants(case.variant, &case.params).unwrap();
                let y = if F::KIND.single() {
                    let x: Vec<f32> = case.x.iter().map(|&v| v as f32).collect();
                    F::run(&x, &p.map(|v| v as f32)).map(f64::from)
                } else {
                    F::run(&case.x, &p)
                };
                for (k, &want) in case.want.iter().enumerate() {
                    let what = format!("{head} {:?} {:?} {}", case.params, case.x, F::OUTPUTS[k]);
                    tally.judge(&what, F::KIND.single(), largest(&case.x), y[k], want);
                }
                tally.cases += 1;
            }
            self.done.insert(head, tally);
        }
    }
    let mut judge = Judge { golden: read(), done: BTreeMap::new() };
    each_formula(&mut judge);

    // lists have no flat formula
    struct List<'a>(&'a Section, &'a str);
    impl ListVisitor for List<'_> {
        type Out = Tally;
        fn visit<E: ListLoss<N>, const N: usize>(self) -> Tally {
            let mut tally = Tally::default();
            for case in &self.0.cases {
                let k = case.x.len() / self.0.inputs.len();
                let field = |name: &str, i: usize| {
                    self.0.inputs.iter().position(|n| n == name).map_or(0.0, |at| case.x[at * k + i])
                };
                let member = |i: usize| Member {
                    logp: field("logp", i),
                    ref_logp: field("ref_logp", i),
                    len: field("len", i),
                    target: field("target", i),
                };
                let mut grad = vec![f64::NAN; k];
                let value = E::eval(member, resolve::<E, N>(&case.params).unwrap(), &mut grad);
                assert_eq!(case.want.len(), 1 + k);
                for (i, (&got, &want)) in std::iter::once(&value).chain(&grad).zip(&case.want).enumerate() {
                    tally.judge(
                        &format!("{} {:?} {:?} output {i}", self.1, case.params, case.x),
                        false,
                        0.0,
                        got,
                        want,
                    );
                }
                tally.cases += 1;
            }
            tally
        }
    }
    for e in ALL.iter().filter(|e| e.kind == truing_core::catalog::Kind::List) {
        let head = format!("{} list {} -", e.about.id, e.about.name);
        let section = judge.golden.get(&head).unwrap_or_else(|| panic!("no golden vectors for {head}"));
        let tally = with_list(e.about.id, List(section, &head)).expect("a list entry");
        judge.done.insert(head, tally);
    }

    let (mut cases, mut outputs) = (0, 0);
    for (head, t) in &judge.done {
        println!("{head:24} {:5} cases, {:6} outputs, at most {:.2} of the bound", t.cases, t.outputs, t.worst);
        (cases, outputs) = (cases + t.cases, outputs + t.outputs);
    }
    println!("{cases} cases, {outputs} outputs");
    for head in judge.golden.keys() {
        assert!(judge.done.contains_key(head), "golden vectors of {head}, which is no entry");
    }
    for (head, tally) in &judge.done {
        assert!(tally.cases >= FLOOR.0, "{head}: only {} cases", tally.cases);
    }
    assert!(cases >= FLOOR.1, "only {cases} cases");
}

/// Nothing of the library may leak into the vectors' inputs: at most `MAX` of each.
#[test]
fn golden_file_is_well_formed() {
    let golden = read();
    let mut count = 0;
    for (head, s) in &golden {
        let list = head.contains(" list ");
        for case in &s.cases {
            assert!(list || case.x.len() == s.inputs.len() && case.want.len() == s.outputs.len(), "{head}");
            assert!(case.params.len() <= MAX && case.want.iter().all(|w| w.1 >= 0.0 && !w.0.is_nan()), "{head}");
            count += 1;
        }
    }
    println!("{count} cases in {} sections", golden.len());
    assert!(count >= 34605 && golden.len() >= 119);
}
