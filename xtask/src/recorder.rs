//! A value that writes down what happens to it: the source of the CUDA text.
//!
//! Equal expressions are one node, so the text is straight-line with every value named once. It is C++ too, and compiled
//! for the host it gives the bits of the Rust code (`tests/spine.rs`).
use std::cell::RefCell;
use std::collections::HashMap;
use std::fmt::Write;
use std::marker::PhantomData;
use std::ops::{Add, Div, Mul, Neg, Sub};
use truing_core::Dtype;
use truing_core::catalog::{Kind, each_formula, slot};
use truing_core::divergence::formula::{self as rows, Column, Pair};
use truing_core::error::row;
use truing_core::logprob::STATS;
use truing_core::losses::formula::{Formula, MAX, Visitor};
use truing_core::losses::map::{Alpha, Mapped, js};
use truing_core::losses::{coin_kl, probability_gap};
use truing_core::real::{F32, F64, Format, Real, elementary};
use truing_core::record::{BLOCK, CHAINS, EXP_CONSTANTS, EXP_LOW, EXP_TABLE};

#[derive(Clone, PartialEq, Eq, Hash)]
enum Node {
    Input(String),
    Lit(u64),
    Op(&'static str, Vec<usize>),
}
#[derive(Default)]
struct Tape {
    nodes: Vec<Node>,
    known: HashMap<Node, usize>,
}
/// A format and how its literals are written.
trait Text: Copy {
    const FORMAT: &'static Format;
    fn literal(v: f64) -> String;
}
#[derive(Clone, Copy)]
struct Single;
#[derive(Clone, Copy)]
struct Double;
fn special(v: f64) -> Option<&'static str> {
    if v.is_nan() {
        Some("TRUING_NAN")
    } else if v == f64::INFINITY {
        Some("TRUING_INF")
    } else if v == f64::NEG_INFINITY {
        Some("-TRUING_INF")
    } else {
        None
    }
}
impl Text for Single {
    const FORMAT: &'static Format = &F32;
    fn literal(v: f64) -> String {
        special(v).map_or_else(|| format!("{:?}f", v as f32), |s| format!("{s}F"))
    }
}
impl Text for Double {
    const FORMAT: &'static Format = &F64;
    fn literal(v: f64) -> String {
        special(v).map_or_else(|| format!("{v:?}"), String::from)
    }
}

#[derive(Clone, Copy)]
struct Rec<'a, F> {
    tape: &'a RefCell<Tape>,
    id: usize,
    format: PhantomData<F>,
}
impl<'a, F: Text> Rec<'a, F> {
    fn put(self, node: Node) -> Self {
        let mut tape = self.tape.borrow_mut();
        let id = match tape.known.get(&node) {
            Some(&id) => id,
            None => {
                let id = tape.nodes.len();
                tape.nodes.push(node.clone());
                tape.known.insert(node, id);
                id
            }
        };
        Rec { id, ..self }
    }
    fn op(self, name: &'static str, args: &[Self]) -> Self {
        self.put(Node::Op(name, args.iter().map(|a| a.id).collect()))
    }
    fn input(tape: &'a RefCell<Tape>, name: &str) -> Self {
        Rec { tape, id: 0, format: PhantomData }.put(Node::Input(name.to_string()))
    }
}
macro_rules! binary {
    ($($tr:ident $f:ident $text:literal),*) => {$(
        impl<F: Text> $tr for Rec<'_, F> {
            type Output = Self;
            fn $f(self, b: Self) -> Self { self.op($text, &[self, b]) }
        }
    )*};
}
binary!(Add add "+", Sub sub "-", Mul mul "*", Div div "/");
impl<F: Text> Neg for Rec<'_, F> {
    type Output = Self;
    fn neg(self) -> Self {
        self.op("neg", &[self])
    }
}
macro_rules! calls {
    ($($f:ident)*) => {$( fn $f(self) -> Self { self.op(stringify!($f), &[self]) } )*};
}
impl<F: Text> Real for Rec<'_, F> {
    const FORMAT: &'static Format = F::FORMAT;
    fn lit(self, v: f64) -> Self {
        self.put(Node::Lit(v.to_bits()))
    }
    fn fma(self, b: Self, c: Self) -> Self {
        self.op("fma", &[self, b, c])
    }
    fn select_lt(self, b: Self, yes: Self, no: Self) -> Self {
        self.op("<", &[self, b, yes, no])
    }
    fn select_le(self, b: Self, yes: Self, no: Self) -> Self {
        self.op("<=", &[self, b, yes, no])
    }
    calls!(abs exp2i exponent mantissa exp expm1 exp_rem log log1p tanh sigmoid softplus log1mexp);
}

