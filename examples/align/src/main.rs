//! Preference alignment of a real language model on the CPU: hidden states by candle, everything from there to the
//! loss and its gradients by Truing, a low-rank adapter on the head's input trained with Adam.
mod adapter;
mod check;
mod data;
mod head;
mod hidden;
mod model;
mod naive;
mod options;
mod plot;
mod progress;
mod random;
mod report;

use adapter::{Adam, Adapter};
use head::{Head, Loss};
use hidden::{Hash, Rows, cached};
use model::Model;
use options::Options;
use progress::Bar;
use random::Random;
use std::time::Instant;

pub type Error = Box<dyn std::error::Error + Send + Sync>;
pub type Result<T> = std::result::Result<T, Error>;

const MODEL: &str = "SmolLM2-135M-Instruct.Q4_1.gguf";

fn main() {
    let run = || {
        let options = options::parse(std::env::args().skip(1))?;
        if options.help {
            print!("{}", options::HELP);
            return Ok(());
        }
        // candle's products run in the pool that calls them.
        rayon::ThreadPoolBuilder::new().num_threads(options.threads).build()?.install(|| align(&options))
    };
    if let Err(e) = run() {
        eprintln!("align: {e}");
        std::process::exit(1);
    }
}

/// All pairs as rows: first the training pairs, then the held-out ones, chosen and rejected in turn.
struct Material {
    rows: Rows,
    /// Log-prob of every sequence under the untrained model.
    reference: Vec<f64>,
    train: usize,
}

impl Material {
    fn sequences(pairs: impl IntoIterator<Item = usize>) -> impl Iterator<Item = usize> {
        pairs.into_iter().flat_map(|p| [2 * p, 2 * p + 1])
    }

    /// Some pairs with their reference.
    fn select(&self, pairs: impl IntoIterator<Item = usize> + Clone) -> (Rows, Vec<f64>) {
        let reference = Material::sequences(pairs.clone()).map(|s| self.reference[s]).collect();
        (self.rows.select(Material::sequences(pairs)), reference)
    }

    fn held_out(&self) -> (Rows, Vec<f64>) {
        self.select(self.train..self.reference.len() / 2)
    }
}

fn align(o: &Options) -> Result<()> {
    let started = Instant::now();
    let mut loss = Loss::new(&o.loss, o.beta)?;
    let (head, material) = prepare(o)?;
    progress::reset_peak();
    let (adapter, curves) = train(o, &head, &material, &mut loss)?;
    let (held, reference) = material.held_out();
    let adapted = Rows { hidden: adapter.forward(&held.hidden), ..held };
    let scores = head.scores(&adapted)?;
    report::held_out(&adapted, &reference, &scores, &loss);
    report::curves(o, &curves)?;
    let sample = material.select(0..material.train.min(4));
    let sample = (Rows { hidden: adapter.forward(&sample.0.hidden), ..sample.0 }, sample.1);
    report::against_naive(&head, &sample.0, &sample.1, &loss)?;
    println!("total      {:.0} s", started.elapsed().as_secs_f64());
    Ok(())
}

