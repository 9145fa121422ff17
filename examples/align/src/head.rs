//! From hidden states to loss and gradients: the part that Truing does. No logits are in memory.
use crate::Result;
use crate::hidden::Rows;
use truing::core::catalog::{self, Info, Kind, slot};
use truing::core::linear_preference::{Inputs, Options, Outputs, Phase, Problem};
use truing::core::matrix::{Arena, Floats, FloatsMut, Ints, Matrix, MatrixMut};
use truing::core::preference::{Groups, Items, Labels, Term};
use truing::core::sequence::Segments;
use truing::cpu::linear_logprob::Grads;
use truing::cpu::{Context, ContextOptions, linear_preference};

/// An entry of the catalogue with its settings.
pub struct Loss {
    pub info: &'static Info,
    pub params: Vec<f64>,
    /// KTO's estimate of the KL to the reference.
    pub baseline: f64,
}

impl Loss {
    /// What pairs alone can feed: no KL, no third answer, no targets, no true rewards, no parameter without a default but beta.
    const FED: u64 = slot::LOGP | slot::REF | slot::LENGTH | slot::MARGIN | slot::BETA | slot::LABEL | slot::BASELINE;

    fn fits(info: &Info) -> bool {
        let sequences = matches!(info.kind, Kind::Pair | Kind::Unpaired | Kind::List);
        // an unpaired loss that does not ask which answer was preferred learns nothing of pairs
        let sides = info.kind != Kind::Unpaired || info.about.reads(slot::LABEL);
        let margins = !info.about.reads(slot::MARGIN) || info.about.margins.iter().all(|m| !m.is_nan());
        let params = info.params.iter().all(|p| p.name == "beta" || !p.default.is_nan());
        sequences && sides && info.about.inputs & !Loss::FED == 0 && margins && params
    }

    /// All that can be asked for.
    pub fn names() -> Vec<&'static str> {
        catalog::ALL.iter().filter(|i| Loss::fits(i)).map(|i| i.about.name).collect()
    }

    /// `beta` replaces the entry's own default.
    pub fn new(name: &str, beta: Option<f64>) -> Result<Loss> {
        let named = |i: &&Info| i.about.name == name || i.about.aliases.contains(&name);
        let info = catalog::ALL
            .iter()
            .filter(|i| Loss::fits(i))
            .find(named)
            .ok_or_else(|| format!("--loss {name}: pairs feed {}", Loss::names().join(", ")))?;
        let mut params: Vec<f64> = info.params.iter().map(|p| p.default).collect();
        if let Some(beta) = beta {
            let at =
                info.params.iter().position(|p| p.name == "beta").ok_or_else(|| format!("--beta: {name} has none"))?;
            params[at] = beta;
        }
        for (param, value) in info.params.iter().zip(&params) {
            param.check(*value).map_err(|e| format!("--loss {name}: {e}"))?;
        }
        Ok(Loss { info, params, baseline: 0.0 })
    }

    pub fn has_reference(&self) -> bool {
        self.info.about.reads(slot::REF)
    }

    /// `beta 0.1, ...`
    pub fn settings(&self) -> String {
        let one = |(p, v): (&catalog::Param, &f64)| format!("{} {v}", p.name);
        self.info.params.iter().zip(&self.params).map(one).collect::<Vec<_>>().join(", ")
    }
}

impl Loss {
    /// Hands `f` what asks for the mean of this loss over `s` sequences: chosen, rejected, chosen, rejected ...
    pub fn pose<T>(&self, s: usize, f: impl FnOnce(Items, &[Term], Groups) -> T) -> T {
        // the first where there are several
        let variant = !self.info.about.variants.is_empty() as u32;
        let terms = [Term { id: self.info.about.id, variant, params: &self.params, ..Term::default() }];
        let labels: Vec<u8> = (0..s).map(|i| (i % 2 == 0) as u8).collect();
        let offsets: Vec<i32> = (0..=s as i32).step_by(2).collect();
        let baseline = [self.baseline];
        let mut groups = Groups::default();
        let items = match self.info.kind {
            Kind::Pair => Items::Interleaved,
            Kind::Unpaired => {
                groups.label = Some(Labels::U8(Matrix::vector(&labels)));
                let reads = self.info.about.reads(slot::BASELINE);
                groups.baseline = reads.then_some(Floats::F64(Matrix::vector(&baseline)));
                Items::Rows
            }
            _ => Items::Lists { offsets: Ints::I32(Matrix::vector(&offsets)), members: None },
        };
        f(items, &terms, groups)
    }
}

/// The output head: `[vocab, width]` row by row.
pub struct Head {
    context: Context,
    pub weight: Vec<f32>,
    pub vocab: usize,
    pub width: usize,
}