/// The statements of a function of these inputs, and what its results are called. A literal among `constants` is an input of
/// its own.
fn body<F: Text>(
    inputs: &[&str],
    constants: &[(f32, String)],
    run: &dyn Fn(&[Rec<F>]) -> Vec<usize>,
) -> (String, Vec<String>) {
    let (tape, t) = (RefCell::new(Tape::default()), F::FORMAT.name);
    let x: Vec<_> = inputs.iter().map(|n| Rec::<F>::input(&tape, n)).collect();
    let at = |name| inputs.iter().position(|n| *n == name);
    if let (Some(logp), Some(old), Some(ratio)) = (at("logp"), at("old"), at(LOG_RATIO)) {
        // the caller forms the difference: it is 0 for an infinite log-prob that is its own `old`
        let mut tape = tape.borrow_mut();
        tape.known.insert(Node::Op("-", vec![x[logp].id, x[old].id]), x[ratio].id);
    }
    for (value, name) in constants {
        let id = Rec::<F>::input(&tape, name).id;
        tape.borrow_mut().known.insert(Node::Lit((*value as f64).to_bits()), id);
    }
    let results = run(&x);
    let nodes = &tape.borrow().nodes;
    // arguments come before their uses, so one pass from the end finds what is needed
    let mut live = vec![false; nodes.len()];
    results.iter().for_each(|&r| live[r] = true);
    for i in (0..nodes.len()).rev() {
        if let (true, Node::Op(_, args)) = (live[i], &nodes[i]) {
            args.iter().for_each(|&a| live[a] = true);
        }
    }
    let (mut names, mut body): (Vec<String>, _) = (vec![], String::new());
    let mut count = 0;
    for (node, live) in nodes.iter().zip(live) {
        names.push(match node {
            Node::Input(n) => n.clone(),
            Node::Lit(v) => F::literal(f64::from_bits(*v)),
            Node::Op(op, args) => {
                let a: Vec<&str> = args.iter().map(|&k| names[k].as_str()).collect();
                let text = match (*op, a.len()) {
                    ("neg", _) => format!("-({})", a[0]),
                    (_, 2) => format!("{} {op} {}", a[0], a[1]),
                    (_, 4) => format!("{} {op} {} ? {} : {}", a[0], a[1], a[2], a[3]),
                    _ => format!("truing_{op}({})", a.join(", ")),
                };
                if live {
                    count += 1;
                    writeln!(body, "    const {t} v{count} = {text};").unwrap();
                }
                format!("v{count}")
            }
        });
    }
    (body, results.into_iter().map(|r| names[r].clone()).collect())
}
/// `TRUING_FN void name(inputs..., T *outputs...)`, or with a single unnamed output `TRUING_FN T name(inputs...)`.
fn function<F: Text>(name: &str, inputs: &[&str], outputs: &[&str], run: &dyn Fn(&[Rec<F>]) -> Vec<usize>) -> String {
    let t = F::FORMAT.name;
    let (mut body, results) = body::<F>(inputs, &[], run);
    let mut args: Vec<String> = inputs.iter().map(|n| format!("{t} {n}")).collect();
    if outputs.is_empty() {
        writeln!(body, "    return {};", results[0]).unwrap();
        return format!("TRUING_FN {t} {name}({}) {{\n{body}}}\n", args.join(", "));
    }
    args.extend(outputs.iter().map(|n| format!("{t} *{n}")));
    for (n, r) in outputs.iter().zip(&results) {
        writeln!(body, "    *{n} = {r};").unwrap();
    }
    format!("TRUING_FN void {name}({}) {{\n{body}}}\n", args.join(", "))
}

