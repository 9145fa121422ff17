//! Divergences on vocabulary shards, on a few columns of a row, and as one number of all rows, through the C ABI: the same
//! call on the CPU and on the stand-in device.
use super::abi::{Arrays, Given, Op, Pointer};
use super::{INF, NAN, mode};
use half::{bf16, f16};
use truing_cuda::Mode;
use truing_ffi::abi::*;
use truing_ffi::divergence::*;
use truing_tests::Random;

const FORWARD: Op<truing_divergence_forward_args> =
    Op(truing_divergence_forward_workspace_size, truing_divergence_forward);
const BACKWARD: Op<truing_divergence_backward_args> =
    Op(truing_divergence_backward_workspace_size, truing_divergence_backward);
const LOCAL: Op<truing_divergence_local_args> = Op(truing_divergence_local_workspace_size, truing_divergence_local);
const FINISH: Op<truing_divergence_finish_args> = Op(truing_divergence_finish_workspace_size, truing_divergence_finish);

const N: usize = 14;
/// Rows of either side with what a row may have.
struct Batch {
    v: usize,
    z: [Vec<f32>; 2],
    target: Vec<i64>,
    mask: Vec<u8>,
    weight: Vec<f32>,
    up: Vec<f32>,
}
impl Batch {
    fn new(v: usize) -> Batch {
        let mut random = Random(v as u64);
        let mut z = [vec![], vec![]];
        for sort in 0..N {
            let mut a = random.normals(v, 3.0);
            let mut b: Vec<f32> = a.iter().map(|x| x + 0.5 * random.normal() as f32).collect();
            let at = random.below(v);
            match sort {
                1 => b = random.normals(v, 3.0),
                2 => (a[at], b[at]) = (40.0, 40.0),
                3 => (0..v).filter(|j| j % 3 != at % 3).for_each(|j| a[j] = -INF),
                4 => (0..v).filter(|j| j % 5 == 1).for_each(|j| b[j] = -INF),
                5 => (0..v).filter(|j| j / 2048 % 2 == 0).for_each(|j| (a[j], b[j]) = (-INF, -INF)),
                6 => a[at] = NAN,
                7 => b[at] = INF,
                8 => b.fill(-INF),
                9 => a.iter_mut().for_each(|x| *x += 1e4),
                10 => a.iter_mut().for_each(|x| *x = x.round()),
                _ => {}
            }
            z[0].extend(a);
            z[1].extend(b);
        }
        // the largest column, any column, a dead one
        let target = (0..N)
            .map(|i| {
                let row = &z[0][i * v..][..v];
                let found = match i % 3 {
                    0 => (0..v).max_by(|&j, &k| row[j].total_cmp(&row[k])),
                    1 => row.iter().position(|x| *x == -INF),
                    _ => None,
                };
                found.unwrap_or_else(|| random.below(v)) as i64
            })
            .collect();
        let mut mask = vec![1; N];
        mask[11] = 0;
        let weight = (0..N).map(|i| [1.0, 0.5, 2.0, 1.5][i % 4] * (i != 12) as u8 as f32).collect();
        Batch { v, z, target, mask, weight, up: random.normals(N, 1.0) }
    }
    /// The columns `[from, to)` of a side, in a type.
    fn side(&self, t: &mut Arrays, side: usize, kind: usize, from: usize, to: usize) -> Pointer {
        let rows = self.z[side].chunks(self.v).flat_map(|row| &row[from..to]);
        let shape = [N as i64, (to - from) as i64];
        match kind {
            0 => t.update(rows.copied().collect(), &shape),
            1 => t.update(rows.map(|&x| bf16::from_f32(x)).collect(), &shape),
            _ => t.update(rows.map(|&x| f16::from_f32(x)).collect(), &shape),
        }
    }
    fn rows(&self, t: &mut Arrays, rows: &mut truing_rows) {
        rows.mask = t.read(&self.mask, &[N as i64]);
    }
}
/// Kinds, and the parameter of those that have one.
const KINDS: [(u32, Option<f64>); 10] = [
    (TRUING_DIVERGENCE_FORWARD_KL, None),
    (TRUING_DIVERGENCE_REVERSE_KL, None),
    (TRUING_DIVERGENCE_MIXED_KL, Some(0.3)),
    (TRUING_DIVERGENCE_JSD, None),
    (TRUING_DIVERGENCE_SKEW_KL, None),
    (TRUING_DIVERGENCE_RENYI, Some(0.6)),
    (TRUING_DIVERGENCE_HELLINGER2, None),
    (TRUING_DIVERGENCE_TVD, None),
    (TRUING_DIVERGENCE_COSINE_LOGITS, None),
    (TRUING_DIVERGENCE_CROSS_ENTROPY, None),
];
fn options(o: &mut truing_divergence_options, (kind, param): &(u32, Option<f64>)) {
    (o.kind, o.teacher_form) = (*kind, TRUING_TEACHER_LOGITS);
    if let Some(x) = param {
        (o.params, o.num_params) = (x, 1);
    }
}
fn reads_twice(kind: u32) -> bool {
    ![
        TRUING_DIVERGENCE_FORWARD_KL,
        TRUING_DIVERGENCE_REVERSE_KL,
        TRUING_DIVERGENCE_MIXED_KL,
        TRUING_DIVERGENCE_RENYI,
        TRUING_DIVERGENCE_HELLINGER2,
    ]
    .contains(&kind)
}
fn floats(keys: Vec<u64>) -> Vec<f32> {
    keys.into_iter().map(|k| f32::from_bits(k as u32)).collect()
}

