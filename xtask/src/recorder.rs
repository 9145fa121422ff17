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
use truing_core::catalog::{each_formula, slot};
use truing_core::error::row;
use truing_core::logprob::STATS;
use truing_core::losses::formula::{Formula, Visitor};
use truing_core::losses::map::{Alpha, Mapped, js};
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

/// `TRUING_FN void name(inputs..., T *outputs...)`, or with a single unnamed output `TRUING_FN T name(inputs...)`.
fn function<F: Text>(name: &str, inputs: &[&str], outputs: &[&str], run: &dyn Fn(&[Rec<F>]) -> Vec<usize>) -> String {
    let (tape, t) = (RefCell::new(Tape::default()), F::FORMAT.name);
    let x: Vec<_> = inputs.iter().map(|n| Rec::<F>::input(&tape, n)).collect();
    let at = |name| inputs.iter().position(|n| *n == name);
    if let (Some(logp), Some(old), Some(ratio)) = (at("logp"), at("old"), at(LOG_RATIO)) {
        // the caller forms the difference: it is 0 for an infinite log-prob that is its own `old`
        let mut tape = tape.borrow_mut();
        tape.known.insert(Node::Op("-", vec![x[logp].id, x[old].id]), x[ratio].id);
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
    let mut args: Vec<String> = inputs.iter().map(|n| format!("{t} {n}")).collect();
    if outputs.is_empty() {
        writeln!(body, "    return {};", names[results[0]]).unwrap();
        return format!("TRUING_FN {t} {name}({}) {{\n{body}}}\n", args.join(", "));
    }
    args.extend(outputs.iter().map(|n| format!("{t} *{n}")));
    for (n, &r) in outputs.iter().zip(&results) {
        writeln!(body, "    *{n} = {};", names[r]).unwrap();
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

/// `cuda/kernels/generated/losses.cuh`: bit operations, elementary functions, every entry in its own precision, maps of
/// scores, and the entries of each kind by their ids.
pub fn losses_cuh() -> String {
    struct All(String, Vec<Calls>);
    impl Visitor for All {
        fn visit<X: Formula>(&mut self) {
            self.0 += &if X::KIND.single() { entry::<X, Single>() } else { entry::<X, Double>() };
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
    let mut all = All(format!("{PRELUDE}{}{}", functions::<Single>(), functions::<Double>()), vec![]);
    each_formula(&mut all);
    all.0 + &maps() + &all.1.iter().map(Calls::text).collect::<String>()
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
    bits!(IGNORED NAN_INPUT INF_INPUT TARGET_NEG_INF ALL_NEG_INF OUT_OF_RANGE EMPTY OVERFLOW SATURATED INFINITE);
    text
}