/// The input behind those of a formula that reads `old`: `logp - old`.
const LOG_RATIO: &str = "log_ratio";
fn log_ratio(inputs: &[&str]) -> Option<&'static str> {
    (inputs.contains(&"logp") && inputs.contains(&"old")).then_some(LOG_RATIO)
}
/// One entry, or one part of it, as text.
fn entry<X: Formula, F: Text>() -> String {
    let ratio = log_ratio(&X::INPUTS);
    let inputs: Vec<&str> = X::INPUTS.iter().copied().chain(ratio).chain(X::CONSTANTS.iter().copied()).collect();
    let (n, outs) = (X::INPUTS.len(), &*X::OUTPUTS);
    let name = format!("truing_{}_{}{}", X::KIND.name(), X::ABOUT.name, X::PART);
    let text = function::<F>(&name, &inputs, outs, &|x| {
        let mut p = x[n + ratio.is_some() as usize..].to_vec();
        p.resize(truing_core::losses::formula::MAX, x[0]);
        X::run(&x[..n], &p)[..outs.len()].iter().map(|r| r.id).collect()
    });
    format!("// {}\n{text}", X::ABOUT.formula)
}

/// The elementary functions, from the same bodies that Rust runs.
fn functions<F: Text>() -> String {
    let mut text = String::new();
    macro_rules! all {
        ($($f:ident)*) => {$(
            text += &function::<F>(concat!("truing_", stringify!($f)), &["x"], &[], &|x| vec![elementary::$f(x[0]).id]);
        )*};
    }
    all!(exp expm1 exp_rem log log1p tanh sigmoid softplus log1mexp);
    text
}

/// What the text stands on: the twelve operations, by hand.
const PRELUDE: &str = r#"// Generated from the loss catalogue by `cargo xtask generate`; never edited.
// Compile without contraction (--fmad=false, -ffp-contract=off). List entries loop and have no text here.
#pragma once
#ifdef __CUDACC_RTC__
typedef unsigned int truing_u32;
typedef unsigned long long truing_u64;
#else
#include <math.h>
#include <stdint.h>
#include <string.h>
typedef uint32_t truing_u32;
typedef uint64_t truing_u64;
#endif
#ifdef __CUDACC__
#define TRUING_FN static __device__ __forceinline__
TRUING_FN truing_u32 truing_bits(float x) { return __float_as_uint(x); }
TRUING_FN truing_u64 truing_bits(double x) { return (truing_u64)__double_as_longlong(x); }
TRUING_FN float truing_from(truing_u32 u) { return __uint_as_float(u); }
TRUING_FN double truing_from(truing_u64 u) { return __longlong_as_double((long long)u); }
#else
#define TRUING_FN static inline
TRUING_FN truing_u32 truing_bits(float x) { truing_u32 u; memcpy(&u, &x, 4); return u; }
TRUING_FN truing_u64 truing_bits(double x) { truing_u64 u; memcpy(&u, &x, 8); return u; }
TRUING_FN float truing_from(truing_u32 u) { float x; memcpy(&x, &u, 4); return x; }
TRUING_FN double truing_from(truing_u64 u) { double x; memcpy(&x, &u, 8); return x; }
#endif
#define TRUING_INFF truing_from((truing_u32)0x7f800000u)
#define TRUING_NANF truing_from((truing_u32)0x7fc00000u)
#define TRUING_INF truing_from((truing_u64)0x7ff0000000000000ull)
#define TRUING_NAN truing_from((truing_u64)0x7ff8000000000000ull)
TRUING_FN float truing_fma(float a, float b, float c) { return fmaf(a, b, c); }
TRUING_FN double truing_fma(double a, double b, double c) { return fma(a, b, c); }
TRUING_FN float truing_abs(float x) { return fabsf(x); }
TRUING_FN double truing_abs(double x) { return fabs(x); }
TRUING_FN float truing_exp2i(float n) { return truing_from((truing_u32)(truing_bits(n + 8388735.0f) << 23)); }
TRUING_FN double truing_exp2i(double n) { return truing_from((truing_u64)(truing_bits(n + 4503599627371519.0) << 52)); }
TRUING_FN float truing_exponent(float x) {
    return truing_from((truing_u32)((truing_bits(x) + 0x004afb0du) >> 23 | 0x4b000000u)) - 8388735.0f;
}
TRUING_FN double truing_exponent(double x) {
    return truing_from((truing_u64)((truing_bits(x) + 0x00095f619980c433ull) >> 52 | 0x4330000000000000ull)) - 4503599627371519.0;
}
TRUING_FN float truing_mantissa(float x) {
    return truing_from((truing_u32)(((truing_bits(x) + 0x004afb0du) & 0x007fffffu) + 0x3f3504f3u));
}
TRUING_FN double truing_mantissa(double x) {
    return truing_from((truing_u64)(((truing_bits(x) + 0x00095f619980c433ull) & 0x000fffffffffffffull) + 0x3fe6a09e667f3bcdull));
}
"#;

