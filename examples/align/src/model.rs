//! A llama-type language model read from a GGUF file: token ids in, hidden states after the final norm out.
//!
//! All weights are widened to f32 once; candle's f32 product is many times faster than its scalar Q4_1 one.
use crate::Result;
use candle_core::quantized::gguf_file::{Content, Value};
use candle_core::quantized::tokenizer::TokenizerFromGguf;
use candle_core::{D, Device, Tensor};
use std::path::Path;
use tokenizers::Tokenizer;
use tokenizers::pre_tokenizers::{byte_level::ByteLevel, digits::Digits, sequence::Sequence};

/// What the chat template says when the conversation brings no system message.
const SYSTEM: &str = "You are a helpful AI assistant named SmolLM, trained by Hugging Face";

struct Layer {
    attn_norm: Tensor,
    q: Tensor,
    k: Tensor,
    v: Tensor,
    out: Tensor,
    ffn_norm: Tensor,
    gate: Tensor,
    up: Tensor,
    down: Tensor,
}

pub struct Model {
    embedding: Tensor,
    layers: Vec<Layer>,
    norm: Tensor,
    head: Tensor,
    heads: usize,
    kv_heads: usize,
    eps: f64,
    rope_base: f64,
    /// Longest sequence the model was made for.
    pub context: usize,
    pub tokens: Tokens,
}

/// Turns chat messages into token ids.
pub struct Tokens {
    inner: Tokenizer,
    start: u32,
    end: u32,
}

/// Keys and values of one layer, `[batch, kv_heads, time, head_dim]`.
type Past = (Tensor, Tensor);

impl Model {
    pub fn load(path: &Path) -> Result<Model> {
        // candle appends a backtrace where one is asked for; the first line says it.
        let wrong = |what: String| format!("{}: {}", path.display(), what.lines().next().unwrap_or_default());
        let mut file = std::fs::File::open(path).map_err(|e| wrong(format!("cannot open the model: {e}")))?;
        let gguf = Content::read(&mut file).map_err(|e| wrong(format!("not a readable GGUF file: {e}")))?;
        let meta = |key: &str| gguf.metadata.get(key).ok_or_else(|| wrong(format!("wrong GGUF: `{key}` is missing")));
        let size = |key: &str| -> Result<usize> {
            Ok(meta(key)?.to_u32().map_err(|e| wrong(format!("wrong GGUF: `{key}`: {e}")))? as usize)
        };
        let real = |key: &str| -> Result<f64> {
            Ok(meta(key)?.to_f32().map_err(|e| wrong(format!("wrong GGUF: `{key}`: {e}")))? as f64)
        };
        match meta("general.architecture")? {
            Value::String(a) if a == "llama" => {}
            other => return Err(wrong(format!("wrong GGUF: architecture {other:?}, this example runs `llama`")).into()),
        }
        for odd in ["rope_freqs.weight", "blk.0.attn_q.bias", "blk.0.ffn_gate_inp.weight", "output.bias"] {
            if gguf.tensor_infos.contains_key(odd) {
                return Err(wrong(format!(
                    "wrong GGUF: tensor `{odd}` belongs to a variant this example does not run"
                ))
                .into());
            }
        }
        let tokens = Tokens::from_gguf(&gguf).map_err(|e| wrong(format!("wrong GGUF: {e}")))?;
        let mut tensor = |name: &str| -> Result<Tensor> {
            gguf.tensor(&mut file, name, &Device::Cpu)
                .and_then(|t| t.dequantize(&Device::Cpu))
                .map_err(|e| wrong(format!("wrong GGUF: tensor `{name}`: {e}")).into())
        };
        let embedding = tensor("token_embd.weight")?;
        let tied = !gguf.tensor_infos.contains_key("output.weight");
        let head = if tied { embedding.clone() } else { tensor("output.weight")? };
        let norm = tensor("output_norm.weight")?;
        let mut layers = Vec::new();
        for i in 0..size("llama.block_count")? {
            let mut get = |name: &str| tensor(&format!("blk.{i}.{name}.weight"));
            layers.push(Layer {
                attn_norm: get("attn_norm")?,
                q: get("attn_q")?,
                k: get("attn_k")?,
                v: get("attn_v")?,
                out: get("attn_output")?,
                ffn_norm: get("ffn_norm")?,
                gate: get("ffn_gate")?,
                up: get("ffn_up")?,
                down: get("ffn_down")?,
            });
        }
        Ok(Model {
            heads: size("llama.attention.head_count")?,
            kv_heads: size("llama.attention.head_count_kv")?,
            eps: real("llama.attention.layer_norm_rms_epsilon")?,
            rope_base: real("llama.rope.freq_base").unwrap_or(10000.0),
            context: size("llama.context_length")?,
            embedding,
            layers,
            norm,
            head,
            tokens,
        })
    }

    /// The head's weight, `[vocab, width]` row by row, and its two sizes.
    pub fn head(&self) -> Result<(Vec<f32>, usize, usize)> {
        let (vocab, width) = self.head.dims2()?;
        Ok((self.head.flatten_all()?.to_vec1()?, vocab, width))
    }

