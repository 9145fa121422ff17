//! Divergence of two heads: distilling a teacher of hidden size 2048 into a student of 1024 over 32000 columns, 512 rows, from
//! hidden states to loss and the student's gradients. Time over the floor of its four products (three of the student, one of
//! the teacher) at the rate of a multiply-add probe of the same round, on one thread, with the least workspace and the preferred
//! one (logits kept). `cargo bench --bench linear_divergence -- [rounds]`.
use truing::core::Dtype;
use truing::core::divergence::{Figures, Kind, Options, Upstream};
use truing::core::dtype::bf16;
use truing::core::linear_divergence::{Problem, Side};
use truing::core::linear_logprob;
use truing::core::logprob::{Rows, TransformInputs};
use truing::core::matrix::{Floats, Matrix, MatrixMut};
use truing::core::preference::Reduction;
use truing::cpu::divergence::Totals;
use truing::cpu::linear_divergence::{Asked, Fused, Head, Inputs, Teacher, forward, workspace};
use truing::cpu::linear_logprob::Grads;
use truing::cpu::{Context, Space, gemm};
use truing_benches::{Arguments, Goal, line, part};

const N: usize = 512;
const V: usize = 32000;
const D: [usize; 2] = [1024, 2048];

fn main() {
    let Arguments { rounds, .. } = Arguments::new(3);
    part("linear_divergence: teacher of 2048, student of 1024, 512 rows, portable, 1 thread");
    for narrow in [false, true] {
        case(narrow, rounds);
    }
}
fn case(narrow: bool, rounds: usize) {
    let mut state = 1u64;
    let mut make = |len: usize, size: f32| -> Vec<f32> {
        (0..len)
            .map(|_| {
                state = state.wrapping_mul(6364136223846793005).wrapping_add(1442695040888963407);
                ((state >> 40) as f32 / 8388608.0 - 1.0) * size
            })
            .collect()
    };
    let wide = D.map(|d| [make(N * d, 1.0), make(V * d, 0.1)]);
    let short = [0, 1].map(|s| [0, 1].map(|k| wide[s][k].iter().map(|&x| bf16::from_f32(x)).collect::<Vec<_>>()));
    let operand = |s: usize, k: usize| -> Floats<'_> {
        let rows = if k == 0 { N } else { V };
        if narrow {
            Matrix::contiguous(&short[s][k], rows, D[s]).unwrap().into()
        } else {
            Matrix::contiguous(&wide[s][k], rows, D[s]).unwrap().into()
        }
    };
    let head = |s: usize| Head { hidden: operand(s, 0), weight: operand(s, 1), transform: TransformInputs::default() };
    let inputs = Inputs { student: head(0), teacher: Teacher::Head(head(1)), rows: Rows::default(), row_weight: None };
    let name = if narrow { Dtype::Bf16 } else { Dtype::F32 };
    let context = Context::default();
    let (mut gh, mut gw) = (vec![0f32; N * D[0]], vec![0f32; V * D[0]]);
    for (kind, param) in [(Kind::ForwardKl, f64::NAN), (Kind::ReverseKl, f64::NAN), (Kind::Jsd, 0.5)] {
        let [own, other] = D.map(|d| linear_logprob::Problem::new(N, d, V, Default::default()).unwrap());
        let options = Options { kind, param, reduction: Some(Reduction::Mean), ..Options::default() };
        let problem = Problem::new(own, Side::Head(other), options).unwrap();
        let mut call = |share: bool, gradients: bool| -> (f64, usize) {
            let grads = if gradients {
                let hidden = MatrixMut::contiguous(&mut gh, N, D[0]).unwrap().into();
                let weight = MatrixMut::contiguous(&mut gw, V, D[0]).unwrap().into();
                [Grads { hidden: Some(hidden), weight: Some(weight), ..Grads::default() }, Grads::default()]
            } else {
                Default::default()
            };
            let need = workspace(&context, &problem, inputs.dtypes(), &Asked::new(&grads, true, false));
            let bytes = if share { need.preferred } else { need.minimum };
            let mut space = Space::default();
            // pages are there before the clock runs
            space.bytes(bytes).fill(1);
            let mut loss = [0f64];
            let totals = Totals { loss: Some(MatrixMut::vector(&mut loss).into()), counters: None };
            let upstream = Upstream { loss: gradients.then_some(1.0), ..Upstream::default() };
            let t = truing_benches::time(1, || {
                let fused = Fused { upstream, grads };
                forward(&context, &problem, &inputs, Figures::default(), totals, fused, space.bytes(bytes)).unwrap()
            });
            (t, bytes)
        };
        for (what, share, gradients) in [
            ("forward, preferred", true, false),
            ("forward and backward, minimum", false, true),
            ("forward and backward, preferred", true, true),
        ] {
            let own = if gradients { 3 } else { 1 };
            let products = (own * D[0] + D[1]) as f64;
            let flops = products * 2.0 * (N * V) as f64;
            // the gradient products of bf16 operands run on f32 in either case
            let peak = || {
                let mut done = 0.0;
                let t = truing_benches::time(1, || done = gemm::probe(context.isa(), false, 256 << 20));
                done / t
            };
            let mut bytes = 0;
            let results: Vec<(f64, f64)> = (0..rounds)
                .map(|_| {
                    let before = peak();
                    let (t, b) = call(share, gradients);
                    bytes = b;
                    (t * (before + peak()) / 2.0 / flops, t)
                })
                .collect();
            let ratios: Vec<f64> = results.iter().map(|r| r.0).collect();
            let mut t: Vec<f64> = results.iter().map(|r| r.1 * 1e3).collect();
            t.sort_by(f64::total_cmp);
            let note = format!("{:.0} ms, {:.1} MB", t[rounds / 2], bytes as f64 / 1e6);
            let goal = if gradients { Goal::AtMost(if narrow { 2.2 } else { 1.35 }) } else { Goal::None };
            line(
                &format!("{}, {what} workspace, {name}", kind.info().name),
                &ratios,
                "x the floor of its products in f32",
                goal,
                &note,
            );
        }
    }
}