/// The entries of a kind behind one function: their inputs and outputs together, and a case for each.
struct Calls {
    name: String,
    number: &'static str,
    inputs: Vec<&'static str>,
    outputs: Vec<&'static str>,
    cases: String,
}
impl Calls {
    fn add<X: Formula>(&mut self) {
        let news = |all: &mut Vec<_>, names: &[&'static str]| {
            names.iter().for_each(|n| {
                if !all.contains(n) {
                    all.push(n)
                }
            })
        };
        let ratio = log_ratio(&X::INPUTS);
        news(&mut self.inputs, &X::INPUTS);
        news(&mut self.inputs, ratio.as_slice());
        news(&mut self.outputs, &X::OUTPUTS);
        let inputs = X::INPUTS.iter().copied().chain(ratio).map(|n| format!("x.{n}"));
        let constants = (0..X::CONSTANTS.len()).map(|k| format!("p[{k}]"));
        let args: Vec<String> = inputs.chain(constants).chain(X::OUTPUTS.iter().map(|n| format!("&y.{n}"))).collect();
        let entry = format!("truing_{}_{}{}", X::KIND.name(), X::ABOUT.name, X::PART);
        writeln!(self.cases, "    case {}u: {entry}({}); break;", X::ABOUT.id, args.join(", ")).unwrap();
    }
    fn text(&self) -> String {
        let Calls { name, number, inputs, outputs, cases } = self;
        let (inputs, outputs) = (inputs.join(", "), outputs.join(", "));
        format!(
            "struct truing_{name}_in {{\n    {number} {inputs};\n}};\nstruct truing_{name}_out {{\n    {number} {outputs};\n}};\n\
             // The entry of this id; an output that it has not is 0. p: its constants.\n\
             TRUING_FN truing_{name}_out truing_{name}_entry(truing_u32 id, const truing_{name}_in &x, const {number} *p) {{\n    \
             truing_{name}_out y = {{}};\n    switch (id) {{\n{cases}    }}\n    return y;\n}}\n"
        )
    }
}

/// The maps of score differences, without lengths and with their reciprocals.
fn maps() -> String {
    let outputs = ["difference", "chosen", "rejected"];
    let ids = |m: Mapped<Rec<Double>>| vec![m.difference.id, m.chosen.id, m.rejected.id];
    fn alpha<'a>(x: &[Rec<'a, Double>]) -> Alpha<Rec<'a, Double>> {
        Alpha { alpha: x[0], max_exponent: x[1] }
    }
    [
        function::<Double>("truing_map_js", &["a", "b"], &outputs, &|x| ids(js(x[0], x[1], None))),
        function::<Double>("truing_map_js_by_length", &["a", "b", "c", "r"], &outputs, &|x| {
            ids(js(x[0], x[1], Some([x[2], x[3]])))
        }),
        function::<Double>("truing_map_alpha", &["alpha", "max_exponent", "a", "b"], &outputs, &|x| {
            ids(alpha(x).difference(x[2], x[3], None))
        }),
        function::<Double>(
            "truing_map_alpha_by_length",
            &["alpha", "max_exponent", "a", "b", "c", "r"],
            &outputs,
            &|x| ids(alpha(x).difference(x[2], x[3], Some([x[4], x[5]]))),
        ),
    ]
    .concat()
}

/// Distances of two log-probs that statistics are made of too, from their log ratio as well.
fn distances() -> String {
    let inputs = ["logp", "old", "log_ratio"];
    [
        function::<Double>("truing_coin_kl", &inputs, &[], &|x| vec![coin_kl(x[0], x[1], x[2]).id]),
        function::<Double>("truing_probability_gap", &inputs, &[], &|x| vec![probability_gap(x[0], x[1], x[2]).id]),
    ]
    .concat()
}