/// Model, check, pairs, hidden states, reference.
fn prepare(o: &Options) -> Result<(Head, Material)> {
    let path = o.model.clone().unwrap_or_else(|| o.cache.join(MODEL));
    let model = Model::load(&path)?;
    let (weight, vocab, width) = model.head()?;
    println!("model      {} ({vocab} tokens, width {width}, {} threads)", path.display(), o.threads);
    let head = Head::new(weight, vocab, width, o.threads)?;
    match &o.model {
        None => check::compare(&model, &head)?,
        Some(_) => println!("check      left out: the stored values belong to {MODEL}"),
    }
    let pairs = match &o.pairs {
        Some(file) => data::read(file, o.seed)?,
        None => data::rated(&o.cache, &model.tokens, o.seed)?,
    };
    let (train, held_out) = (pairs.train.len(), pairs.held_out.len());
    println!("pairs      {train} to train on, {held_out} held out, of {}", pairs.origin);
    let sequences = data::tokenize(&[pairs.train, pairs.held_out].concat(), &model.tokens, model.context)?;
    let mut key = Hash::new();
    key.add(&std::fs::read(&path)?).add(include_bytes!("model.rs")).add(include_bytes!("hidden.rs"));
    sequences.iter().for_each(|s| s.hash(&mut key));
    let (clock, mut how) = (Instant::now(), "from the cache".to_string());
    let bytes = cached(&o.cache, "hidden", key.0, || {
        let (hidden, speed) = hidden::compute(&model, &sequences)?;
        how = format!("{speed:.0} tokens/s through the layers");
        Ok(hidden.iter().flat_map(|x| x.to_le_bytes()).collect())
    })?;
    drop(model);
    let rows =
        Rows::new(&sequences, bytes.chunks_exact(4).map(|b| f32::from_le_bytes(b.try_into().unwrap())).collect());
    println!("hidden     {} scored tokens, {how} ({:.1} s)", rows.targets.len(), clock.elapsed().as_secs_f64());
    key.add(include_bytes!("head.rs"));
    let (clock, mut how) = (Instant::now(), "from the cache".to_string());
    let bytes = cached(&o.cache, "reference", key.0, || {
        let scores = head.scores(&rows)?;
        how = format!("{:.0} tokens/s through the head", rows.targets.len() as f64 / clock.elapsed().as_secs_f64());
        Ok(scores.iter().flat_map(|x| x.to_le_bytes()).collect())
    })?;
    let reference = bytes.chunks_exact(8).map(|b| f64::from_le_bytes(b.try_into().unwrap())).collect();
    println!("reference  {how} ({:.1} s)", clock.elapsed().as_secs_f64());
    Ok((head, Material { rows, reference, train }))
}

/// What a run went through, a number a step.
#[derive(Default)]
pub struct Curves {
    loss: Vec<f64>,
    margin: Vec<f64>,
    accuracy: Vec<f64>,
}

fn train(o: &Options, head: &Head, material: &Material, loss: &mut Loss) -> Result<(Adapter, Curves)> {
    let mut random = Random::new(o.seed);
    let mut adapter = Adapter::new(head.width, o.rank, &mut random);
    let (mut adam_a, mut adam_b) = (Adam::new(adapter.a.len()), Adam::new(adapter.b.len()));
    let (mut curves, mut order) = (Curves::default(), Vec::new());
    println!("training   {} with {}, rank {}, {} pairs a step", loss.info.about.name, loss.settings(), o.rank, o.batch);
    let bar = Bar::new("training", o.steps);
    for step in 1..=o.steps {
        let clock = Instant::now();
        let mut batch = Vec::new();
        while batch.len() < o.batch.min(material.train) {
            if order.is_empty() {
                order = (0..material.train).collect();
                random.shuffle(&mut order);
            }
            batch.extend(order.pop());
        }
        let (plain, reference) = material.select(batch);
        let adapted = Rows { hidden: adapter.forward(&plain.hidden), ..plain.clone() };
        let out = head.step(&adapted, &reference, loss)?;
        if !out.loss.is_finite() {
            return Err(format!("the loss became {} at step {step}; try a smaller --lr", out.loss).into());
        }
        let (grad_a, grad_b) = adapter.backward(&plain.hidden, &out.grad_hidden);
        adam_a.step(o.lr as f32, &mut adapter.a, &grad_a);
        adam_b.step(o.lr as f32, &mut adapter.b, &grad_b);
        // KTO's baseline: the mean log ratio of the batch before, at least 0.
        let ratios = out.scores.iter().zip(&reference).map(|(s, r)| s - r).sum::<f64>();
        loss.baseline = (ratios / reference.len() as f64).max(0.0);
        let pairs = out.rewards.len() as f64 / 2.0;
        curves.loss.push(out.loss);
        curves.margin.push(out.rewards.chunks(2).map(|r| r[0] - r[1]).sum::<f64>() / pairs);
        // A tie, as all are before the first step, is half right.
        let right = |r: &[f64]| ((r[0] > r[1]) as u8 + (r[0] >= r[1]) as u8) as f64 / 2.0;
        curves.accuracy.push(out.rewards.chunks(2).map(right).sum::<f64>() / pairs);
        bar.clear();
        println!(
            "step {step:>3}/{}  loss {:.4}  margin {:+.3}  accuracy {:3.0} %  {:.0} tokens/s  peak {}",
            o.steps,
            out.loss,
            curves.margin[step - 1],
            100.0 * curves.accuracy[step - 1],
            plain.targets.len() as f64 / clock.elapsed().as_secs_f64(),
            progress::peak()
        );
        bar.add(1);
    }
    Ok((adapter, curves))
}
