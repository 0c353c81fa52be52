//! Sum, mean, median and spread of numbers.

use python_values::{Dict, Value};

use crate::DataError;

/// `count`, `sum`, `min`, `max`, `mean`, `median`, and `stdev` (of a sample) from two numbers on.
///
/// # Errors
/// Several numbers of which one is NaN or infinite.
pub fn stats<'a>(values: &[f64]) -> Result<Dict<'a>, DataError> {
    let Some(&first) = values.first() else {
        return Ok(Dict::from([("count", 0.into())]));
    };
    if values.len() > 1 && !values.iter().all(|x| x.is_finite()) {
        return Err(DataError::NoSpread);
    }
    let mut found = Dict::from([
        ("count", values.len().into()),
        ("sum", values.iter().fold(0.0, |sum, x| sum + x).into()),
        (
            "min",
            values
                .iter()
                .fold(first, |least, &x| if x < least { x } else { least })
                .into(),
        ),
        (
            "max",
            values
                .iter()
                .fold(first, |most, &x| if x > most { x } else { most })
                .into(),
        ),
        ("mean", mean(values).into()),
        ("median", median(values).into()),
    ]);
    if values.len() > 1 {
        found.set("stdev".into(), Value::Float(stdev(values)?));
    }
    Ok(found)
}

/// The arithmetic mean, as exact as `statistics.mean`: nothing is lost where large numbers cancel.
///
/// `values` is not empty.
pub fn mean(values: &[f64]) -> f64 {
    if let [only] = values {
        return *only;
    }
    let count = values.len() as f64;
    let largest = values.iter().fold(0.0, |most: f64, x| most.max(x.abs()));
    if largest > f64::MAX / (2.0 * count) {
        // The sum may overflow: work with numbers made small by a power of two.
        let small: Vec<f64> = values.iter().map(|x| x * 2f64.powi(-64)).collect();
        return exact_sum(&small) / count * 2f64.powi(64);
    }
    exact_sum(values) / count
}

/// The sum, rounded once: Shewchuk, "Adaptive Precision Floating-Point Arithmetic" (1997), as in `math.fsum`.
fn exact_sum(values: &[f64]) -> f64 {
    let mut partials: Vec<f64> = Vec::new();
    for &value in values {
        let mut x = value;
        let mut kept = 0;
        for at in 0..partials.len() {
            let mut y = partials[at];
            if x.abs() < y.abs() {
                std::mem::swap(&mut x, &mut y);
            }
            let high = x + y;
            let low = y - (high - x);
            if low != 0.0 {
                partials[kept] = low;
                kept += 1;
            }
            x = high;
        }
        partials.truncate(kept);
        partials.push(x);
    }
    // Smallest first, so that the last addition is the only one that matters.
    partials.iter().fold(0.0, |sum, partial| sum + partial)
}

/// The middle number, or the mean of the two in the middle. `values` is not empty.
fn median(values: &[f64]) -> f64 {
    let mut sorted = values.to_vec();
    sorted.sort_by(f64::total_cmp);
    let half = sorted.len() / 2;
    if sorted.len() % 2 == 1 {
        sorted[half]
    } else {
        (sorted[half - 1] + sorted[half]) / 2.0
    }
}

/// Standard deviation of a sample: two passes, the second one corrected for the
/// rounding of the mean (Chan, Golub and LeVeque, 1983). `values` are two or more.
fn stdev(values: &[f64]) -> Result<f64, DataError> {
    // An eighth of the numbers, so that no difference overflows.
    let centre = mean(values) / 8.0;
    let off: Vec<f64> = values.iter().map(|x| x / 8.0 - centre).collect();
    let widest = off.iter().fold(0.0, |most: f64, x| most.max(x.abs()));
    if widest == 0.0 {
        return Ok(0.0);
    }
    // Squares of numbers up to 1 neither overflow nor, where they count, vanish.
    let squares: Vec<f64> = off.iter().map(|x| (x / widest) * (x / widest)).collect();
    let rest: Vec<f64> = off.iter().map(|x| x / widest).collect();
    let count = values.len() as f64;
    let rest = exact_sum(&rest);
    let variance = (exact_sum(&squares) - rest * rest / count) / (count - 1.0);
    let deviation = variance.max(0.0).sqrt() * widest * 8.0;
    deviation
        .is_finite()
        .then_some(deviation)
        .ok_or(DataError::NoSpread)
}

#[cfg(test)]
mod tests {
    use std::f64::consts::SQRT_2;

    use super::*;

    fn of(values: &[f64], name: &str) -> f64 {
        match stats(values).unwrap().get(name) {
            Some(Value::Float(x)) => *x,
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn nothing_is_lost_in_cancellation() {
        assert_eq!(mean(&[1e16, 1.0, -1e16]), 1.0 / 3.0);
        assert_eq!(mean(&[1e308, 1e308, 1e308]), 1e308);
        assert_eq!(mean(&[0.1; 10]), 0.1);
    }

    #[test]
    fn spread_is_that_of_the_exact_numbers() {
        // statistics.stdev of Python 3.11.
        for (values, expected) in [
            (vec![1e16, 1e16 + 2.0], SQRT_2),
            (vec![1e200, -1e200, 0.0], 1e200),
            (vec![1e-200, 3e-200], 1e-200 * SQRT_2),
            (vec![5.0, 5.0, 5.0], 0.0),
            (vec![1.0, 2.0, 3.0, 4.0], 1.2909944487358056),
        ] {
            let found = of(&values, "stdev");
            assert!(
                (found - expected).abs() <= 1e-12 * expected,
                "{values:?}: {found}"
            );
        }
        assert_eq!(stats(&[1.7e308, -1.7e308]), Err(DataError::NoSpread));
        assert_eq!(stats(&[1.0, f64::NAN]), Err(DataError::NoSpread));
    }

    #[test]
    fn few_numbers() {
        assert_eq!(stats(&[]).unwrap().len(), 1);
        assert_eq!(stats(&[2.0]).unwrap().get("stdev"), None);
        assert_eq!(of(&[3.0, 1.0, 2.0], "median"), 2.0);
        assert_eq!(of(&[4.0, 1.0], "median"), 2.5);
    }
}