/// `cuda/kernels/generated/losses.cuh`: bit operations, elementary functions, every entry in its own precision, maps of
/// scores, and the entries of each kind by their ids.
pub fn losses_cuh() -> String {
    // the last: estimates in f64, as rewards and advantages take them
    struct All(String, Vec<Calls>, [String; 2]);
    impl Visitor for All {
        fn visit<X: Formula>(&mut self) {
            self.0 += &if X::KIND.single() { entry::<X, Single>() } else { entry::<X, Double>() };
            if X::KIND == Kind::Estimator {
                let name = format!("truing_estimated_{}", X::ABOUT.name);
                self.2[0] +=
                    &function::<Double>(&name, &X::INPUTS, &[], &|x| vec![X::run(x, &x[..1].repeat(MAX))[0].id]);
                writeln!(self.2[1], "    case {}u: return {name}({});", X::ABOUT.id, X::INPUTS.join(", ")).unwrap();
            }
            let name = format!("{}{}", X::KIND.name(), X::PART);
            if !self.1.iter().any(|c| c.name == name) {
                let number = if X::KIND.single() { "float" } else { "double" };
                self.1.push(Calls {
                    name: name.clone(),
                    number,
                    inputs: vec![],
                    outputs: vec![],
                    cases: String::new(),
                });
            }
            self.1.iter_mut().filter(|c| c.name == name).for_each(Calls::add::<X>);
        }
    }
    let start = format!("{PRELUDE}{}{}", functions::<Single>(), functions::<Double>());
    let mut all = All(start, vec![], Default::default());
    each_formula(&mut all);
    let [estimates, cases] = &all.2;
    let estimate = format!(
        "{estimates}// The estimate of this id in f64; 0: k1.\nTRUING_FN double truing_estimated(truing_u32 id, double logp, double ref_logp) \
         {{\n    switch (id) {{\n{cases}    default: return logp - ref_logp;\n    }}\n}}\n"
    );
    all.0 + &maps() + &distances() + &estimate + &all.1.iter().map(Calls::text).collect::<String>()
}

