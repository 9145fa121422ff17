//! Final hidden states of every scored token, computed once and kept on disk.
use crate::Result;
use crate::data::Sequence;
use crate::model::Model;
use crate::progress::Bar;
use rayon::prelude::*;
use std::path::Path;
use std::sync::atomic::{AtomicUsize, Ordering};

/// Rows in a row: the hidden state that predicts each scored token, sequence after sequence.
#[derive(Clone, Default)]
pub struct Rows {
    pub hidden: Vec<f32>,
    pub targets: Vec<i32>,
    /// Sequence s has rows `cu_seqlens[s] .. cu_seqlens[s + 1]`.
    pub cu_seqlens: Vec<i32>,
}

impl Rows {
    pub fn new(sequences: &[Sequence], hidden: Vec<f32>) -> Rows {
        let mut rows = Rows { hidden, targets: Vec::new(), cu_seqlens: vec![0] };
        for s in sequences {
            rows.targets.extend(s.completion().iter().map(|&id| id as i32));
            rows.cu_seqlens.push(rows.targets.len() as i32);
        }
        rows
    }

    /// The rows of some sequences, copied together.
    pub fn select(&self, sequences: impl IntoIterator<Item = usize>) -> Rows {
        let width = self.hidden.len() / self.targets.len();
        let mut out = Rows { cu_seqlens: vec![0], ..Rows::default() };
        for s in sequences {
            let rows = self.cu_seqlens[s] as usize..self.cu_seqlens[s + 1] as usize;
            out.hidden.extend_from_slice(&self.hidden[rows.start * width..rows.end * width]);
            out.targets.extend_from_slice(&self.targets[rows]);
            out.cu_seqlens.push(out.targets.len() as i32);
        }
        out
    }
}

/// Hidden states of all rows, and how many tokens ran through the layers per second.
pub fn compute(model: &Model, sequences: &[Sequence]) -> Result<(Vec<f32>, f64)> {
    /// Tokens of one batch, padding included: enough for a full-speed product, small enough for the caches.
    const BATCH_TOKENS: usize = 384;
    let mut order: Vec<usize> = (0..sequences.len()).collect();
    // Neighbours share a prompt, then a length: little to repeat and little to pad.
    order.sort_by_key(|&i| (sequences[i].prompt(), sequences[i].scored));
    let mut batches: Vec<Vec<usize>> = Vec::new();
    for i in order {
        let s = &sequences[i];
        let fits = batches.last().is_some_and(|b| {
            let first = &sequences[b[0]];
            first.prompt() == s.prompt() && (b.len() + 1) * s.scored.max(first.scored) <= BATCH_TOKENS
        });
        match batches.last_mut() {
            Some(batch) if fits => batch.push(i),
            _ => batches.push(vec![i]),
        }
    }
    let ran = AtomicUsize::new(0);
    let bar = Bar::new("hidden states", sequences.len());
    let started = std::time::Instant::now();
    let parts: Vec<Vec<(usize, Vec<f32>)>> = batches
        .par_iter()
        .map(|batch| {
            let ids: Vec<&[u32]> = batch.iter().map(|&i| sequences[i].ids.as_slice()).collect();
            let wanted = batch.iter().map(|&i| sequences[i].prompt().len() - 1).min().unwrap_or(0);
            let (hidden, first) = model.hidden(&ids, wanted)?;
            let mut out = Vec::new();
            for (k, &i) in batch.iter().enumerate() {
                let s = &sequences[i];
                let from = s.prompt().len() - 1 - first;
                out.push((i, hidden.get(k)?.narrow(0, from, s.scored)?.flatten_all()?.to_vec1()?));
                ran.fetch_add(s.ids.len() - first, Ordering::Relaxed);
            }
            ran.fetch_add(first, Ordering::Relaxed);
            bar.add(batch.len());
            Ok(out)
        })
        .collect::<Result<_>>()?;
    let mut by_sequence = vec![Vec::new(); sequences.len()];
    for (i, hidden) in parts.into_iter().flatten() {
        by_sequence[i] = hidden;
    }
    Ok((by_sequence.concat(), ran.into_inner() as f64 / started.elapsed().as_secs_f64()))
}

/// The file `<kind>-<key>.bin`, or its contents made and written.
pub fn cached(cache: &Path, kind: &str, key: u64, make: impl FnOnce() -> Result<Vec<u8>>) -> Result<Vec<u8>> {
    let path = cache.join(format!("{kind}-{key:016x}.bin"));
    if let Ok(bytes) = std::fs::read(&path) {
        return Ok(bytes);
    }
    let bytes = make()?;
    let part = path.with_extension("part");
    std::fs::create_dir_all(cache)
        .and_then(|()| std::fs::write(&part, &bytes))
        .and_then(|()| std::fs::rename(&part, &path))
        .map_err(|e| format!("{}: cannot write the cache: {e}", path.display()))?;
    Ok(bytes)
}

/// FNV-1a over words of eight bytes: tells files apart, protects against nothing.
pub struct Hash(pub u64);

impl Hash {
    pub fn new() -> Hash {
        Hash(0xcbf2_9ce4_8422_2325)
    }
    pub fn add(&mut self, bytes: &[u8]) -> &mut Hash {
        for word in bytes.chunks(8) {
            let mut padded = [0; 8];
            padded[..word.len()].copy_from_slice(word);
            self.0 = (self.0 ^ u64::from_le_bytes(padded)).wrapping_mul(0x0000_0100_0000_01b3).rotate_left(23);
        }
        self.0 ^= bytes.len() as u64;
        self
    }
}
