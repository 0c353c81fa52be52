//! `sorted(..., reverse=True)` by a number.

use std::cmp::Ordering;

/// Up to this length Python sorts by insertion alone.
const INSERTION: usize = 64;

/// The places of `keys` from the highest to the lowest, ties as they came.
///
/// NaN compares with nothing; where it ends up is decided by how the sort goes
/// about its work, so short lists with a NaN are sorted in Python's own steps.
pub fn descending(keys: &[f64]) -> Vec<usize> {
    let mut places: Vec<usize> = (0..keys.len()).collect();
    if keys.len() < INSERTION && keys.iter().any(|key| key.is_nan()) {
        // Python reverses, sorts upwards and reverses again, which keeps ties in order.
        places.reverse();
        insertion_sort(&mut places, keys);
        places.reverse();
    } else {
        places.sort_by(|&a, &b| {
            keys[b]
                .partial_cmp(&keys[a])
                .unwrap_or_else(|| order_with_nan(keys[b], keys[a]))
        });
    }
    places
}

/// A total order in which NaN comes last.
fn order_with_nan(a: f64, b: f64) -> Ordering {
    b.is_nan().cmp(&a.is_nan())
}

/// A run at the head, reversed where it falls, then binary insertion of the rest.
fn insertion_sort(places: &mut [usize], keys: &[f64]) {
    let less = |a: usize, b: usize| keys[a] < keys[b];
    if places.len() < 2 {
        return;
    }
    let falling = less(places[1], places[0]);
    let mut run = 2;
    while run < places.len() && less(places[run], places[run - 1]) == falling {
        run += 1;
    }
    if falling {
        places[..run].reverse();
    }
    for at in run..places.len() {
        let pivot = places[at];
        let place = places[..at].partition_point(|&other| !less(pivot, other));
        places[place..=at].rotate_right(1);
    }
}

#[cfg(test)]
mod tests {
    use super::descending;

    #[test]
    fn ties_stay_in_order() {
        assert_eq!(descending(&[0.9, 0.5, 0.9, 0.0, 0.9]), [0, 2, 4, 1, 3]);
        assert!(descending(&[]).is_empty());
    }

    #[test]
    fn nan_ends_up_where_python_leaves_it() {
        // sorted(range(n), key=keys.__getitem__, reverse=True) of Python 3.11.
        let nan = f64::NAN;
        assert_eq!(descending(&[1.0, nan, 2.0]), [0, 1, 2]);
        assert_eq!(descending(&[nan, 1.0, 2.0, 3.0]), [0, 3, 2, 1]);
        assert_eq!(descending(&[1.0, 2.0, nan, 0.0, 5.0]), [2, 4, 1, 0, 3]);
        assert_eq!(descending(&[3.0, nan, 1.0, 2.0]), [0, 1, 3, 2]);
        let mut long = vec![nan; 70];
        long[69] = 1.0;
        assert_eq!(descending(&long)[0], 69);
    }
}