/// Both passes over shards, and the gradients of each from the statistics.
fn shards(
    context: &Given,
    b: &Batch,
    cuts: &[usize],
    which: &(u32, Option<f64>),
    types: [usize; 2],
    hard: f64,
) -> usize {
    let what = format!("divergence {which:?} over shards {cuts:?}, {hard} of the target");
    let width = if hard == 0.0 { 16 } else { 17 };
    let of_target = |t: &mut Arrays, o: &mut truing_divergence_options, rows: &mut truing_rows| {
        b.rows(t, rows);
        if hard != 0.0 {
            rows.target = t.read(&b.target, &[N as i64]);
            (o.hard_weight, o.hard_scaling) = (hard, if hard < 0.0 { TRUING_SCALING_DFT } else { 0 });
        }
    };
    let (n, shards, mut done) = (N as i64, cuts.len() - 1, 0);
    let starts: Vec<i64> = cuts.iter().map(|&x| x as i64).collect();
    let mut saved: Option<Vec<f32>> = None;
    for pass in [TRUING_LOCAL_RECORDS, TRUING_LOCAL_VALUES] {
        let mut records = vec![];
        for s in 0..shards {
            let (from, to) = (cuts[s], cuts[s + 1]);
            let fill = |t: &mut Arrays, a: &mut truing_divergence_local_args| {
                (a.student, a.teacher) = (b.side(t, 0, types[0], from, to), b.side(t, 1, types[1], from, to));
                options(&mut a.options, which);
                a.student_transform.temperature = 0.7;
                of_target(t, &mut a.options, &mut a.rows);
                a.row_weight = t.read(&b.weight, &[n]);
                (a.shard.vocab_start, a.shard.vocab_end) = (from as i64, to as i64);
                (a.shard.vocab_total, a.local_pass) = (b.v as i64, pass);
                if let Some(saved) = &saved {
                    a.stats = t.read(saved, &[n, 16]);
                }
                a.out_records = t.write::<f32>(&[n, width]);
                a.out_status = t.write::<u32>(&[n]);
            };
            done += LOCAL.same(&format!("{what}, pass {pass}, shard {s}"), context, fill);
            let out = LOCAL.run(&what, context, false, fill);
            records.extend(floats(out[2].keys()));
        }
        let fill = |t: &mut Arrays, a: &mut truing_divergence_finish_args| {
            a.records = t.read(&records, &[shards as i64, n, width]);
            a.shard_starts = t.read(&starts, &[shards as i64 + 1]);
            options(&mut a.options, which);
            of_target(t, &mut a.options, &mut a.rows);
            a.row_weight = t.read(&b.weight, &[n]);
            a.local_pass = pass;
            let (o, first) = (&mut a.outputs, pass == TRUING_LOCAL_RECORDS);
            o.out_stats = t.write::<f32>(&[n, 16]);
            o.out_status = t.write::<u32>(&[n]);
            if first {
                (o.out_student_entropy, o.out_teacher_entropy) = (t.write::<f32>(&[n]), t.write::<f32>(&[n]));
            }
            if !first || !reads_twice(which.0) {
                (o.out_values, o.out_loss) = (t.write::<f32>(&[n]), t.write::<f64>(&[]));
                o.out_counters = t.write::<i64>(&[32]);
                a.options.aggregate.mode = TRUING_AGGREGATE_WEIGHTED_MEAN;
            }
        };
        done += FINISH.same(&format!("{what}, finish {pass}"), context, fill);
        saved = Some(floats(FINISH.run(&what, context, false, fill)[0].keys()));
    }
    let saved = saved.unwrap();
    for s in 0..shards {
        let (from, to) = (cuts[s], cuts[s + 1]);
        done += BACKWARD.same(&format!("{what}, gradient of shard {s}"), context, |t, a| {
            (a.student, a.teacher) = (b.side(t, 0, types[0], from, to), b.side(t, 1, types[1], from, to));
            options(&mut a.options, which);
            a.student_transform.temperature = 0.7;
            of_target(t, &mut a.options, &mut a.rows);
            a.row_weight = t.read(&b.weight, &[n]);
            (a.shard.vocab_start, a.shard.vocab_end) = (from as i64, to as i64);
            a.shard.vocab_total = b.v as i64;
            a.stats = t.read(&saved, &[n, 16]);
            a.grad_values = t.read(&b.up, &[n]);
            (a.grad_student_out, a.grad_teacher_out) = (a.student, t.write::<f32>(&[n, (to - from) as i64]));
            a.out_status = t.write::<u32>(&[n]);
        });
    }
    done
}
/// One number of all rows, and its gradient in the same call and behind it.
fn reduced(context: &Given, b: &Batch) -> usize {
    let (n, v, mut done) = (N as i64, b.v as i64, 0);
    let modes = [TRUING_AGGREGATE_TOKEN_MEAN, TRUING_AGGREGATE_TOKEN_SUM, TRUING_AGGREGATE_WEIGHTED_MEAN];
    for (i, mode) in modes.into_iter().enumerate() {
        let which = &KINDS[[0, 3, 7][i]];
        let fill = |o: &mut truing_divergence_options| {
            options(o, which);
            o.aggregate.mode = mode;
            o.aggregate.normaliser = if i == 1 { 3.5 } else { 0.0 };
        };
        let half = b.weight.iter().map(|w| w * (i != 0) as u8 as f32).collect::<Vec<_>>();
        let what = format!("divergence {which:?} reduced {mode}");
        done += FORWARD.same(&what, context, |t, a| {
            (a.student, a.teacher) = (b.side(t, 0, i, 0, b.v), b.side(t, 1, 0, 0, b.v));
            fill(&mut a.options);
            b.rows(t, &mut a.rows);
            a.row_weight = t.read(&b.weight, &[n]);
            let o = &mut a.outputs;
            (o.out_values, o.out_loss) = (t.write::<f32>(&[n]), t.write::<f64>(&[]));
            o.out_counters = t.write::<i64>(&[32]);
            (a.grad_student_out, a.grad_teacher_out) = (a.student, t.write::<f32>(&[n, v]));
            a.grad_loss = t.update(vec![0.75f32], &[]);
            (a.grad_scale, a.flags) = (0.3, TRUING_HAS_GRAD_SCALE);
        });
        done += BACKWARD.same(&format!("{what}, backward"), context, |t, a| {
            (a.student, a.teacher) = (b.side(t, 0, i, 0, b.v), b.side(t, 1, 0, 0, b.v));
            fill(&mut a.options);
            b.rows(t, &mut a.rows);
            // without any weight no row counts
            a.row_weight = t.read(&half, &[n]);
            a.grad_student_out = t.write::<f32>(&[n, v]);
            (a.grad_values, a.grad_loss) = (t.read(&b.up, &[n]), t.update(vec![0.75f64], &[]));
            (a.grad_scale, a.flags) = (0.3, TRUING_HAS_GRAD_SCALE);
        });
    }
    done
}
/// A divergence on a few columns: who chooses them, what happens outside, what the teacher's numbers are.
#[derive(Clone, Copy)]
struct Few {
    which: (u32, Option<f64>),
    support: u32,
    outside: u32,
    form: u32,
    k: usize,
    types: [usize; 2],
    /// Factor of the target's term.
    hard: f64,
}
fn few(context: &Given, b: &Batch, x: Few) -> usize {
    let (n, v) = (N as i64, b.v as i64);
    let mut random = Random(x.k as u64 + 3);
    let given = x.support == TRUING_PARTIAL_GIVEN;
    let at_ids = x.form != TRUING_TEACHER_LOGITS;
    // ids that differ, some of them none
    let mut ids: Vec<i64> = vec![];
    for _ in 0..N {
        let first = random.below(b.v.saturating_sub(x.k).max(1));
        ids.extend((0..x.k).map(|k| if k % 7 == 5 { -1 } else { ((first + 3 * k) % b.v) as i64 }));
    }
    let ids = if b.v < 3 * x.k { (0..N * x.k).map(|i| (i % x.k) as i64).collect() } else { ids };
    let numbers: Vec<f32> = (0..N * x.k)
        .map(|_| match x.form {
            TRUING_TEACHER_SAMPLES => random.below(4) as f32,
            TRUING_TEACHER_TOPK_LOGPROBS => -6.0 - 3.0 * random.uniform() as f32,
            _ => random.normal() as f32,
        })
        .collect();
    let bias: Vec<f32> = (0..b.v).map(|j| if j % 7 == 6 { -INF } else { random.normal() as f32 }).collect();
    let temperatures: Vec<f32> = (0..N).map(|i| [1.0, 0.7, 2.5][i % 3]).collect();
    let lse: Vec<f32> = (0..N).map(|_| 8.0 + random.normal() as f32).collect();
    let third = random.normals(N * b.v, 2.0);
    let open = x.outside == TRUING_OUTSIDE_ZERO || x.outside == TRUING_OUTSIDE_RAW;
    let common = |t: &mut Arrays, p: &mut truing_partial, flags: &mut u64| {
        (p.support, p.outside) = (x.support, x.outside);
        if given {
            p.ids = t.read(&ids, &[n, x.k as i64]);
        } else {
            p.k = x.k as i64;
        }
        if x.support == TRUING_PARTIAL_REFERENCE {
            p.reference = t.read(&third, &[n, v]);
        }
        if at_ids {
            p.teacher_values = t.read(&numbers, &[n, x.k as i64]);
        }
        if x.form == TRUING_TEACHER_TOPK_LOGITS {
            p.teacher_lse = t.read(&lse, &[n]);
        }
        if x.outside == TRUING_OUTSIDE_TAIL && x.k % 2 == 0 {
            p.tail_floor = 1e-7;
        }
        if open {
            (p.log_prob_floor, p.value_clamp) = (-7.0, if x.k % 2 == 0 { 2.0 } else { 0.0 });
            *flags |= TRUING_CLAMP_AT_ZERO;
        }
    };
    let what = format!(
        "divergence {:?} on {} columns of {}, support {}, outside {}, teacher {}, hard {}",
        x.which, x.k, b.v, x.support, x.outside, x.form, x.hard
    );
    let hard = |t: &mut Arrays, rows: &mut truing_rows, o: &mut truing_divergence_options| {
        if x.hard != 0.0 {
            (rows.target, o.hard_weight) = (t.read(&b.target, &[n]), x.hard);
            o.hard_scaling = if x.hard < 0.0 { TRUING_SCALING_DFT } else { TRUING_SCALING_NONE };
        }
    };
    let mut done = FORWARD.same(&what, context, |t, a| {
        a.student = b.side(t, 0, x.types[0], 0, b.v);
        if !at_ids {
            a.teacher = b.side(t, 1, x.types[1], 0, b.v);
        }
        options(&mut a.options, &x.which);
        (a.options.teacher_form, a.options.soft_weight) = (x.form, 0.8);
        a.options.aggregate.mode = TRUING_AGGREGATE_TOKEN_MEAN;
        (a.student_transform.temperature, a.student_transform.softcap) = (0.7, 30.0);
        common(t, &mut a.partial, &mut a.flags);
        b.rows(t, &mut a.rows);
        hard(t, &mut a.rows, &mut a.options);
        if x.form == TRUING_TEACHER_TOPK_LOGITS {
            (a.teacher_transform.softcap, a.teacher_transform.n_valid_vocab) = (5.0, v - 9);
            a.teacher_transform.bias = t.read(&bias, &[v]);
            a.teacher_transform.row_temperature = t.read(&temperatures, &[n]);
        }
        a.row_weight = t.read(&b.weight, &[n]);
        let o = &mut a.outputs;
        (o.out_values, o.out_loss) = (t.write::<f32>(&[n]), t.write::<f64>(&[]));
        (o.out_status, o.out_overlap) = (t.write::<u32>(&[n]), t.write::<f32>(&[n]));
        o.out_counters = t.write::<i64>(&[32]);
        let most = if x.support == TRUING_PARTIAL_UNION { 2 * x.k } else { x.k };
        o.out_support_ids = t.write::<i32>(&[n, most as i64]);
        if x.outside != TRUING_OUTSIDE_RENORMALISE {
            (o.out_student_mass, o.out_teacher_mass) = (t.write::<f32>(&[n]), t.write::<f32>(&[n]));
            o.out_overlap_sum = t.write::<f32>(&[n]);
        }
        // in place
        a.grad_student_out = a.student;
    });
    done += BACKWARD.same(&format!("{what}, backward"), context, |t, a| {
        a.student = b.side(t, 0, x.types[0], 0, b.v);
        if !at_ids {
            a.teacher = b.side(t, 1, x.types[1], 0, b.v);
            if !open {
                a.grad_teacher_out = t.write::<f32>(&[n, v]);
            }
        }
        options(&mut a.options, &x.which);
        (a.options.teacher_form, a.flags) = (x.form, TRUING_TEMPERATURE_SQUARED);
        (a.student_transform.temperature, a.student_transform.n_valid_vocab) = (1.7, v - 9);
        common(t, &mut a.partial, &mut a.flags);
        b.rows(t, &mut a.rows);
        hard(t, &mut a.rows, &mut a.options);
        a.grad_values = t.read(&b.up, &[n]);
        a.grad_student_out = t.write::<f32>(&[n, v]);
        a.out_status = t.write::<u32>(&[n]);
    });
    done
}
/// Given columns over shards.
fn few_shards(context: &Given, b: &Batch, cuts: &[usize], which: &(u32, Option<f64>)) -> usize {
    let (n, k, shards, mut done) = (N as i64, 40usize, cuts.len() - 1, 0);
    let starts: Vec<i32> = cuts.iter().map(|&x| x as i32).collect();
    let ids: Vec<i32> =
        (0..N * k).map(|i| if i % 9 == 4 { -1 } else { ((i % k) * (b.v / k) + i / k) as i32 }).collect();
    let what = format!("divergence {which:?} on given columns over shards {cuts:?}");
    let partial = |t: &mut Arrays, p: &mut truing_partial| {
        (p.support, p.outside) = (TRUING_PARTIAL_GIVEN, TRUING_OUTSIDE_RENORMALISE);
        p.ids = t.read(&ids, &[n, k as i64]);
    };
    let mut at_ids = [vec![], vec![]];
    for s in 0..shards {
        let (from, to) = (cuts[s], cuts[s + 1]);
        let fill = |t: &mut Arrays, a: &mut truing_divergence_local_args| {
            (a.student, a.teacher) = (b.side(t, 0, 1, from, to), b.side(t, 1, 2, from, to));
            options(&mut a.options, which);
            a.student_transform.temperature = 0.7;
            b.rows(t, &mut a.rows);
            partial(t, &mut a.partial);
            (a.shard.vocab_start, a.shard.vocab_end) = (from as i64, to as i64);
            (a.shard.vocab_total, a.local_pass) = (b.v as i64, TRUING_LOCAL_RECORDS);
            a.out_student_at_ids = t.write::<f32>(&[n, k as i64]);
            a.out_teacher_at_ids = t.write::<f32>(&[n, k as i64]);
            a.out_status = t.write::<u32>(&[n]);
        };
        done += LOCAL.same(&format!("{what}, shard {s}"), context, fill);
        let out = LOCAL.run(&what, context, false, fill);
        for side in 0..2 {
            at_ids[side].extend(floats(out[2 + side].keys()));
        }
    }
    let fill = |t: &mut Arrays, a: &mut truing_divergence_finish_args| {
        a.student_at_ids = t.read(&at_ids[0], &[shards as i64, n, k as i64]);
        a.teacher_at_ids = t.read(&at_ids[1], &[shards as i64, n, k as i64]);
        a.shard_starts = t.read(&starts, &[shards as i64 + 1]);
        options(&mut a.options, which);
        a.options.aggregate.mode = TRUING_AGGREGATE_TOKEN_SUM;
        b.rows(t, &mut a.rows);
        partial(t, &mut a.partial);
        a.local_pass = TRUING_LOCAL_RECORDS;
        let o = &mut a.outputs;
        (o.out_stats, o.out_status) = (t.write::<f32>(&[n, 16]), t.write::<u32>(&[n]));
        (o.out_values, o.out_loss) = (t.write::<f32>(&[n]), t.write::<f64>(&[]));
    };
    done += FINISH.same(&format!("{what}, finish"), context, fill);
    let saved = floats(FINISH.run(&what, context, false, fill)[0].keys());
    for s in 0..shards {
        let (from, to) = (cuts[s], cuts[s + 1]);
        done += BACKWARD.same(&format!("{what}, gradient of shard {s}"), context, |t, a| {
            (a.student, a.teacher) = (b.side(t, 0, 1, from, to), b.side(t, 1, 2, from, to));
            options(&mut a.options, which);
            a.student_transform.temperature = 0.7;
            b.rows(t, &mut a.rows);
            partial(t, &mut a.partial);
            (a.shard.vocab_start, a.shard.vocab_end) = (from as i64, to as i64);
            a.shard.vocab_total = b.v as i64;
            a.stats = t.read(&saved, &[n, 16]);
            a.grad_values = t.read(&b.up, &[n]);
            (a.grad_student_out, a.grad_teacher_out) = (a.student, t.write::<f32>(&[n, (to - from) as i64]));
            a.out_status = t.write::<u32>(&[n]);
        });
    }
    done
}