    /// Hidden states of a batch, `[batch, longest, width]`: shorter sequences are padded on the right, which a
    /// causal model's real positions never see. Positions before `wanted` may be left out: those that all sequences
    /// share at the front run only once. Comes with the position that the returned ones start at.
    pub fn hidden(&self, batch: &[&[u32]], wanted: usize) -> Result<(Tensor, usize)> {
        let first = shared_front(batch).min(wanted);
        let past = match first {
            0 => None,
            _ => Some(self.forward(&[&batch[0][..first]], None)?.1),
        };
        let rest: Vec<&[u32]> = batch.iter().map(|s| &s[first..]).collect();
        Ok((self.forward(&rest, past.as_deref())?.0, first))
    }

    fn forward(&self, batch: &[&[u32]], past: Option<&[Past]>) -> Result<(Tensor, Vec<Past>)> {
        let (b, t) = (batch.len(), batch.iter().map(|s| s.len()).max().unwrap_or(0));
        let ids: Vec<u32> =
            batch.iter().flat_map(|s| s.iter().copied().chain(std::iter::repeat_n(0, t - s.len()))).collect();
        let start = past.map_or(Ok(0), |p| p[0].0.dim(2))?;
        let mut x = self.embedding.index_select(&Tensor::new(ids, &Device::Cpu)?, 0)?;
        let width = x.dim(1)?;
        let head_dim = width / self.heads;
        let (cos, sin) = self.rope(start, t, head_dim)?;
        let mask: Vec<f32> = (0..t)
            .flat_map(|i| (0..start + t).map(move |j| if j <= start + i { 0.0 } else { f32::NEG_INFINITY }))
            .collect();
        let mask = Tensor::from_vec(mask, (t, start + t), &Device::Cpu)?;
        let mut present = Vec::with_capacity(self.layers.len());
        for (i, l) in self.layers.iter().enumerate() {
            let h = self.rms_norm(&x, &l.attn_norm)?;
            let split = |y: Tensor, n: usize| y.reshape((b, t, n, head_dim))?.transpose(1, 2)?.contiguous();
            let q = rotate(&split(linear(&h, &l.q)?, self.heads)?, &cos, &sin)?;
            let mut k = rotate(&split(linear(&h, &l.k)?, self.kv_heads)?, &cos, &sin)?;
            let mut v = split(linear(&h, &l.v)?, self.kv_heads)?;
            if let Some(past) = past {
                let (pk, pv) = &past[i];
                let dims = (b, self.kv_heads, start, head_dim);
                k = Tensor::cat(&[&pk.broadcast_as(dims)?.contiguous()?, &k], 2)?;
                v = Tensor::cat(&[&pv.broadcast_as(dims)?.contiguous()?, &v], 2)?;
            }
            // The query heads of a group share one key head: they become rows of one product.
            let group = self.heads / self.kv_heads;
            let q = q.reshape((b, self.kv_heads, group * t, head_dim))?;
            let a = (q.matmul(&k.t()?)? * (1.0 / (head_dim as f64).sqrt()))?;
            let a = softmax(&a.reshape((b, self.heads, t, start + t))?.broadcast_add(&mask)?)?;
            let a = a.reshape((b, self.kv_heads, group * t, start + t))?.matmul(&v)?;
            let a = a.reshape((b, self.heads, t, head_dim))?.transpose(1, 2)?.reshape((b * t, width))?;
            x = (x + linear(&a, &l.out)?)?;
            let h = self.rms_norm(&x, &l.ffn_norm)?;
            let h = (linear(&h, &l.gate)?.silu()? * linear(&h, &l.up)?)?;
            x = (x + linear(&h, &l.down)?)?;
            present.push((k, v));
        }
        Ok((self.rms_norm(&x, &self.norm)?.reshape((b, t, width))?, present))
    }

    fn rms_norm(&self, x: &Tensor, weight: &Tensor) -> candle_core::Result<Tensor> {
        let scale = (x.sqr()?.mean_keepdim(D::Minus1)? + self.eps)?.sqrt()?.recip()?;
        x.broadcast_mul(&scale)?.broadcast_mul(weight)
    }

    /// Cosines and sines of positions `start .. start + t`, each `[t, head_dim / 2, 1]`.
    fn rope(&self, start: usize, t: usize, head_dim: usize) -> Result<(Tensor, Tensor)> {
        let half = head_dim / 2;
        let angle: Vec<f64> = (start..start + t)
            .flat_map(|p| (0..half).map(move |i| (p, i)))
            .map(|(p, i)| p as f64 / self.rope_base.powf(2.0 * i as f64 / head_dim as f64))
            .collect();
        let make = |f: fn(f64) -> f64| {
            Tensor::from_vec(angle.iter().map(|&a| f(a) as f32).collect::<Vec<_>>(), (t, half, 1), &Device::Cpu)
        };
        Ok((make(f64::cos)?, make(f64::sin)?))
    }
}

