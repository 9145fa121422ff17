//! What is trained: `h' = h + (h A) B` with A `[width, rank]` and B `[rank, width]`, and its optimiser (Adam).
use crate::random::Random;

pub struct Adapter {
    width: usize,
    rank: usize,
    pub a: Vec<f32>,
    pub b: Vec<f32>,
}

impl Adapter {
    /// A random, B zero: the untrained adapter changes nothing.
    pub fn new(width: usize, rank: usize, random: &mut Random) -> Adapter {
        let scale = 1.0 / (width as f64).sqrt();
        let a = (0..width * rank).map(|_| (scale * random.normal()) as f32).collect();
        Adapter { width, rank, a, b: vec![0.0; rank * width] }
    }

    /// `h A`, `[rank]` numbers a row.
    fn down(&self, hidden: &[f32]) -> Vec<f32> {
        let mut low = vec![0.0; hidden.len() / self.width * self.rank];
        for (h, low) in hidden.chunks_exact(self.width).zip(low.chunks_exact_mut(self.rank)) {
            for (x, a) in h.iter().zip(self.a.chunks_exact(self.rank)) {
                add_scaled(low, *x, a);
            }
        }
        low
    }

    pub fn forward(&self, hidden: &[f32]) -> Vec<f32> {
        let mut out = hidden.to_vec();
        for (out, low) in out.chunks_exact_mut(self.width).zip(self.down(hidden).chunks_exact(self.rank)) {
            for (x, b) in low.iter().zip(self.b.chunks_exact(self.width)) {
                add_scaled(out, *x, b);
            }
        }
        out
    }

    /// Gradients of A and B from the gradient of `h'`.
    pub fn backward(&self, hidden: &[f32], grad: &[f32]) -> (Vec<f32>, Vec<f32>) {
        let (mut grad_a, mut grad_b) = (vec![0.0; self.a.len()], vec![0.0; self.b.len()]);
        let low = self.down(hidden);
        let rows = hidden.chunks_exact(self.width).zip(grad.chunks_exact(self.width)).zip(low.chunks_exact(self.rank));
        for ((h, g), low) in rows {
            let mut grad_low = vec![0.0; self.rank];
            for r in 0..self.rank {
                let span = r * self.width..(r + 1) * self.width;
                add_scaled(&mut grad_b[span.clone()], low[r], g);
                grad_low[r] = self.b[span].iter().zip(g).map(|(b, g)| b * g).sum();
            }
            for (x, row) in h.iter().zip(grad_a.chunks_exact_mut(self.rank)) {
                add_scaled(row, *x, &grad_low);
            }
        }
        (grad_a, grad_b)
    }
}

fn add_scaled(out: &mut [f32], scale: f32, x: &[f32]) {
    for (o, x) in out.iter_mut().zip(x) {
        *o += scale * x;
    }
}

/// Adam (Kingma and Ba 2015) over one parameter array.
pub struct Adam {
    first: Vec<f32>,
    second: Vec<f32>,
    steps: i32,
}

impl Adam {
    pub fn new(len: usize) -> Adam {
        Adam { first: vec![0.0; len], second: vec![0.0; len], steps: 0 }
    }
    pub fn step(&mut self, lr: f32, param: &mut [f32], grad: &[f32]) {
        const B1: f32 = 0.9;
        const B2: f32 = 0.99;
        self.steps += 1;
        let (c1, c2) = (1.0 - B1.powi(self.steps), 1.0 - B2.powi(self.steps));
        let moments = self.first.iter_mut().zip(&mut self.second);
        for ((p, g), (m, v)) in param.iter_mut().zip(grad).zip(moments) {
            *m = B1 * *m + (1.0 - B1) * g;
            *v = B2 * *v + (1.0 - B2) * g * g;
            *p -= lr * (*m / c1) / ((*v / c2).sqrt() + 1e-12);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const WIDTH: usize = 5;

    fn example() -> (Adapter, Vec<f32>, Vec<f32>) {
        let mut random = Random::new(3);
        let mut adapter = Adapter::new(WIDTH, 2, &mut random);
        let mut draw = |n: usize| (0..n).map(|_| random.normal() as f32).collect::<Vec<_>>();
        adapter.b = draw(2 * WIDTH);
        let (hidden, grad) = (draw(3 * WIDTH), draw(3 * WIDTH));
        (adapter, hidden, grad)
    }

    #[test]
    fn an_untrained_adapter_changes_nothing() {
        let (_, hidden, _) = example();
        assert_eq!(Adapter::new(WIDTH, 2, &mut Random::new(1)).forward(&hidden), hidden);
    }

    #[test]
    fn gradients_agree_with_finite_differences() {
        let (mut adapter, hidden, grad) = example();
        let (grad_a, grad_b) = adapter.backward(&hidden, &grad);
        let value = |adapter: &Adapter| -> f64 {
            adapter.forward(&hidden).iter().zip(&grad).map(|(h, g)| *h as f64 * *g as f64).sum()
        };
        // The adapter is linear in A and in B, so a difference quotient has no error but rounding's.
        let step = 0.5;
        for (i, want) in grad_a.iter().enumerate() {
            let (before, kept) = (value(&adapter), adapter.a[i]);
            adapter.a[i] += step;
            let got = (value(&adapter) - before) / step as f64;
            adapter.a[i] = kept;
            assert!((got - *want as f64).abs() < 1e-4, "A {i}: {got} {want}");
        }
        for (i, want) in grad_b.iter().enumerate() {
            let (before, kept) = (value(&adapter), adapter.b[i]);
            adapter.b[i] += step;
            let got = (value(&adapter) - before) / step as f64;
            adapter.b[i] = kept;
            assert!((got - *want as f64).abs() < 1e-4, "B {i}: {got} {want}");
        }
    }

    #[test]
    fn adam_steps_by_the_rate_at_first_and_downhill() {
        let (mut adam, mut p) = (Adam::new(2), [1.0, 1.0]);
        adam.step(0.1, &mut p, &[1e-3, -50.0]);
        assert!((p[0] - 0.9).abs() < 1e-5 && (p[1] - 1.1).abs() < 1e-5, "{p:?}");
    }
}
