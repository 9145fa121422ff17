//! The composite: 4 sequences of 128 tokens from hidden states to loss and gradients of hidden and head. Time over the floor
//! of its products (three, and one more for a reference head) at the rate of the type's multiply-add probe of the same round,
//! on one thread, with the preferred workspace (logits kept) and for `dpo` in f32 with the least one too (computed twice).
//! `cargo bench --bench linear_preference -- [rounds]`.
use criterion::{BenchmarkId, Criterion, Throughput};
use std::time::Duration;
use truing::core::Dtype;
use truing::core::catalog::{Kind, find_any};
use truing::core::dtype::bf16;
use truing::core::linear_preference::{Inputs, Options, Outputs, Problem, RefHead};
use truing::core::logprob::{Transform, TransformInputs};
use truing::core::matrix::{Floats, Ints, Matrix, MatrixMut};
use truing::core::preference::{self, Items, Labels, Term};
use truing::core::sequence::{self, Divisor, Score, Segments};
use truing::cpu::linear_logprob::Grads;
use truing::cpu::{Context, ContextOptions, Mode, Space, gemm, linear_preference};
use truing_benches::{Arguments, Goal, line, part};

struct Case {
    name: &'static str,
    shape: [usize; 3],
    dtype: Dtype,
    mode: Mode,
    /// Also with the least workspace.
    least: bool,
    goal: f64,
}
const WIDE: [usize; 3] = [512, 576, 49152];
const SQUARE: [usize; 3] = [512, 1024, 32000];

