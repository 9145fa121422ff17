//! Preference pairs: the user's JSON lines, or pairs of rated sentences; split in training and held-out.
use crate::Result;
use crate::hidden::Hash;
use crate::model::Tokens;
use crate::random::Random;
use serde_json::Value;
use std::collections::HashSet;
use std::path::Path;

/// One judgement, as text. `prompt` holds (role, content) messages.
#[derive(Clone, Debug, PartialEq)]
pub struct Pair {
    pub prompt: Vec<(String, String)>,
    pub chosen: String,
    pub rejected: String,
    /// Where it came from, for messages.
    pub source: String,
}

/// One completion in its prompt, as token ids. The last `scored` ids are the completion's.
#[derive(Clone, Debug)]
pub struct Sequence {
    pub ids: Vec<u32>,
    pub scored: usize,
}

impl Sequence {
    pub fn prompt(&self) -> &[u32] {
        &self.ids[..self.ids.len() - self.scored]
    }
    pub fn completion(&self) -> &[u32] {
        &self.ids[self.ids.len() - self.scored..]
    }
    pub fn hash(&self, hash: &mut Hash) {
        hash.add(&(self.scored as u64).to_le_bytes());
        self.ids.iter().for_each(|id| _ = hash.add(&id.to_le_bytes()));
    }
}

/// Pairs and what was learned about them while reading.
pub struct Pairs {
    pub train: Vec<Pair>,
    pub held_out: Vec<Pair>,
    /// A line about their origin.
    pub origin: String,
}

fn messages(value: &Value, field: &str) -> Result<Vec<(String, String)>> {
    let wrong = || format!("`{field}` is neither a string nor a list of messages with `role` and `content`");
    match value {
        Value::String(text) => Ok(vec![("user".into(), text.clone())]),
        Value::Array(list) if !list.is_empty() => list
            .iter()
            .map(|m| match (m.get("role"), m.get("content")) {
                (Some(Value::String(role)), Some(Value::String(content))) => Ok((role.clone(), content.clone())),
                _ => Err(wrong().into()),
            })
            .collect(),
        _ => Err(wrong().into()),
    }
}

fn answer(value: &Value, field: &str) -> Result<String> {
    let text = match value {
        Value::String(text) => text.clone(),
        _ => match messages(value, field)?.as_slice() {
            [(role, content)] if role == "assistant" => content.clone(),
            _ => return Err(format!("`{field}` should be a string or one message of the assistant").into()),
        },
    };
    if text.trim().is_empty() {
        return Err(format!("`{field}` is an empty completion").into());
    }
    Ok(text)
}

fn parse_line(line: &str, source: String) -> Result<Pair> {
    let json: Value = serde_json::from_str(line).map_err(|e| format!("not JSON, column {}: {e}", e.column()))?;
    let field = |name: &str| json.get(name).ok_or_else(|| format!("`{name}` is missing"));
    Ok(Pair {
        prompt: messages(field("prompt")?, "prompt")?,
        chosen: answer(field("chosen")?, "chosen")?,
        rejected: answer(field("rejected")?, "rejected")?,
        source,
    })
}

/// JSON lines; an error names the line. Blank lines and exact repetitions are passed over.
pub fn parse(text: &str, name: &str) -> Result<Vec<Pair>> {
    let mut seen = HashSet::new();
    let mut pairs = Vec::new();
    for (i, line) in text.lines().enumerate() {
        if line.trim().is_empty() || !seen.insert(line) {
            continue;
        }
        let source = format!("{name}, line {}", i + 1);
        pairs.push(parse_line(line, source.clone()).map_err(|e| format!("{source}: {e}"))?);
    }
    Ok(pairs)
}

/// The user's own pairs, a quarter of them held out.
pub fn read(path: &Path, seed: u64) -> Result<Pairs> {
    let text = std::fs::read_to_string(path).map_err(|e| format!("{}: cannot read the pairs: {e}", path.display()))?;
    let pairs = parse(&text, &path.display().to_string())?;
    let held_out = pairs.len() / 4;
    if held_out == 0 {
        return Err(format!("{}: {} pairs, at least 4 are needed", path.display(), pairs.len()).into());
    }
    let origin = format!("{} pairs of {}", pairs.len(), path.display());
    Ok(split(pairs, held_out, usize::MAX, seed, origin))
}

/// Shuffles, then takes the held-out pairs and at most `train` others.
fn split(mut pairs: Vec<Pair>, held_out: usize, train: usize, seed: u64, origin: String) -> Pairs {
    Random::new(seed).shuffle(&mut pairs);
    let mut rest = pairs.split_off(held_out);
    rest.truncate(train);
    Pairs { train: rest, held_out: pairs, origin }
}

/// A sentence and what its raters said, -4 to 4 each.
struct Rated {
    text: String,
    ratings: Vec<i32>,
    mean: f64,
}