/// The arrays of a [`Pair`] and their lengths.
const PAIR: [(&str, usize); 13] = [
    ("m", 2),
    ("l", 2),
    ("scale", 2),
    ("gamma", 1),
    ("p", 2),
    ("r", 2),
    ("w", 2),
    ("s", 2),
    ("t", 2),
    ("mean", 2),
    ("c", 2),
    ("e", 2),
    ("x", 4),
];
/// A pair of numbers that stand nowhere else, and what each stands for. `alike`: |a| and |b| of a cosine are.
fn pair<F: Text>(alike: bool) -> (Pair, Vec<(f32, String)>) {
    let cast = if F::FORMAT.name == "double" { "(double)" } else { "" };
    let (mut all, mut next) = (vec![], 1000.25);
    let mut take = |name: &str, n: usize| -> [f32; 4] {
        std::array::from_fn(|i| {
            // x_1, the norm of a, is large beside x_3 or not
            next += 1.0;
            let value = if name == "x" && i == 1 && alike { 1e5 + next } else { next };
            let place = if n == 1 { String::new() } else { format!("[{i}]") };
            if i < n {
                all.push((value, format!("{cast}k.{name}{place}")));
            }
            value
        })
    };
    let x = PAIR.map(|(name, n)| take(name, n));
    let two = |i: usize| [x[i][0], x[i][1]];
    let k = Pair {
        m: two(0),
        l: two(1),
        scale: two(2),
        gamma: x[3][0],
        p: two(4),
        r: two(5),
        w: two(6),
        s: two(7),
        t: two(8),
        mean: two(9),
        c: two(10),
        e: two(11),
        x: x[12],
    };
    (k, all)
}
const COLUMN: [&str; 8] = ["c.p[0]", "c.p[1]", "c.log[0]", "c.log[1]", "c.r", "c.d", "c.x[0]", "c.x[1]"];
fn column<'a, F: Text>(x: &[Rec<'a, F>]) -> Column<Rec<'a, F>> {
    Column { p: [x[0], x[1]], log: [x[2], x[3]], r: x[4], d: x[5], x: [x[6], x[7]], finite: false }
}
/// A function of a column and its row's constants: `results` says what the outputs are.
fn of_column<F: Text>(head: &str, outputs: &[&str], results: &dyn Fn(&Pair, &Column<Rec<F>>) -> Vec<usize>) -> String {
    let form = |alike| {
        let (k, constants) = pair::<F>(alike);
        let (mut text, names) = body::<F>(&COLUMN, &constants, &|x| results(&k, &column(x)));
        for (to, from) in outputs.iter().zip(names) {
            writeln!(text, "    {to} = {from};").unwrap();
        }
        text
    };
    let (near, far) = (form(true), form(false));
    // one function of two ways, as the row has it
    let text = if near == far {
        near
    } else {
        format!("    if (truing_abs(k.x[3]) < 0.5f * k.x[1]) {{\n{near}    return;\n    }}\n{far}")
    };
    format!("TRUING_FN void {head} {{\n{text}}}\n")
}
fn ids<F>(x: &[Rec<F>]) -> Vec<usize> {
    x.iter().map(|x| x.id).collect()
}
/// A form of divergence as a type: what it needs, its sums, weights and gradients.
fn divergence<X: rows::Formula>(name: &str) -> String {
    let number = |yes: bool| yes as u32;
    let [a, b] = X::WEIGHTS.map(number);
    let mut text = format!(
        "struct truing_{name} {{\nenum {{ SUMS = {}, EXACT = {}, LATE = {}, CHAIN = {}, WEIGHTS = {} }};\n",
        X::SUMS,
        number(X::EXACT),
        number(X::LATE),
        number(X::CHAIN),
        a | b << 1,
    );
    let args = |t: &str| format!("(const truing_pair &k, const truing_column<{t}> &c, {t} *y");
    let values = ["y[0]", "y[1]", "y[2]", "y[3]", "y[4]"];
    let outputs = [&values[..X::SUMS], &["delta"]].concat();
    text += &of_column::<Single>(&format!("sums{}, float &delta)", args("float")), &outputs, &|k, c| {
        let (x, delta) = X::sums_and_delta(k, c);
        let mut all = ids(&x[..X::SUMS]);
        all.push(delta.id);
        all
    });
    text += &of_column::<Single>(&format!("delta{})", args("float")), &values[..1], &|_, c| vec![c.delta().id]);
    text += &of_column::<Single>(&format!("weighted{})", args("float")), &values[..2], &|k, c| ids(&X::weighted(k, c)));
    text += &of_column::<Single>(&format!("gradient{})", args("float")), &values[..2], &|k, c| ids(&X::gradient(k, c)));
    if X::CHAIN {
        let n = X::SUMS.min(2);
        text +=
            &of_column::<Double>(&format!("sums{})", args("double")), &values[..n], &|k, c| ids(&X::sums(k, c)[..n]));
        text +=
            &of_column::<Double>(&format!("inner{})", args("double")), &values[..n], &|k, c| ids(&X::inner(k, c)[..n]));
    }
    text + "};\n"
}
/// `cuda/kernels/generated/divergence.cuh`: every form of divergence of one column of two rows.
pub fn divergence_cuh() -> String {
    let mut text = String::from(
        "// Generated from the formulas of divergences by `cargo xtask generate`; never edited.\n#pragma once\n\
         // Constants of a row, sides a and b.\nstruct truing_pair {\n    float ",
    );
    let arrays = PAIR.map(|(name, n)| if n == 1 { name.to_string() } else { format!("{name}[{n}]") });
    text += &format!("{};\n}};\n", arrays.join(", "));
    text += "// A column: probabilities, their logarithms, log ratio without and with normalisers, transformed logits.\n\
             template <class R> struct truing_column {\n    R p[2], log[2], r, d, x[2];\n};\n";
    let outputs = ["c.p[0]", "c.p[1]", "c.log[0]", "c.log[1]", "c.r", "c.d", "c.x[0]", "c.x[1]"];
    let (k, constants) = pair::<Single>(false);
    let (mut body, names) = body::<Single>(&["xa", "xb", "ea", "eb"], &constants, &|x| {
        let c = k.column([x[0], x[1]], [x[2], x[3]]);
        let like = |v: f32| x[0].lit(v as f64);
        // the way of the row is not known here
        let r = rows::ratio(x[0], x[1], like(k.m[0]), like(k.m[1]));
        let d = r - like(k.gamma);
        ids(&[c.p[0], c.p[1], c.log[0], c.log[1], r, d, x[0], x[1]])
    });
    for (to, from) in outputs.iter().zip(names) {
        writeln!(body, "    {to} = {from};").unwrap();
    }
    text += &format!(
        "// From its transformed logits and e^(x - m) of both sides.\n\
         TRUING_FN truing_column<float> truing_column_of(const truing_pair &k, float xa, float xb, float ea, float eb) {{\n    \
         truing_column<float> c;\n{body}    return c;\n}}\n"
    );
    let arguments = |t: &str, name: &str| format!("{name}(const truing_column<{t}> &c, {t} s, {t} rest, {t} &y)");
    macro_rules! powers {
        ($($t:ident $name:literal)*) => {$(
            let inputs = [&COLUMN[..], &["s", "rest"]].concat();
            let (body, names) = self::body::<$t>(&inputs, &[], &|x| vec![rows::power(&column(x), x[8], x[9]).id]);
            text += &format!(
                "// log of a^s b^(1 - s)\nTRUING_FN void {} {{\n{body}    y = {};\n}}\n",
                arguments($name, "truing_power_of"), names[0],
            );
        )*};
    }
    powers!(Single "float" Double "double");
    text += "// log a - log(w a + rest b)\n";
    macro_rules! mixes {
        ($($t:ident)*) => {$(
            text += &function::<$t>("truing_mix", &["d", "w", "rest"], &[], &|x| vec![rows::mix(x[0], x[1], x[2]).id]);
        )*};
    }
    mixes!(Single Double);
    text += "// The weights of the cosine of probabilities.\n";
    let head = "truing_cosine_of(const truing_pair &k, const truing_column<float> &c, float *y)";
    text +=
        &of_column::<Single>(head, &["y[0]", "y[1]"], &|k, c| ids(&rows::cosine_weights(k, c.p[0], c.p[1], c.delta())));
    macro_rules! all {
        ($($form:ident $name:literal)*) => {$( text += &divergence::<rows::$form>($name); )*};
    }
    all!(Kl "kl" TwoWay "two_way" Jsd "jsd" Skew "skew" Power "power" Hellinger2 "hellinger2" Chi2 "chi2" Tvd "tvd"
        CosineProbs "cosine_probs" CosineLogits "cosine_logits" CrossEntropy "cross_entropy");
    text
}

