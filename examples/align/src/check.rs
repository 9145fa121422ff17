//! The model's log-probs against stored ones of llama.cpp, before anything is trained on them.
use crate::Result;
use crate::data::Sequence;
use crate::head::Head;
use crate::hidden::{self, Rows};
use crate::model::Model;
use serde_json::Value;

/// What `check/make.py` wrote.
const STORED: &str = include_str!("../check/llama_cpp.json");
/// Largest difference of a sentence's log-prob; both sides compute in f32, some 1e-4 is what the order of sums makes.
const LIMIT: f64 = 0.01;

pub fn compare(model: &Model, head: &Head) -> Result<()> {
    let stored: Value = serde_json::from_str(STORED)?;
    let ids = |v: &Value| -> Vec<u32> {
        v.as_array().into_iter().flatten().map(|x| x.as_u64().unwrap_or(u64::MAX) as u32).collect()
    };
    let (mut sequences, mut expected) = (Vec::new(), Vec::new());
    for case in stored["cases"].as_array().ok_or("check/llama_cpp.json holds no cases")? {
        let text = |name: &str| case[name].as_str().unwrap_or_default().to_string();
        let prompt = model.tokens.prompt(&[("user".into(), text("prompt"))])?;
        let completion = model.tokens.completion(&text("completion"))?;
        if prompt != ids(&case["prompt_ids"]) || completion != ids(&case["ids"]) {
            return Err(format!("token ids of `{}` differ from llama.cpp's", text("completion")).into());
        }
        sequences.push(Sequence { scored: completion.len(), ids: [prompt, completion].concat() });
        expected.push(case["logprob"].as_f64().ok_or("a stored log-prob is no number")?);
    }
    if sequences.is_empty() {
        return Err("check/llama_cpp.json holds no cases".into());
    }
    let (hidden, _) = hidden::compute(model, &sequences)?;
    let scores = head.scores(&Rows::new(&sequences, hidden))?;
    let mut worst = 0f64;
    for (score, expected) in scores.iter().zip(expected) {
        let gap = (score - expected).abs();
        if gap.is_nan() || gap > LIMIT {
            return Err(format!(
                "log-prob {score:.3} of a sentence, llama.cpp says {expected:.3}: more than {LIMIT} apart"
            )
            .into());
        }
        worst = worst.max(gap);
    }
    println!("check      log-probs of {} sentences within {worst:.1e} of llama.cpp's", scores.len());
    Ok(())
}