/// Shortest and longest rated sentence taken, in words.
const WORDS: std::ops::RangeInclusive<usize> = 5..=12;
/// Least difference of the two mean ratings of a pair.
const MARGIN: f64 = 2.0;
const TRAIN: usize = 400;
const HELD_OUT: usize = 400;

/// Movie-review sentences of the ICWSM 2014 set (Hutto and Gilbert), each rated by some 15 to 20 people. Both
/// sentences of a pair have the same number of tokens, so that length decides nothing; each sentence is in one pair
/// at most, so the two sets share none.
pub fn rated(folder: &Path, tokens: &Tokens, seed: u64) -> Result<Pairs> {
    let read = |name: &str| -> Result<String> {
        let path = folder.join(name);
        let bytes = std::fs::read(&path).map_err(|e| format!("{}: cannot read the ratings: {e}", path.display()))?;
        Ok(String::from_utf8_lossy(&bytes).into_owned())
    };
    let (truth, ratings) =
        (read("movieReviewSnippets_GroundTruth.txt")?, read("movieReviewSnippets_anonDataRatings.txt")?);
    let mut groups = std::collections::BTreeMap::<usize, Vec<Rated>>::new();
    let mut seen = HashSet::new();
    for (i, (t, r)) in truth.lines().zip(ratings.lines()).enumerate() {
        let rated =
            parse_rated(t, r).ok_or_else(|| format!("{}: line {} is not a rated sentence", folder.display(), i + 1))?;
        if WORDS.contains(&rated.text.split_whitespace().count()) && seen.insert(rated.text.clone()) {
            groups.entry(tokens.completion(&rated.text)?.len()).or_default().push(rated);
        }
    }
    let (mut pairs, mut agree, mut tie) = (Vec::new(), Vec::new(), Vec::new());
    for group in groups.into_values() {
        for (chosen, rejected) in pair_up(group) {
            let (a, t) = agreement(&chosen.ratings, &rejected.ratings);
            agree.push(a);
            tie.push(t);
            pairs.push(Pair {
                prompt: vec![("user".into(), "Write one sentence about a movie.".into())],
                chosen: chosen.text,
                rejected: rejected.text,
                source: "rated sentences".into(),
            });
        }
    }
    if pairs.len() < TRAIN + HELD_OUT {
        return Err(format!("{}: {} pairs, {} are needed", folder.display(), pairs.len(), TRAIN + HELD_OUT).into());
    }
    let mean = |x: &[f64]| 100.0 * x.iter().sum::<f64>() / x.len() as f64;
    let origin = format!(
        "{} pairs of rated movie-review sentences, ratings at least {MARGIN} apart; a random rater of each side: {:.1} % agree \
         with the label, {:.1} % tie, {:.1} % disagree",
        pairs.len(),
        mean(&agree),
        mean(&tie),
        100.0 - mean(&agree) - mean(&tie)
    );
    Ok(split(pairs, HELD_OUT, TRAIN, seed, origin))
}

/// `id <tab> mean <tab> text` and `id <tab> mean <tab> deviation <tab> [ratings]`.
fn parse_rated(truth: &str, ratings: &str) -> Option<Rated> {
    let (id, text) = truth.split_once('\t')?;
    let text = text.split_once('\t')?.1.trim().to_string();
    let (other, list) = (ratings.split('\t').next()?, ratings.rsplit('\t').next()?);
    let list = list.trim().strip_prefix('[')?.strip_suffix(']')?;
    let ratings: Vec<i32> = list.split(',').map(|x| x.trim().parse().ok()).collect::<Option<_>>()?;
    let mean = ratings.iter().sum::<i32>() as f64 / ratings.len() as f64;
    (id == other).then_some(Rated { text, ratings, mean })
}

/// The best rated with the worst rated, the second best with the second worst, while they are far enough apart.
fn pair_up(mut group: Vec<Rated>) -> Vec<(Rated, Rated)> {
    group.sort_by(|a, b| a.mean.total_cmp(&b.mean).then_with(|| a.text.cmp(&b.text)));
    let mut worst: std::collections::VecDeque<Rated> = group.into();
    let mut pairs = Vec::new();
    while worst.len() >= 2 && worst[worst.len() - 1].mean - worst[0].mean >= MARGIN {
        let (best, least) = (worst.pop_back().unwrap(), worst.pop_front().unwrap());
        pairs.push((best, least));
    }
    pairs
}

/// Shares of (chosen rater, rejected rater) couples that agree with the label, and that tie.
fn agreement(chosen: &[i32], rejected: &[i32]) -> (f64, f64) {
    let couples = chosen.iter().flat_map(|c| rejected.iter().map(move |r| c.cmp(r)));
    let (mut agree, mut tie, mut n) = (0.0, 0.0, 0.0);
    for order in couples {
        n += 1.0;
        agree += order.is_gt() as u8 as f64;
        tie += order.is_eq() as u8 as f64;
    }
    (agree / n, tie / n)
}

