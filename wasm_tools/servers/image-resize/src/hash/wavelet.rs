//! Haar wavelets in the arithmetic of PyWavelets, whose last bits decide where blocks are equal.

use std::f64::consts::FRAC_1_SQRT_2 as S;

/// A square of values; its side is a power of two.
pub struct Square {
    pub side: usize,
    pub values: Vec<f64>,
}

/// What one level tells of a square: averages, then differences across, down and both.
type Level = [Square; 4];

/// Averages of the blocks of a square, as many as `side` squared, after the average of all has
/// been taken out.
///
/// `block` gives the pixels of the block at a row and a column; it is asked twice, so that no
/// more than one block is in memory.
pub fn averages(side: usize, block: impl Fn(usize, usize) -> Square) -> Vec<f64> {
    let places = || (0..side).flat_map(|y| (0..side).map(move |x| (y, x)));
    let mean = |(y, x)| take_apart(block(y, x)).0;
    let (_, levels) = take_apart(Square {
        side,
        values: places().map(mean).collect(),
    });
    let without_mean = put_together(0.0, levels);
    let again = |((y, x), mean): ((usize, usize), &f64)| {
        let (_, levels) = take_apart(block(y, x));
        average(put_together(*mean, levels))
    };
    places().zip(&without_mean.values).map(again).collect()
}

/// One value for the whole, and the differences of each level, the finest first.
fn take_apart(mut square: Square) -> (f64, Vec<Level>) {
    let mut levels = Vec::new();
    while square.side > 1 {
        let [average, across, down, both] = split(&square);
        let nothing = Square {
            side: 0,
            values: Vec::new(),
        };
        levels.push([nothing, across, down, both]);
        square = average;
    }
    (square.values[0], levels)
}

fn put_together(mean: f64, levels: Vec<Level>) -> Square {
    let mut square = Square {
        side: 1,
        values: vec![mean],
    };
    for [_, across, down, both] in levels.into_iter().rev() {
        square = join(&[square, across, down, both]);
    }
    square
}

fn average(mut square: Square) -> f64 {
    while square.side > 1 {
        [square, ..] = split(&square);
    }
    square.values[0]
}

fn split(square: &Square) -> Level {
    let half = square.side / 2;
    let mut parts = [0; 4].map(|_| Vec::with_capacity(half * half));
    for rows in square.values.chunks_exact(square.side * 2) {
        let (upper, lower) = rows.split_at(square.side);
        for (above, below) in upper.chunks_exact(2).zip(lower.chunks_exact(2)) {
            let sums = [S * above[0] + S * below[0], S * above[1] + S * below[1]];
            let differences = [S * above[0] - S * below[0], S * above[1] - S * below[1]];
            parts[0].push(S * sums[0] + S * sums[1]);
            parts[1].push(S * sums[0] - S * sums[1]);
            parts[2].push(S * differences[0] + S * differences[1]);
            parts[3].push(S * differences[0] - S * differences[1]);
        }
    }
    parts.map(|values| Square { side: half, values })
}

fn join([average, across, down, both]: &Level) -> Square {
    let half = average.side;
    let side = half * 2;
    let mut values = vec![0.0; side * side];
    for y in 0..half {
        for x in 0..half {
            let at = y * half + x;
            let pair =
                |sum: f64, difference: f64| [S * sum + S * difference, S * sum - S * difference];
            let sums = pair(average.values[at], across.values[at]);
            let differences = pair(down.values[at], both.values[at]);
            for column in [0, 1] {
                let [above, below] = pair(sums[column], differences[column]);
                values[2 * y * side + 2 * x + column] = above;
                values[(2 * y + 1) * side + 2 * x + column] = below;
            }
        }
    }
    Square { side, values }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn joining_undoes_splitting() {
        let values: Vec<f64> = (0..64).map(|at| f64::from(at * at % 37)).collect();
        let whole = Square { side: 8, values };
        let again = join(&split(&whole));
        let near = |(one, other): (&f64, &f64)| (one - other).abs() < 1e-12;
        assert!(whole.values.iter().zip(&again.values).all(near));
    }

    #[test]
    fn averages_have_no_mean() {
        let block = |y: usize, x: usize| Square {
            side: 4,
            values: (0..16).map(|at| (at * (y + 1) + x) as f64).collect(),
        };
        let found = averages(8, block);
        assert_eq!(found.len(), 64);
        assert!(found.iter().sum::<f64>().abs() < 1e-9);
        // Blocks are darker or brighter by what their pixels are, times their side.
        assert!((found[1] - found[0] - 4.0).abs() < 1e-9);
    }
}