/// `cuda/kernels/generated/record.cuh`: the constants that kernels share with `truing_core`.
pub fn record_cuh() -> String {
    let mut text =
        String::from("// Constants of truing-core. Generated by `cargo xtask generate`; never edited.\n#pragma once\n");
    let mut put = |name: &str, value: String| text += &format!("#define TRUING_{name} {value}\n");
    put("BLOCK", BLOCK.to_string());
    put("CHAINS", CHAINS.to_string());
    put("STATS", STATS.to_string());
    let table: Vec<String> = EXP_TABLE.iter().map(|x| format!("{x:#010x}u")).collect();
    put("EXP_TABLE", format!("{{{}}}", table.join(", ")));
    for (name, x) in ["SCALE", "MAGIC", "STEP", "C3", "C2"].into_iter().zip(EXP_CONSTANTS).chain([("LOW", EXP_LOW)]) {
        put(&format!("EXP_{name}"), format!("{x:?}f"));
    }
    put("F32_MAX", format!("{:?}", f32::MAX as f64));
    let all = [Dtype::F32, Dtype::F64, Dtype::Bf16, Dtype::F16, Dtype::I8, Dtype::U8, Dtype::I32, Dtype::I64];
    for dtype in all {
        put(&format!("DTYPE_{}", dtype.name().to_uppercase()), format!("{}u", dtype as u32));
    }
    macro_rules! bits {
        ($($name:ident)*) => {$( put(concat!("ROW_", stringify!($name)), format!("{:#x}u", row::$name)); )*};
    }
    macro_rules! slots {
        ($($name:ident)*) => {$( put(concat!("SLOT_", stringify!($name)), format!("{:#x}ull", slot::$name)); )*};
    }
    slots!(REF LENGTH KL MARGIN ANCHOR BETA BASELINE SHIFT WEIGHT);
    put("DIVERGENCE_STATS", truing_core::divergence::STATS.to_string());
    bits!(IGNORED NAN_INPUT INF_INPUT TARGET_NEG_INF ALL_NEG_INF OUT_OF_RANGE TARGET_OUTSIDE EMPTY OVERFLOW SATURATED INFINITE DEGENERATE);
    text
}