/// `x W^T`, the weight stored `[out, in]`.
fn linear(x: &Tensor, weight: &Tensor) -> candle_core::Result<Tensor> {
    x.matmul(&weight.t()?)
}

/// Rotary position: GGUF files of this architecture keep the two halves of a rotation next to each other.
fn rotate(x: &Tensor, cos: &Tensor, sin: &Tensor) -> candle_core::Result<Tensor> {
    let (b, h, t, d) = x.dims4()?;
    let pairs = x.reshape((b, h, t, d / 2, 2))?;
    let (x0, x1) = (pairs.narrow(4, 0, 1)?, pairs.narrow(4, 1, 1)?);
    let y0 = (x0.broadcast_mul(cos)? - x1.broadcast_mul(sin)?)?;
    let y1 = (x0.broadcast_mul(sin)? + x1.broadcast_mul(cos)?)?;
    Tensor::cat(&[y0, y1], 4)?.reshape((b, h, t, d))
}

fn softmax(x: &Tensor) -> candle_core::Result<Tensor> {
    let e = x.broadcast_sub(&x.max_keepdim(D::Minus1)?)?.exp()?;
    e.broadcast_div(&e.sum_keepdim(D::Minus1)?)
}

/// Number of leading ids that all sequences share.
fn shared_front(batch: &[&[u32]]) -> usize {
    let shortest = batch.iter().map(|s| s.len()).min().unwrap_or(0);
    (0..shortest).take_while(|&i| batch.iter().all(|s| s[i] == batch[0][i])).count()
}

impl Tokens {
    fn from_gguf(gguf: &Content) -> Result<Tokens> {
        let pre = gguf.metadata.get("tokenizer.ggml.pre").and_then(|v| v.to_string().ok()).map_or("", String::as_str);
        if pre != "smollm" {
            return Err(format!("pre-tokenizer `{pre}`, this example knows `smollm` (the SmolLM2 models)").into());
        }
        let mut inner = Tokenizer::from_gguf(gguf)?;
        // candle takes every name it does not know for GPT-2's and puts a space in front; `smollm` puts none and
        // reads each digit alone.
        let pre = vec![Digits::new(true).into(), ByteLevel::new(false, true, true).into()];
        inner.with_pre_tokenizer(Some(Sequence::new(pre)));
        // A text that spells a control token stays text.
        inner.set_encode_special_tokens(true);
        let id = |name: &str| inner.token_to_id(name).ok_or_else(|| format!("the vocabulary has no `{name}`"));
        Ok(Tokens { start: id("<|im_start|>")?, end: id("<|im_end|>")?, inner })
    }

    fn text(&self, text: &str, out: &mut Vec<u32>) -> Result<()> {
        out.extend_from_slice(self.inner.encode(text, false)?.get_ids());
        Ok(())
    }

    /// The chat template up to where the assistant's answer begins; `messages` are (role, content).
    pub fn prompt(&self, messages: &[(String, String)]) -> Result<Vec<u32>> {
        let mut ids = Vec::new();
        let system = ("system".to_string(), SYSTEM.to_string());
        let default = if messages.first().is_some_and(|m| m.0 == "system") { None } else { Some(&system) };
        for (role, content) in default.into_iter().chain(messages) {
            ids.push(self.start);
            self.text(&format!("{role}\n{content}"), &mut ids)?;
            ids.push(self.end);
            self.text("\n", &mut ids)?;
        }
        ids.push(self.start);
        self.text("assistant\n", &mut ids)?;
        Ok(ids)
    }

    /// What the assistant says, with the end-of-turn token.
    pub fn completion(&self, text: &str) -> Result<Vec<u32>> {
        let mut ids = Vec::new();
        self.text(text, &mut ids)?;
        ids.push(self.end);
        Ok(ids)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_shared_front_ends_where_sequences_part() {
        assert_eq!(shared_front(&[&[1, 2, 3, 4], &[1, 2, 3, 5]]), 3);
        assert_eq!(shared_front(&[&[1, 2], &[1, 2, 3]]), 2);
        assert_eq!(shared_front(&[&[1], &[2]]), 0);
    }

    #[test]
    fn a_rotation_turns_neighbours_and_keeps_lengths() {
        let x = Tensor::new(&[[[[1f32, 0.0, 3.0, 4.0]]]], &Device::Cpu).unwrap();
        let angle = [std::f32::consts::FRAC_PI_2, 0.0];
        let make = |f: fn(f32) -> f32| Tensor::from_vec(angle.map(f).to_vec(), (1, 2, 1), &Device::Cpu).unwrap();
        let y: Vec<f32> =
            rotate(&x, &make(f32::cos), &make(f32::sin)).unwrap().flatten_all().unwrap().to_vec1().unwrap();
        for (got, want) in y.iter().zip([0.0, 1.0, 3.0, 4.0]) {
            assert!((got - want).abs() < 1e-6, "{y:?}");
        }
    }
}
