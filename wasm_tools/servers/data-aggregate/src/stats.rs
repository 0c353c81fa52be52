//! Sum, mean, median and spread of numbers.

use std::cmp::Ordering;

use python_values::{Dict, Value};

use crate::double::{exact_parts, exact_sum, sign_of_products, Double};
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

/// The arithmetic mean, rounded once as by `statistics.mean`. `values` is not empty.
pub fn mean(values: &[f64]) -> f64 {
    if let [only] = values {
        // A fraction has no negative zero.
        return *only + 0.0;
    }
    if !values.iter().all(|x| x.is_finite()) {
        return values.iter().sum();
    }
    let scale = power_near(values);
    let scaled: Vec<f64> = values.iter().map(|x| x / scale).collect();
    let count = scaled.len() as f64;
    let excess = |mean: Double| {
        let sum = scaled.iter().map(|&x| [1.0, 1.0, x]);
        sign_of_products(sum.chain(mean.parts().map(|part| [-1.0, count, part])))
    };
    centre(&scaled).round(excess) * scale
}

/// The mean, to twice the precision of a float.
fn centre(values: &[f64]) -> Double {
    exact_sum(values.iter().copied()).divide(values.len() as f64)
}

/// A power of two for which neither sums nor squares of the values divided by it overflow;
/// 1, and so without any loss, for all but very large and very small values.
fn power_near(values: &[f64]) -> f64 {
    let largest = values.iter().fold(0.0, |most: f64, x| most.max(x.abs()));
    if largest > 1e100 {
        2f64.powi(800)
    } else if largest < 1e-100 {
        2f64.powi(-800)
    } else {
        1.0
    }
}

/// The middle number, or the mean of the two in the middle. `values` is not empty.
fn median(values: &[f64]) -> f64 {
    let mut sorted = values.to_vec();
    // Stable, and 0.0 is not above -0.0: which of them is in the middle shows in the answer.
    sorted.sort_by(|a, b| a.partial_cmp(b).unwrap_or(Ordering::Equal));
    let half = sorted.len() / 2;
    if sorted.len() % 2 == 1 {
        sorted[half]
    } else {
        (sorted[half - 1] + sorted[half]) / 2.0
    }
}

/// Standard deviation of a sample, rounded once as by `statistics.stdev`. `values` are two or more.
fn stdev(values: &[f64]) -> Result<f64, DataError> {
    let scale = power_near(values);
    let scaled: Vec<f64> = values.iter().map(|x| x / scale).collect();
    let centre = centre(&scaled);
    let squares = scaled.iter().map(|&x| {
        let off = Double::from(x) - centre;
        off * off
    });
    let total = squares.fold(Double::default(), |total, square| total + square);
    let root = total.divide(scaled.len() as f64 - 1.0).sqrt();
    let deviation = root.round(|root| excess_of_variance(&scaled, root)) * scale;
    deviation
        .is_finite()
        .then_some(deviation)
        .ok_or(DataError::NoSpread)
}

/// A number with the sign of the exact variance less the square of `root`.
fn excess_of_variance(values: &[f64], root: Double) -> f64 {
    let count = values.len() as f64;
    let pairs = count * (count - 1.0);
    let [high, low] = root.parts();
    let sums = exact_parts(values.iter().copied());
    let squares = values.iter().map(|&x| [count, x, x]);
    let square_of_sum = sums
        .iter()
        .flat_map(|&a| sums.iter().map(move |&b| [-1.0, a, b]));
    let square_of_root = [
        [-pairs, high, high],
        [-2.0 * pairs, high, low],
        [-pairs, low, low],
    ];
    sign_of_products(squares.chain(square_of_sum).chain(square_of_root))
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
        assert_eq!(mean(&[0.1, 0.2, 0.3]), 0.2);
    }

    #[test]
    fn spread_is_that_of_the_exact_numbers() {
        // statistics.stdev of Python 3.11.
        for (values, expected) in [
            (vec![1e16, 1e16 + 2.0], SQRT_2),
            (vec![1e200, -1e200, 0.0], 1e200),
            (vec![1e-200, 3e-200], 1e-200 * SQRT_2),
            (vec![5.0, 5.0, 5.0], 0.0),
            // Just between 28.15 and the next float.
            (vec![-8.3, 48.0, 48.0, 48.0], 28.15),
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