pub struct Step {
    pub loss: f64,
    /// Log-prob of every sequence.
    pub scores: Vec<f64>,
    /// Rewards as the loss sees them: chosen, rejected, chosen, rejected ...
    pub rewards: Vec<f64>,
    /// Gradient of the loss with respect to the hidden states.
    pub grad_hidden: Vec<f32>,
}

impl Head {
    pub fn new(weight: Vec<f32>, vocab: usize, width: usize, threads: usize) -> Result<Head> {
        let context = Context::new(ContextOptions { threads, ..ContextOptions::default() })?;
        Ok(Head { context, weight, vocab, width })
    }

    /// Log-prob of every sequence: the sum over its tokens.
    pub fn scores(&self, rows: &Rows) -> Result<Vec<f64>> {
        let mut scores = vec![0.0; rows.cu_seqlens.len() - 1];
        let out = Outputs { scores: Some(MatrixMut::vector(&mut scores)), ..Outputs::default() };
        let options = Options { phase: Phase::Figures, ..Options::default() };
        self.call(rows, Items::Rows, &[], options, None, Groups::default(), out, Grads::default())?;
        Ok(scores)
    }

    /// Loss and gradient of a batch of pairs; sequences are chosen, rejected, chosen, rejected ...
    pub fn step(&self, rows: &Rows, reference: &[f64], loss: &Loss) -> Result<Step> {
        let s = reference.len();
        let pairs = loss.info.kind == Kind::Pair;
        let (mut value, mut scores, mut first) = ([0.0f64], vec![0.0; s], vec![0.0f64; if pairs { s / 2 } else { s }]);
        let (mut second, mut grad_hidden) = (vec![0.0f64; s / 2], vec![0.0; rows.hidden.len()]);
        let mut out = Outputs { scores: Some(MatrixMut::vector(&mut scores)), ..Outputs::default() };
        out.preference.loss = Some(FloatsMut::F64(MatrixMut::vector(&mut value)));
        out.preference.reward_chosen = Some(FloatsMut::F64(MatrixMut::vector(&mut first)));
        if pairs {
            out.preference.reward_rejected = Some(FloatsMut::F64(MatrixMut::vector(&mut second)));
        }
        let place = MatrixMut::contiguous(&mut grad_hidden, rows.targets.len(), self.width)?;
        let grads = Grads { hidden: Some(FloatsMut::F32(place)), ..Grads::default() };
        let reference = loss.has_reference().then_some(reference);
        loss.pose(s, |items, terms, groups| {
            self.call(rows, items, terms, Options::default(), reference, groups, out, grads)
        })?;
        let rewards = if pairs { first.iter().zip(&second).flat_map(|(c, r)| [*c, *r]).collect() } else { first };
        Ok(Step { loss: value[0], scores, rewards, grad_hidden })
    }

    #[allow(clippy::too_many_arguments)]
    fn call(
        &self,
        rows: &Rows,
        items: Items,
        terms: &[Term],
        options: Options,
        reference: Option<&[f64]>,
        groups: Groups,
        out: Outputs,
        grads: Grads,
    ) -> Result<()> {
        let n = rows.targets.len();
        let segments = Segments::Packed(Ints::I32(Matrix::vector(&rows.cu_seqlens)));
        let problem = Problem::new([n, self.width, self.vocab], segments, items, terms, options)?;
        let hidden = Floats::F32(Matrix::contiguous(&rows.hidden, n, self.width)?);
        let weight = Floats::F32(Matrix::contiguous(&self.weight, self.vocab, self.width)?);
        let mut inputs = Inputs::new(hidden, weight, Ints::I32(Matrix::vector(&rows.targets)));
        inputs.ref_scores = reference.map(|r| Floats::F64(Matrix::vector(r)));
        inputs.groups = groups;
        let need = linear_preference::workspace(&self.context, &problem, hidden.dtype(), weight.dtype()).preferred;
        with_workspace(need, |space| {
            Ok(linear_preference::forward(&self.context, &problem, &inputs, out, grads, space)?)
        })
    }
}

/// Hands `f` so many bytes, aligned as the library wants them.
pub fn with_workspace<T>(need: usize, f: impl FnOnce(&mut [u8]) -> T) -> T {
    let mut bytes = vec![0u8; need + Arena::ALIGN];
    let start = bytes.as_ptr().align_offset(Arena::ALIGN);
    f(&mut bytes[start..start + need])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_loss_is_found_by_name_and_the_rest_is_refused() {
        assert_eq!(Loss::new("dpo", Some(0.5)).unwrap().params[0], 0.5);
        for name in ["tdpo1", "ppo_clip", "k3", "nothing"] {
            let e = Loss::new(name, None).err().unwrap().to_string();
            assert!(e.contains("dpo, ipo") && e.contains("plackett_luce"), "{e}");
        }
        assert!(Loss::new("dpo", Some(-1.0)).is_err());
    }
}
