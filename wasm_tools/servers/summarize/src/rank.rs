//! How telling each sentence is: PageRank over the likeness of sentences.
//!
//! TextRank (Mihalcea and Tarau, EMNLP 2004) with the weighting of LexRank (Erkan and Radev,
//! JAIR 22, 2004): likeness is the cosine of tf-idf vectors. With the vectors as rows of X,
//! each of length 1, the matrix of likeness is X Xᵀ less its diagonal, so that one step of
//! the iteration costs two passes over the terms and no pair of sentences is ever looked at.

use std::collections::HashMap;

use crate::words::each_term;

/// More terms are not ranked: sentences are then left out evenly.
const MOST_TERMS: usize = 2_000_000;
const ROUNDS: usize = 40;
const DAMPING: f64 = 0.85;
/// How much the first sentences of a text are preferred, as writers begin with what matters.
const LEAD: f64 = 1.0;

/// The terms of sentences: rows of numbers, each of length 1 or 0.
pub struct Vectors {
    rows: Vec<Vec<(u32, f32)>>,
    terms: usize,
}

impl Vectors {
    /// The tf-idf vectors of sentences.
    pub fn of(sentences: &[&str]) -> Self {
        let mut ids: HashMap<String, u32> = HashMap::new();
        let mut rows: Vec<Vec<(u32, f32)>> = Vec::with_capacity(sentences.len());
        let mut held = Vec::new(); // in how many sentences each term stands
        let mut total = 0;
        let step = evenly(sentences);
        for (at, sentence) in sentences.iter().enumerate() {
            let mut row: Vec<(u32, f32)> = Vec::new();
            if at % step == 0 && total < MOST_TERMS {
                row = counted(sentence, &mut ids);
            }
            held.resize(ids.len(), 0_u32);
            for &(term, _) in &row {
                held[term as usize] += 1;
            }
            total += row.len();
            rows.push(row);
        }
        let count = rows.iter().filter(|row| !row.is_empty()).count() as f64;
        for row in &mut rows {
            weigh(row, |term| {
                (1.0 + count / f64::from(held[term as usize])).ln()
            });
        }
        Vectors {
            rows,
            terms: held.len(),
        }
    }

    /// The likeness of two sentences, from 0 to 1.
    pub fn likeness(&self, a: usize, b: usize) -> f64 {
        let (mut left, mut right) = (
            self.rows[a].iter().peekable(),
            self.rows[b].iter().peekable(),
        );
        let mut sum = 0.0;
        while let (Some(&&(x, u)), Some(&&(y, v))) = (left.peek(), right.peek()) {
            match x.cmp(&y) {
                std::cmp::Ordering::Less => _ = left.next(),
                std::cmp::Ordering::Greater => _ = right.next(),
                std::cmp::Ordering::Equal => {
                    sum += f64::from(u) * f64::from(v);
                    left.next();
                    right.next();
                }
            }
        }
        sum
    }

    /// How telling each sentence is; the sum is about 1.
    pub fn ranks(&self) -> Vec<f64> {
        let n = self.rows.len();
        let lead: Vec<f64> = (0..n).map(|at| 1.0 + LEAD / (1.0 + at as f64)).collect();
        let whole: f64 = lead.iter().sum();
        let degrees = self.times_likeness(&vec![1.0; n]);
        let mut ranks: Vec<f64> = lead.iter().map(|weight| weight / whole).collect();
        for _ in 0..ROUNDS {
            let shares: Vec<f64> = ranks
                .iter()
                .zip(&degrees)
                .map(|(rank, degree)| if *degree > 1e-12 { rank / degree } else { 0.0 })
                .collect();
            let passed = self.times_likeness(&shares);
            // What sentences like no other hold goes back to all.
            let kept: f64 = passed.iter().sum();
            let rest = 1.0 - DAMPING * kept;
            for (at, rank) in ranks.iter_mut().enumerate() {
                *rank = DAMPING * passed[at] + rest * lead[at] / whole;
            }
        }
        // A sentence without terms says nothing that could be compared.
        for (rank, row) in ranks.iter_mut().zip(&self.rows) {
            if row.is_empty() {
                *rank *= 0.1;
            }
        }
        ranks
    }

    /// (X Xᵀ - diagonal) v.
    fn times_likeness(&self, v: &[f64]) -> Vec<f64> {
        let mut columns = vec![0.0; self.terms];
        for (row, weight) in self.rows.iter().zip(v) {
            for &(term, x) in row {
                columns[term as usize] += f64::from(x) * weight;
            }
        }
        let rows = self.rows.iter().zip(v);
        rows.map(|(row, weight)| {
            let mut sum = 0.0;
            let mut own = 0.0;
            for &(term, x) in row {
                sum += f64::from(x) * columns[term as usize];
                own += f64::from(x) * f64::from(x);
            }
            (sum - own * weight).max(0.0)
        })
        .collect()
    }
}

/// Every how many sentences one is ranked, so that the terms of all stay within bounds.
fn evenly(sentences: &[&str]) -> usize {
    let bytes: usize = sentences.iter().map(|sentence| sentence.len()).sum();
    (bytes / 4).div_ceil(MOST_TERMS).max(1)
}

/// The terms of a sentence by their number, each with its count.
fn counted(sentence: &str, ids: &mut HashMap<String, u32>) -> Vec<(u32, f32)> {
    let mut terms: Vec<u32> = Vec::new();
    each_term(sentence, |term| {
        let next = ids.len() as u32;
        let id = match ids.get(term) {
            Some(&id) => id,
            None => *ids.entry(term.to_owned()).or_insert(next),
        };
        if terms.len() < MOST_TERMS {
            terms.push(id);
        }
    });
    terms.sort_unstable();
    let mut row: Vec<(u32, f32)> = Vec::new();
    for term in terms {
        match row.last_mut() {
            Some((last, count)) if *last == term => *count += 1.0,
            _ => row.push((term, 1.0)),
        }
    }
    row
}

/// From counts to weights, and to length 1.
fn weigh(row: &mut [(u32, f32)], idf: impl Fn(u32) -> f64) {
    let mut square = 0.0;
    for (term, value) in row.iter_mut() {
        let weight = (1.0 + f64::from(*value).ln()) * idf(*term);
        square += weight * weight;
        *value = weight as f32;
    }
    if square > 0.0 {
        let length = square.sqrt();
        for (_, value) in row.iter_mut() {
            *value = (f64::from(*value) / length) as f32;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const TEXT: [&str; 5] = [
        "Solar panels turn light into power.",
        "My cat sleeps all day.",
        "Power from solar panels is cheap where light is plenty.",
        "Cheap power changes where people live.",
        "!!!",
    ];

    #[test]
    fn what_the_text_is_about_ranks_before_what_it_is_not() {
        let ranks = Vectors::of(&TEXT).ranks();
        assert!(ranks[2] > ranks[1] && ranks[0] > ranks[1] && ranks[3] > ranks[1]);
        assert!(ranks[4] < ranks[1]);
    }

    #[test]
    fn the_short_way_is_the_product_of_all_pairs() {
        let vectors = Vectors::of(&TEXT);
        let v = [0.3, 0.1, 0.2, 0.25, 0.15];
        let fast = vectors.times_likeness(&v);
        for a in 0..TEXT.len() {
            let others = (0..TEXT.len()).filter(|b| *b != a);
            let slow: f64 = others.map(|b| vectors.likeness(a, b) * v[b]).sum();
            assert!((fast[a] - slow).abs() < 1e-6, "{a}: {} {slow}", fast[a]);
        }
    }
}
