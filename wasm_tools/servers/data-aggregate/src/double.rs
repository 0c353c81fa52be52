//! Sums to twice the precision of a float, so that rounding happens once, at the end.
//!
//! Python's `statistics` reckons in fractions and rounds once. A pair of floats
//! has 106 bits, which for all but contrived numbers rounds to the same float.
//! The operations are those of Dekker, "A floating-point technique for extending
//! the available precision" (1971).

use std::ops::{Add, Mul, Sub};

/// A number as the unevaluated sum of two floats, the second much smaller than the first.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Double {
    high: f64,
    low: f64,
}

impl Double {
    /// The float nearest to the number of which this is all but the last bits.
    ///
    /// Where the number may lie just between two floats, `excess` is asked by how much it is
    /// beyond that point, of which only the sign counts; where it lies right there, the even
    /// float is taken.
    pub fn round(self, excess: impl FnOnce(Double) -> f64) -> f64 {
        let Double { high: nearest, low } = Double::of(self.high, self.low);
        let half_step = (f64::from_bits(nearest.to_bits() + 1) - nearest).abs() / 2.0;
        if nearest == 0.0 || (low.abs() - half_step).abs() > half_step * 1e-9 {
            return nearest;
        }
        let half_step = half_step.copysign(low);
        let other = nearest + 2.0 * half_step;
        let between = Double {
            high: nearest,
            low: half_step,
        };
        let beyond = excess(between) * half_step.signum();
        if beyond > 0.0 || (beyond == 0.0 && other.to_bits() % 2 == 0) {
            other
        } else {
            nearest
        }
    }

    /// The two floats whose sum this is.
    pub fn parts(self) -> [f64; 2] {
        [self.high, self.low]
    }

    /// The nearest float.
    pub fn to_f64(self) -> f64 {
        self.high + self.low
    }

    /// The quotient by a float.
    pub fn divide(self, by: f64) -> Double {
        let quotient = self.high / by;
        let rest = self - product(quotient, by);
        Double::of(quotient, rest.to_f64() / by)
    }

    /// The square root; 0 for what is not positive.
    pub fn sqrt(self) -> Double {
        if self.high <= 0.0 {
            return Double::default();
        }
        let root = self.high.sqrt();
        let rest = self - product(root, root);
        Double::of(root, rest.to_f64() / (2.0 * root))
    }

    fn of(high: f64, low: f64) -> Double {
        let sum = high + low;
        Double {
            high: sum,
            low: low - (sum - high),
        }
    }
}

impl From<f64> for Double {
    fn from(x: f64) -> Double {
        Double { high: x, low: 0.0 }
    }
}

impl Add for Double {
    type Output = Double;

    fn add(self, other: Double) -> Double {
        let high = sum(self.high, other.high);
        let low = sum(self.low, other.low);
        let first = Double::of(high.high, high.low + low.high);
        Double::of(first.high, first.low + low.low)
    }
}

impl Sub for Double {
    type Output = Double;

    fn sub(self, other: Double) -> Double {
        self + Double {
            high: -other.high,
            low: -other.low,
        }
    }
}

impl Mul for Double {
    type Output = Double;

    fn mul(self, other: Double) -> Double {
        let high = product(self.high, other.high);
        let cross = self.high * other.low + self.low * other.high;
        Double::of(high.high, high.low + cross)
    }
}

/// The exact sum of two floats.
fn sum(a: f64, b: f64) -> Double {
    let high = a + b;
    let b_part = high - a;
    let a_part = high - b_part;
    Double {
        high,
        low: (a - a_part) + (b - b_part),
    }
}

/// The exact product of two floats.
fn product(a: f64, b: f64) -> Double {
    let high = a * b;
    Double {
        high,
        low: a.mul_add(b, -high),
    }
}

/// The sum of floats without loss, whatever cancels, to twice the precision of a float.
pub fn exact_sum(values: impl Iterator<Item = f64>) -> Double {
    // The parts do not overlap and grow: each addition but the last ones is of what hardly counts.
    exact_parts(values)
        .into_iter()
        .fold(Double::default(), |total, part| total + Double::from(part))
}

/// Floats that do not overlap, smallest first, whose sum is exactly that of the values:
/// Shewchuk, "Adaptive Precision Floating-Point Arithmetic" (1997), as in `math.fsum`.
pub fn exact_parts(values: impl Iterator<Item = f64>) -> Vec<f64> {
    let mut parts: Vec<f64> = Vec::new();
    for value in values {
        let mut x = value;
        let mut kept = 0;
        for at in 0..parts.len() {
            let added = sum(x, parts[at]);
            if added.low != 0.0 {
                parts[kept] = added.low;
                kept += 1;
            }
            x = added.high;
        }
        parts.truncate(kept);
        parts.push(x);
    }
    parts
}

/// The sign of an exact sum of products of three, as a number that has it.
pub fn sign_of_products(products: impl Iterator<Item = [f64; 3]>) -> f64 {
    let parts = exact_parts(products.flat_map(exact_product));
    let leading = parts.into_iter().rev().find(|&part| part != 0.0);
    leading.unwrap_or_default()
}

/// Floats whose sum is exactly the product of the factors.
fn exact_product(factors: [f64; 3]) -> [f64; 4] {
    let [a, b, c] = factors;
    let first = product(a, b);
    let high = product(first.high, c);
    let low = product(first.low, c);
    [high.high, high.low, low.high, low.low]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn cancellation_leaves_what_is_left() {
        let values = [1e16, 1.0, -1e16, 1e-9];
        assert_eq!(exact_sum(values.into_iter()).to_f64(), 1.0 + 1e-9);
        assert_eq!(exact_sum([0.1; 10].into_iter()).divide(10.0).to_f64(), 0.1);
    }

    #[test]
    fn roots_and_quotients_round_once() {
        let two = Double::from(2.0);
        assert!((two.sqrt() * two.sqrt() - two).to_f64().abs() < 1e-30);
        let third = Double::from(1.0).divide(3.0);
        assert!(
            (third * Double::from(3.0) - Double::from(1.0))
                .to_f64()
                .abs()
                < 1e-30
        );
    }
}
