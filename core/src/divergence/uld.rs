//! Pairs of columns with the same text in the distance of sorted probabilities: what holds on every device.
use crate::error::{Error, Result, Value};

/// Refuses pairs that are no pairing, whatever their columns: `lengths` are those of the lists of the student's and of the
/// teacher's columns, `beta` and `weights` the numbers of the call.
pub fn check_pairs(lengths: [usize; 2], beta: f64, weights: [f64; 2]) -> Result<()> {
    let [m, other] = lengths;
    if m == 0 {
        return Err(Error::shape("matched_student_ids", Value::Size(0), Value::Text("1 pair or more")));
    }
    if other != m {
        return Err(Error::shape("matched_teacher_ids", Value::Size(other), Value::Size(m)));
    }
    let legal = |max: f64| Value::Range { min: 0.0, max, min_open: false, max_open: max == f64::INFINITY };
    if !(0.0..=1.0).contains(&beta) {
        return Err(Error::invalid("matched_beta", Value::Float(beta), legal(1.0)));
    }
    for (field, x) in [("matched_weight", weights[0]), ("unmatched_weight", weights[1])] {
        if !(0.0..f64::INFINITY).contains(&x) {
            return Err(Error::invalid(field, Value::Float(x), legal(f64::INFINITY)));
        }
    }
    Ok(())
}
/// w_m and w_u: those that are given, or, where both are 0, the pairs over the teacher's columns, and 1 less that.
pub fn pair_weights(weights: [f64; 2], pairs: usize, columns: usize) -> [f64; 2] {
    if weights != [0.0; 2] {
        return weights;
    }
    let share = pairs as f64 / columns as f64;
    [share, 1.0 - share]
}
