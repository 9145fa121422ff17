//! The command line.
use crate::Result;
use std::path::PathBuf;

pub const HELP: &str = "\
Aligns a language model on preference pairs, on the CPU: trains a low-rank adapter on the head's input.

  --pairs FILE     own pairs: JSON lines with prompt, chosen, rejected (strings or chat messages)
  --loss NAME      pair loss of the catalogue (default dpo); an unknown name lists them
  --beta X         strength of the loss (default 0.1 or the loss's own)
  --steps N        optimiser steps (default 32)
  --batch N        pairs a step (default 16)
  --rank N         rank of the adapter (default 8)
  --lr X           learning rate of Adam (default 0.002)
  --seed N         decides the split, the batches and the adapter's start (default 1)
  --threads N      threads (default: one a core)
  --model GGUF     another SmolLM2 model file
  --cache DIR      where packages, hidden states and the picture lie (default .cache)
";

pub struct Options {
    pub pairs: Option<PathBuf>,
    pub loss: String,
    pub beta: Option<f64>,
    pub steps: usize,
    pub batch: usize,
    pub rank: usize,
    pub lr: f64,
    pub seed: u64,
    pub threads: usize,
    pub model: Option<PathBuf>,
    pub cache: PathBuf,
    pub help: bool,
}

pub fn parse(arguments: impl IntoIterator<Item = String>) -> Result<Options> {
    let mut o = Options {
        pairs: None,
        loss: "dpo".into(),
        beta: None,
        steps: 32,
        batch: 16,
        rank: 8,
        lr: 0.002,
        seed: 1,
        threads: std::thread::available_parallelism().map_or(1, |n| n.get()),
        model: None,
        cache: ".cache".into(),
        help: false,
    };
    let mut arguments = arguments.into_iter();
    while let Some(argument) = arguments.next() {
        let (name, inline) = match argument.split_once('=') {
            Some((name, value)) => (name.to_string(), Some(value.to_string())),
            None => (argument, None),
        };
        if matches!(name.as_str(), "--help" | "-h") {
            o.help = true;
            continue;
        }
        let mut value = || inline.clone().or_else(|| arguments.next()).ok_or_else(|| format!("{name} needs a value"));
        match name.as_str() {
            "--pairs" => o.pairs = Some(value()?.into()),
            "--loss" => o.loss = value()?,
            "--beta" => o.beta = Some(number(&name, &value()?)?),
            "--steps" => o.steps = positive(&name, &value()?)?,
            "--batch" => o.batch = positive(&name, &value()?)?,
            "--rank" => o.rank = positive(&name, &value()?)?,
            "--lr" => o.lr = number(&name, &value()?)?,
            "--seed" => o.seed = number(&name, &value()?)?,
            "--threads" => o.threads = positive(&name, &value()?)?,
            "--model" => o.model = Some(value()?.into()),
            "--cache" => o.cache = value()?.into(),
            _ => return Err(format!("unknown option {name}; --help lists them").into()),
        }
    }
    Ok(o)
}

fn number<T: std::str::FromStr>(name: &str, text: &str) -> Result<T> {
    text.parse().map_err(|_| format!("{name}: `{text}` is not a number of the right kind").into())
}

fn positive(name: &str, text: &str) -> Result<usize> {
    match number(name, text)? {
        0 => Err(format!("{name} must be at least 1").into()),
        n => Ok(n),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn run(words: &[&str]) -> Result<Options> {
        parse(words.iter().map(|w| w.to_string()))
    }

    #[test]
    fn both_spellings_of_a_value_are_read() {
        let o = run(&["--steps", "3", "--beta=0.5", "--pairs", "p.jsonl"]).unwrap();
        assert_eq!((o.steps, o.beta, o.pairs), (3, Some(0.5), Some("p.jsonl".into())));
    }

    #[test]
    fn wrong_options_are_named() {
        let error = |words: &[&str]| run(words).err().unwrap().to_string();
        assert_eq!(error(&["--stepz", "3"]), "unknown option --stepz; --help lists them");
        assert_eq!(error(&["--steps"]), "--steps needs a value");
        assert_eq!(error(&["--steps", "0"]), "--steps must be at least 1");
        assert_eq!(error(&["--beta", "x"]), "--beta: `x` is not a number of the right kind");
    }
}