pub(super) fn all(few_cases: bool, fewest: bool) -> usize {
    let fast = mode() == Mode::Fast;
    let context =
        Given::new(|o| (o.num_threads, o.mode) = (2, if fast { TRUING_MODE_FAST } else { TRUING_MODE_PORTABLE }));
    let (b, mut done) = (Batch::new(5000), 0);
    for (i, which) in KINDS.iter().enumerate() {
        if fewest && i % 3 != 0 {
            continue;
        }
        // the tree goes on; it does not; a shard that begins and ends inside a block
        let cuts: &[usize] = [&[0, 4096, 5000][..], &[0, 1700, 5000], &[0, 2500, 2600, 5000]][i % 3];
        done += shards(&context, &b, cuts, which, [i % 3, (i + 1) % 3], 0.0);
        done += shards(&context, &b, cuts, which, [(i + 1) % 3, i % 3], [0.4, -0.7][i % 2]);
        if i % 3 == 0 {
            done += few_shards(&context, &b, cuts, which);
        }
    }
    done += reduced(&context, &b);
    let any = [TRUING_PARTIAL_TEACHER, TRUING_PARTIAL_STUDENT, TRUING_PARTIAL_UNION, TRUING_PARTIAL_REFERENCE];
    let mut cases = vec![];
    for (i, which) in KINDS.iter().enumerate() {
        let support = [&any[..], &[TRUING_PARTIAL_GIVEN]].concat()[i % 5];
        for outside in [TRUING_OUTSIDE_RENORMALISE, TRUING_OUTSIDE_TAIL] {
            if which.0 == TRUING_DIVERGENCE_COSINE_LOGITS && outside == TRUING_OUTSIDE_TAIL {
                continue;
            }
            let (form, k) = (TRUING_TEACHER_LOGITS, [1, 33, 64][i % 3]);
            let few = Few { which: *which, support, outside, form, k, types: [(i + 1) % 3, i % 3], hard: 0.0 };
            cases.extend([few, Few { hard: [0.4, -0.7][i % 2], ..few }]);
        }
    }
    let cross = KINDS[9];
    for (i, which) in [KINDS[0], KINDS[1], KINDS[2], cross].into_iter().enumerate() {
        for outside in [TRUING_OUTSIDE_ZERO, TRUING_OUTSIDE_RAW] {
            let (support, form) = ([TRUING_PARTIAL_GIVEN, TRUING_PARTIAL_UNION][i % 2], TRUING_TEACHER_LOGITS);
            let few = Few { which, support, outside, form, k: 20 + i, types: [i % 3, 0], hard: 0.0 };
            cases.extend([few, Few { hard: [-0.7, 0.4][i / 2], ..few }]);
        }
    }
    let at = |which, outside, form, k| {
        let hard = if k % 32 == 0 { 0.5 } else { 0.0 };
        Few { which, support: TRUING_PARTIAL_GIVEN, outside, form, k, types: [1, 0], hard }
    };
    cases.extend([
        at(KINDS[0], TRUING_OUTSIDE_TAIL, TRUING_TEACHER_TOPK_LOGPROBS, 64),
        at(KINDS[3], TRUING_OUTSIDE_RENORMALISE, TRUING_TEACHER_TOPK_LOGITS, 32),
        at(KINDS[1], TRUING_OUTSIDE_ZERO, TRUING_TEACHER_TOPK_LOGPROBS, 31),
        at(cross, TRUING_OUTSIDE_RAW, TRUING_TEACHER_SAMPLES, 16),
        at(KINDS[0], TRUING_OUTSIDE_TAIL, TRUING_TEACHER_TOPK_LOGITS, 33),
        at(KINDS[2], TRUING_OUTSIDE_RAW, TRUING_TEACHER_TOPK_LOGITS, 30),
    ]);
    for (i, x) in cases.into_iter().enumerate() {
        if few_cases && i % 2 != 0 || fewest && i % 4 != 0 {
            continue;
        }
        done += few(&context, &b, x);
    }
    if !few_cases {
        let which = KINDS[0];
        let (support, outside, form) = (TRUING_PARTIAL_UNION, TRUING_OUTSIDE_TAIL, TRUING_TEACHER_LOGITS);
        done +=
            few(&context, &Batch::new(300), Few { which, support, outside, form, k: 512, types: [0, 1], hard: 0.2 });
    }
    done
}