fn main() {
    let arguments = Arguments::new(3);
    let dpo = Case { name: "dpo", shape: WIDE, dtype: Dtype::F32, mode: Mode::Portable, least: true, goal: 1.35 };
    part("linear_preference: dpo, 4 x 128 tokens, portable, 1 thread");
    case(&dpo, arguments);
    case(&Case { shape: SQUARE, ..dpo }, arguments);
    let narrow = Case { shape: SQUARE, dtype: Dtype::Bf16, least: false, goal: 2.2, ..dpo };
    case(&narrow, arguments);
    part("linear_preference: 4 x 128 tokens, fast, 1 thread");
    for name in ["dpo", "simpo", "orpo", "kto", "tdpo1", "tdpo2"] {
        let goal = if name.starts_with("tdpo") { 1.5 } else { 1.35 };
        case(&Case { name, mode: Mode::Fast, goal, ..narrow }, arguments);
    }
}
fn case(case: &Case, Arguments { rounds, table }: Arguments) {
    let Case { name, shape: shape @ [n, d, v], dtype, mode, least, goal } = *case;
    let mut state = 1u64;
    let mut make = |len: usize, size: f32| -> Vec<f32> {
        (0..len)
            .map(|_| {
                state = state.wrapping_mul(6364136223846793005).wrapping_add(1442695040888963407);
                ((state >> 40) as f32 / 8388608.0 - 1.0) * size
            })
            .collect()
    };
    let two_heads = name.starts_with("tdpo");
    let (hidden, weight) = (make(n * d, 1.0), make(v * d, 0.1));
    let (ref_hidden, ref_weight) = if two_heads { (make(n * d, 1.0), make(v * d, 0.1)) } else { (vec![], vec![]) };
    let short = |x: &[f32]| if dtype == Dtype::Bf16 { x.iter().map(|&x| bf16::from_f32(x)).collect() } else { vec![] };
    let narrow: [Vec<bf16>; 4] = [short(&hidden), short(&weight), short(&ref_hidden), short(&ref_weight)];
    let operand = |k: usize, rows: usize| -> Floats<'_> {
        match dtype {
            Dtype::Bf16 => Matrix::contiguous(&narrow[k], rows, d).unwrap().into(),
            _ => Matrix::contiguous([&hidden, &weight, &ref_hidden, &ref_weight][k], rows, d).unwrap().into(),
        }
    };
    let target: Vec<i32> = (0..n).map(|i| (i * 7919 % v) as i32).collect();
    let (reference, labels) = ([-1400.0; 4], [1u8, 0, 1, 0]);
    let context = Context::new(ContextOptions { mode, ..ContextOptions::default() }).unwrap();
    let info = find_any(name).expect("an entry");
    let terms = [Term { id: info.about.id, ..Term::default() }];
    let means = info.about.score == Some(truing::core::catalog::Score::Mean);
    let score = if means { Score::Mean(Divisor::Tokens) } else { Score::Sum };
    let options = Options {
        score: sequence::Options { score, ..Default::default() },
        reference: two_heads.then_some((d, Transform::default())),
        ..Options::default()
    };
    let items = if info.kind == Kind::Pair { Items::Interleaved } else { Items::Rows };
    let problem = Problem::new(shape, Segments::Padded { sequences: 4, width: 128 }, items, &terms, options).unwrap();
    let mut inputs = Inputs::new(operand(0, n), operand(1, v), Ints::I32(Matrix::vector(&target)));
    if two_heads {
        let transform = TransformInputs::default();
        inputs.ref_head = Some(RefHead { hidden: operand(2, n), weight: operand(3, v), transform });
    } else if !means {
        inputs.ref_scores = Some(Floats::F64(Matrix::vector(&reference)));
    }
    if info.kind == Kind::Unpaired {
        inputs.groups.label = Some(Labels::U8(Matrix::vector(&labels)));
        inputs.groups.baseline = Some(Floats::F64(Matrix::vector(&[0.0])));
    }
    let need = linear_preference::workspace(&context, &problem, dtype, dtype);
    let mut space = Space::default();
    space.bytes(need.preferred).fill(1);
    let (mut gh, mut gw) = (vec![1f32; n * d], vec![1f32; v * d]);
    let mut call = |bytes: usize| {
        let mut loss = [0f64];
        let place = MatrixMut::vector(&mut loss).into();
        let out = Outputs {
            preference: preference::Outputs { loss: Some(place), ..preference::Outputs::default() },
            ..Outputs::default()
        };
        let grads = Grads {
            hidden: Some(MatrixMut::contiguous(&mut gh, n, d).unwrap().into()),
            weight: Some(MatrixMut::contiguous(&mut gw, v, d).unwrap().into()),
            ..Grads::default()
        };
        linear_preference::forward(&context, &problem, &inputs, out, grads, space.bytes(bytes)).unwrap();
    };
    // forward, grad_hidden, grad_weight, and the forward of the other head
    let products = if two_heads { 4 } else { 3 };
    let flops = (products * 2 * n * d * v) as f64;
    let peak = || {
        let mut done = 0.0;
        let t = truing_benches::time(1, || done = gemm::probe(context.isa(), dtype == Dtype::Bf16, 256 << 20));
        done / t
    };
    call(need.preferred);
    let both = [("minimum", need.minimum), ("preferred", need.preferred)];
    for (what, bytes) in &both[if least { 0 } else { 1 }..] {
        let results: Vec<(f64, f64)> = (0..rounds)
            .map(|_| {
                let before = peak();
                let t = truing_benches::time(1, || call(*bytes));
                (t * (before + peak()) / 2.0 / flops, t)
            })
            .collect();
        let ratios: Vec<f64> = results.iter().map(|r| r.0).collect();
        let mut t: Vec<f64> = results.iter().map(|r| r.1 * 1e3).collect();
        t.sort_by(f64::total_cmp);
        let note = format!("{:.0} ms, {:.1} MB", t[rounds / 2], *bytes as f64 / 1e6);
        // the least workspace makes one product more
        let goal = if *what == "minimum" { Goal::None } else { Goal::AtMost(goal) };
        let entry = if least { String::new() } else { format!("{name}, ") };
        let kind = if dtype == Dtype::Bf16 { "bf16" } else { "f32" };
        let floor = if products == 4 { "x the floor of four products" } else { "x the floor of three products" };
        line(&format!("{entry}{what} workspace, {d} x {v} {kind}"), &ratios, floor, goal, &note);
    }
    if table {
        return;
    }
    let mut criterion = Criterion::default().sample_size(10).warm_up_time(Duration::from_millis(1));
    let mut group = criterion.benchmark_group(format!("linear_preference {d}x{v}"));
    group.throughput(Throughput::Elements(flops as u64)).measurement_time(Duration::from_secs(5));
    group.bench_function(BenchmarkId::from_parameter(name), |b| b.iter(|| call(need.preferred)));
    group.finish();
}
