//! Forward-mode derivatives over f64: the independent judge of hand-written partials.
use std::ops::{Add, Div, Mul, Neg, Sub};
use truing_core::real::{F64, Format, Real};

/// A value and its derivative.
#[derive(Clone, Copy, Debug)]
pub struct Dual {
    pub v: f64,
    pub d: f64,
}
/// 0 * inf is 0 here: a branch that a select drops must not poison the one it keeps.
fn times(slope: f64, d: f64) -> f64 {
    if d == 0.0 { 0.0 } else { slope * d }
}
impl Dual {
    pub fn constant(v: f64) -> Dual {
        Dual { v, d: 0.0 }
    }
    fn map(self, v: f64, slope: f64) -> Dual {
        Dual { v, d: times(slope, self.d) }
    }
}
impl Add for Dual {
    type Output = Dual;
    fn add(self, b: Dual) -> Dual {
        Dual { v: self.v + b.v, d: self.d + b.d }
    }
}
impl Sub for Dual {
    type Output = Dual;
    fn sub(self, b: Dual) -> Dual {
        Dual { v: self.v - b.v, d: self.d - b.d }
    }
}
impl Mul for Dual {
    type Output = Dual;
    fn mul(self, b: Dual) -> Dual {
        Dual { v: self.v * b.v, d: times(b.v, self.d) + times(self.v, b.d) }
    }
}
impl Div for Dual {
    type Output = Dual;
    fn div(self, b: Dual) -> Dual {
        let v = self.v / b.v;
        Dual { v, d: (self.d - times(v, b.d)) / b.v }
    }
}
impl Neg for Dual {
    type Output = Dual;
    fn neg(self) -> Dual {
        Dual { v: -self.v, d: -self.d }
    }
}
impl Real for Dual {
    const FORMAT: &'static Format = &F64;
    fn lit(self, v: f64) -> Dual {
        Dual::constant(v)
    }
    fn fma(self, b: Dual, c: Dual) -> Dual {
        Dual { v: self.v.fma(b.v, c.v), d: times(b.v, self.d) + times(self.v, b.d) + c.d }
    }
    /// The right-hand derivative at both zeros.
    fn abs(self) -> Dual {
        if self.v < 0.0 { -self } else { Dual { v: self.v.abs(), d: self.d } }
    }
    fn select_lt(self, b: Dual, yes: Dual, no: Dual) -> Dual {
        if self.v < b.v { yes } else { no }
    }
    fn select_le(self, b: Dual, yes: Dual, no: Dual) -> Dual {
        if self.v <= b.v { yes } else { no }
    }
    fn exp2i(self) -> Dual {
        Dual::constant(self.v.exp2i())
    }
    fn exponent(self) -> Dual {
        Dual::constant(self.v.exponent())
    }
    fn mantissa(self) -> Dual {
        let v = self.v.mantissa();
        self.map(v, v / self.v)
    }
    fn detach(self) -> Dual {
        Dual::constant(self.v)
    }
    // analytic, so that the judge does not differentiate our polynomials
    fn exp(self) -> Dual {
        let v = Real::exp(self.v);
        self.map(v, v)
    }
    fn expm1(self) -> Dual {
        self.map(Real::expm1(self.v), Real::exp(self.v))
    }
    fn exp_rem(self) -> Dual {
        self.map(self.v.exp_rem(), Real::expm1(self.v))
    }
    fn log(self) -> Dual {
        self.map(Real::log(self.v), 1.0 / self.v)
    }
    fn log1p(self) -> Dual {
        self.map(Real::log1p(self.v), 1.0 / (1.0 + self.v))
    }
    fn tanh(self) -> Dual {
        let v = Real::tanh(self.v);
        self.map(v, (1.0 - v) * (1.0 + v))
    }
    fn sigmoid(self) -> Dual {
        let v = self.v.sigmoid();
        self.map(v, v * (-self.v).sigmoid())
    }
    fn softplus(self) -> Dual {
        self.map(self.v.softplus(), self.v.sigmoid())
    }
    fn log1mexp(self) -> Dual {
        self.map(self.v.log1mexp(), -1.0 / Real::expm1(-self.v))
    }
}
