//! Joint records of neighbouring blocks, joined side by side: one pair of them waits for its own results most of the time.
use crate::lanes::Sixteen;
use truing_core::divergence::{Form, Halves, Joint};
use truing_core::real::Real;
use truing_core::record::{Node, Tree};

/// Records that wait for each other; a power of two, at most twice the lanes.
const WAIT: usize = 16;
/// A tree of joint records that takes its leaves in batches.
pub(crate) struct Joining {
    tree: Tree<Joint>,
    wait: [Joint; WAIT],
    n: usize,
    form: Form,
    /// Runs of leaves may be joined side by side.
    batches: bool,
}
impl Joining {
    /// `moments`: the records have means of weights.
    #[inline(always)]
    pub(crate) fn new(form: &Form, moments: bool) -> Joining {
        let batches = !moments && !matches!(form, Form::Power { .. });
        Joining { tree: Tree::new(), wait: [Joint::EMPTY; WAIT], n: 0, form: *form, batches }
    }
    /// The next record; whether those that wait are to be joined now.
    #[inline(always)]
    pub(crate) fn push(&mut self, x: Joint) -> bool {
        self.wait[self.n] = x;
        self.n += 1;
        self.n == WAIT
    }
    /// Joins those that wait.
    #[inline(always)]
    pub(crate) fn one_by_one(&mut self) {
        for x in &self.wait[..self.n] {
            self.tree.push(*x);
        }
        self.n = 0;
    }
    /// The same, with the instruction set at hand: a merge is some hundred multiply-adds.
    #[inline(never)]
    pub(crate) fn side_by_side<S: Sixteen>(&mut self, s: S) {
        s.enter(
            #[inline(always)]
            || {
                if !self.batches {
                    return self.one_by_one();
                }
                let mut from = 0;
                while from < self.n {
                    let level = (self.n - from).ilog2();
                    let run = &mut self.wait[from..from + (1 << level)];
                    from += run.len();
                    // a pair is no faster in lanes
                    if level > 1 && run.iter().all(ordinary) {
                        join(s, &self.form, run);
                        self.tree.push_run(run[0], level);
                    } else {
                        for x in run {
                            self.tree.push(*x);
                        }
                    }
                }
                self.n = 0;
            },
        )
    }
    /// The record of all of them; none may wait.
    #[inline(always)]
    pub(crate) fn finish(self) -> Joint {
        debug_assert!(self.n == 0);
        self.tree.finish()
    }
}
/// Live on both sides, nothing bad.
#[inline(always)]
fn ordinary(x: &Joint) -> bool {
    let [a, b] = &x.sides;
    !a.poisoned() && !b.poisoned() && a.m > f32::NEG_INFINITY && b.m > f32::NEG_INFINITY
}
/// [`Joint::merge`] of `run`, a power of two of them, into the first: level by level, a pair a lane.
#[inline(always)]
fn join<S: Sixteen>(s: S, form: &Form, run: &mut [Joint]) {
    let (mut n, mut log) = (run.len(), [[0.0; WAIT]; 2]);
    logs(s, run, &mut log);
    while n > 1 {
        n /= 2;
        let mut x = [[0.0; 8]; 14];
        for i in 0..n {
            let pair = [run[2 * i], run[2 * i + 1]];
            for (half, of) in pair.iter().enumerate() {
                for side in 0..2 {
                    x[2 * half + side][i] = of.sides[side].m as f64;
                    x[4 + 2 * half + side][i] = of.value[side] as f64;
                    x[8 + 2 * half + side][i] = log[side][2 * i + half];
                }
                x[12 + half][i] = of.gamma as f64;
            }
            let [p, q] = pair.map(|x| x.sides);
            run[i] = Joint::of_sides(form, [p[0].merge(q[0]), p[1].merge(q[1])], [f32::NEG_INFINITY; 2]);
        }
        logs(s, &run[..n], &mut log);
        let mut top = [[0.0; 8]; 2];
        for (i, x) in run[..n].iter().enumerate() {
            (top[0][i], top[1][i]) = (x.sides[0].m as f64, x.sides[1].m as f64);
        }
        let mut v = [s.load_f64(&x[0]); 14];
        for i in 1..14 {
            v[i] = s.load_f64(&x[i]);
        }
        let [a0, b0, a1, b1, va0, vb0, va1, vb1, la0, lb0, la1, lb1, g0, g1] = v;
        let halves = Halves {
            m: [[a0, b0], [a1, b1]],
            top: [s.load_f64(&top[0]), s.load_f64(&top[1])],
            log: [[la0, lb0], [la1, lb1]],
            all: [s.load_f64(&log[0].as_chunks().0[0]), s.load_f64(&log[1].as_chunks().0[0])],
            gamma: [g0, g1],
            value: [[va0, vb0], [va1, vb1]],
        };
        let (gamma, value) = halves.join(form);
        let mut out = [[0.0; 8]; 3];
        s.store_f64(gamma, &mut out[0]);
        s.store_f64(value[0], &mut out[1]);
        s.store_f64(value[1], &mut out[2]);
        for (i, x) in run[..n].iter_mut().enumerate() {
            x.gamma = out[0][i] as f32;
            x.value = [out[1][i] as f32, out[2][i] as f32];
        }
    }
}
/// [`truing_core::record::Record::log_sum`] of both sides.
#[inline(always)]
fn logs<S: Sixteen>(s: S, run: &[Joint], log: &mut [[f64; WAIT]; 2]) {
    for side in 0..2 {
        for (x, log) in run.iter().zip(&mut log[side]) {
            *log = x.sides[side].r as f64;
        }
        for x in &mut log[side].as_chunks_mut::<8>().0[..run.len().div_ceil(8)] {
            let v = s.load_f64(x).log1p();
            s.store_f64(v, x);
        }
    }
}
