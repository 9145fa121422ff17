//! Log-prob of logits against its formula.