/// Token ids of both sides: chosen, rejected, chosen, rejected ...
pub fn tokenize(pairs: &[Pair], tokens: &Tokens, context: usize) -> Result<Vec<Sequence>> {
    let mut out = Vec::with_capacity(2 * pairs.len());
    for pair in pairs {
        let prompt = tokens.prompt(&pair.prompt)?;
        for text in [&pair.chosen, &pair.rejected] {
            let completion = tokens.completion(text)?;
            let ids = [prompt.as_slice(), &completion].concat();
            if ids.len() > context {
                let n = ids.len();
                return Err(format!("{}: {n} tokens, the model's context holds {context}", pair.source).into());
            }
            out.push(Sequence { scored: completion.len(), ids });
        }
    }
    Ok(out)
}

#[cfg(test)]
mod tests {
    use super::*;

    const GOOD: &str = r#"{"prompt": "Hi", "chosen": "Hello!", "rejected": "No."}"#;

    fn error(line: &str) -> String {
        parse(&format!("{GOOD}\n\n{line}\n"), "my.jsonl").unwrap_err().to_string()
    }

    #[test]
    fn strings_and_messages_mean_the_same() {
        let chat =
            r#"{"prompt": [{"role": "user", "content": "Hi"}], "chosen": [{"role": "assistant", "content": "Hello!"}],
            "rejected": "No."}"#
                .replace('\n', " ");
        let (a, b) = (parse(GOOD, "x").unwrap(), parse(&chat, "x").unwrap());
        assert_eq!(a, b);
        assert_eq!(a[0].prompt, [("user".to_string(), "Hi".to_string())]);
    }

    #[test]
    fn repetitions_and_blank_lines_are_passed_over() {
        assert_eq!(parse(&format!("{GOOD}\n\n{GOOD}\n"), "x").unwrap().len(), 1);
    }

    #[test]
    fn a_broken_line_is_named() {
        assert!(error(r#"{"prompt": "Hi", "chosen""#).starts_with("my.jsonl, line 3: not JSON"));
        assert!(error(r#"["a"]"#).ends_with("line 3: `prompt` is missing"));
        assert!(error(r#"{"prompt": "Hi", "chosen": "a"}"#).ends_with("line 3: `rejected` is missing"));
        assert!(error(r#"{"prompt": 7, "chosen": "a", "rejected": "b"}"#).contains("`prompt` is neither"));
        assert!(error(r#"{"prompt": [], "chosen": "a", "rejected": "b"}"#).contains("`prompt` is neither"));
        assert!(
            error(r#"{"prompt": "Hi", "chosen": " \n", "rejected": "b"}"#).contains("`chosen` is an empty completion")
        );
        let user = r#"[{"role": "user", "content": "b"}]"#;
        assert!(
            error(&format!(r#"{{"prompt": "Hi", "chosen": "a", "rejected": {user}}}"#))
                .contains("one message of the assistant")
        );
    }

    #[test]
    fn a_split_keeps_every_pair_once_and_depends_on_the_seed_only() {
        let pairs: Vec<Pair> = (0..40)
            .map(|i| Pair { prompt: vec![], chosen: format!("c{i}"), rejected: format!("r{i}"), source: String::new() })
            .collect();
        let run = |seed| split(pairs.clone(), 10, 100, seed, String::new());
        let (a, b, c) = (run(1), run(1), run(2));
        assert_eq!((a.train.len(), a.held_out.len()), (30, 10));
        assert_eq!((&a.train, &a.held_out), (&b.train, &b.held_out));
        assert_ne!(a.held_out, c.held_out);
        let all: HashSet<&str> = a.train.iter().chain(&a.held_out).map(|p| p.chosen.as_str()).collect();
        assert_eq!(all.len(), 40);
        assert_eq!(split(pairs.clone(), 10, 5, 1, String::new()).train.len(), 5);
    }

    #[test]
    fn sentences_pair_from_the_outside_in_and_keep_the_margin() {
        let group =
            [0.5, -3.0, 2.0, -1.0, 1.0, 3.0].map(|mean| Rated { text: format!("{mean}"), ratings: vec![], mean });
        let pairs: Vec<(f64, f64)> = pair_up(group.into()).iter().map(|(a, b)| (a.mean, b.mean)).collect();
        assert_eq!(pairs, [(3.0, -3.0), (2.0, -1.0)]);
    }

    #[test]
    fn a_rated_sentence_is_read_and_its_raters_counted() {
        let r = parse_rated("7\t1.0\tA film\twith a tab", "7\t1.0\t0.5\t[2, 0, -1, 3]").unwrap();
        assert_eq!((r.text.as_str(), r.mean), ("A film\twith a tab", 1.0));
        assert!(parse_rated("7\t1.0\tA film", "8\t1.0\t0.5\t[2]").is_none());
        assert!(parse_rated("7\t1.0\tA film", "7\t1.0\t0.5\t[2, x]").is_none());
        assert_eq!(agreement(&[2, 0], &[0, -1]), (0.75, 0.25));
    }
}
