//! The composite: 4 sequences of 128 tokens, hidden 576, vocabulary 49152, from hidden states to loss and gradients of
//! hidden and head. Time over the floor of its three products at the rate of a multiply-add
//! probe of the same round, on one thread, with the least workspace (logits computed twice) and the preferred one (kept).
//! `cargo bench --bench linear_preference -- [rounds]`.
use criterion::{BenchmarkId, Criterion, Throughput};
use std::time::Duration;
use truing::core::Dtype;
use truing::core::catalog::{Kind, find};
use truing::core::linear_preference::{Inputs, Options, Outputs, Problem};
use truing::core::matrix::{Floats, Ints, Matrix, MatrixMut};
use truing::core::preference::{self, Items, Term};
use truing::core::sequence::Segments;
use truing::cpu::linear_logprob::Grads;
use truing::cpu::{Context, gemm, linear_preference};
use truing_benches::{Arguments, Goal, line, part};

fn main() {
    let arguments = Arguments::new(3);
    part("linear_preference: dpo, 4 x 128 tokens, portable, 1 thread");
    for shape in [[512, 576, 49152], [512, 1024, 32000]] {
        case(shape, arguments);
    }
}
fn case(shape @ [n, d, v]: [usize; 3], Arguments { rounds, table }: Arguments) {
    let mut state = 1u64;
    let mut make = |len: usize, size: f32| -> Vec<f32> {
        (0..len)
            .map(|_| {
                state = state.wrapping_mul(6364136223846793005).wrapping_add(1442695040888963407);
                ((state >> 40) as f32 / 8388608.0 - 1.0) * size
            })
            .collect()
    };
    let (hidden, weight) = (make(n * d, 1.0), make(v * d, 0.1));
    let target: Vec<i32> = (0..n).map(|i| (i * 7919 % v) as i32).collect();
    let reference = [-1400.0; 4];
    let context = Context::default();
    let terms = [Term { id: find(Kind::Pair, "dpo").expect("an entry").about.id, ..Term::default() }];
    let segments = Segments::Padded { sequences: 4, width: 128 };
    let problem = Problem::new(shape, segments, Items::Interleaved, &terms, Options::default()).unwrap();
    let mut inputs = Inputs::new(
        Floats::F32(Matrix::contiguous(&hidden, n, d).unwrap()),
        Floats::F32(Matrix::contiguous(&weight, v, d).unwrap()),
        Ints::I32(Matrix::vector(&target)),
    );
    inputs.ref_scores = Some(Floats::F64(Matrix::vector(&reference)));
    let need = linear_preference::workspace(&context, &problem, Dtype::F32, Dtype::F32);
    let mut space = vec![0u8; need.preferred + 64];
    let at = space.as_ptr().align_offset(64);
    let (mut gh, mut gw) = (vec![0f32; n * d], vec![0f32; v * d]);
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
        let space = &mut space[at..at + bytes];
        linear_preference::forward(&context, &problem, &inputs, out, grads, space).unwrap();
    };
    // forward, grad_hidden, grad_weight
    let flops = 3.0 * 2.0 * (n * d * v) as f64;
    let peak = || {
        let mut done = 0.0;
        let t = truing_benches::time(1, || done = gemm::probe(context.isa(), false, 256 << 20));
        done / t
    };
    call(need.preferred);
    for (name, bytes) in [("minimum", need.minimum), ("preferred", need.preferred)] {
        let results: Vec<(f64, f64)> = (0..rounds)
            .map(|_| {
                let before = peak();
                let t = truing_benches::time(1, || call(bytes));
                (t * (before + peak()) / 2.0 / flops, t)
            })
            .collect();
        let ratios: Vec<f64> = results.iter().map(|r| r.0).collect();
        let mut t: Vec<f64> = results.iter().map(|r| r.1 * 1e3).collect();
        t.sort_by(f64::total_cmp);
        let note = format!("{:.0} ms, {:.1} MB", t[rounds / 2], bytes as f64 / 1e6);
        // of three products: the least workspace makes a fourth
        let goal = if name == "minimum" { Goal::None } else { Goal::AtMost(1.35) };
        line(&format!("{name} workspace, {d} x {v} f32"), &ratios, "x the floor of three products in f32", goal, &note);
    }
    if table {
        return;
    }
    let mut criterion = Criterion::default().sample_size(10).warm_up_time(Duration::from_millis(1));
    let mut group = criterion.benchmark_group(format!("linear_preference {d}x{v}"));
    group.throughput(Throughput::Elements(flops as u64)).measurement_time(Duration::from_secs(5));
    group.bench_function(BenchmarkId::from_parameter("dpo"), |b| b.iter(|| call(need.preferred)));
    group.finish();
}
