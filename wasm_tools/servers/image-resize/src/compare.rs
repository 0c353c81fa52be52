//! Groups of images whose hashes differ in few bits.

use std::collections::HashMap;

use wasmmcp::{json, Map, Value};

use crate::fault::{Fault, Outcome};

/// A hash as bits; two of different lengths can't be compared.
type Bits = Vec<bool>;

/// Compares hashes as `compute_image_hash` gives them; those with an `error` are listed as such.
pub fn compare(hashes: Vec<Map>, threshold: i64) -> Outcome<Value> {
    let (valid, errors) = sorted_out(hashes)?;
    let total = valid.len();
    if total < 2 {
        return Ok(json!({
            "total_compared": total,
            "duplicate_groups": [],
            "unique_count": total,
            "errors": errors,
        }));
    }
    let mut hashes = Vec::with_capacity(total);
    for (path, hash) in &valid {
        hashes.push(bits(hash).ok_or_else(|| {
            Fault::new(format!(
                "hashes: {hash:?} of {path} is no square of hexadecimal digits"
            ))
        })?);
    }
    if hashes.iter().any(|hash| hash.len() != hashes[0].len()) {
        return Err(Fault::new(
            "hashes: they have different lengths; compare hashes of one kind only",
        ));
    }
    let groups = groups(&hashes, threshold);
    let mut alone = vec![true; total];
    groups.iter().flatten().for_each(|at| alone[*at] = false);
    let name = |at: &usize| valid[*at].0.clone();
    let named: Vec<Vec<String>> = groups
        .iter()
        .map(|group| group.iter().map(name).collect())
        .collect();
    let unique: Vec<String> = (0..total)
        .filter(|at| alone[*at])
        .map(|at| name(&at))
        .collect();
    Ok(json!({
        "total_compared": total,
        "duplicate_group_count": named.len(),
        "duplicate_groups": named,
        "unique_count": unique.len(),
        "unique_paths": unique,
        "threshold": threshold,
        "errors": errors,
    }))
}

type Hashed = Vec<(String, String)>;

/// Paths with their hashes, of which the last one of a path counts, and what has none.
fn sorted_out(hashes: Vec<Map>) -> Outcome<(Hashed, Vec<Value>)> {
    let mut valid: Hashed = Vec::new();
    let mut places: HashMap<String, usize> = HashMap::new();
    let mut errors = Vec::new();
    for (at, entry) in hashes.into_iter().enumerate() {
        if entry.contains_key("error") {
            errors.push(Value::Object(entry));
            continue;
        }
        let Some(hash) = entry.get("hash") else {
            continue;
        };
        let (Some(path), Some(hash)) = (entry.get("path").and_then(Value::as_str), hash.as_str())
        else {
            return Err(Fault::new(format!(
                "hashes[{at}]: expected an object with the strings path and hash"
            )));
        };
        if let Some(place) = places.get(path) {
            valid[*place].1 = hash.to_owned();
        } else {
            places.insert(path.to_owned(), valid.len());
            valid.push((path.to_owned(), hash.to_owned()));
        }
    }
    Ok((valid, errors))
}

/// Each group is what is near its first member and in no group before it.
fn groups(hashes: &[Bits], threshold: i64) -> Vec<Vec<usize>> {
    let mut grouped = vec![false; hashes.len()];
    let mut groups = Vec::new();
    for first in 0..hashes.len() {
        if grouped[first] {
            continue;
        }
        let mut group = vec![first];
        for other in first + 1..hashes.len() {
            if !grouped[other] && distance(&hashes[first], &hashes[other]) <= threshold {
                grouped[other] = true;
                group.push(other);
            }
        }
        if group.len() > 1 {
            groups.push(group);
        }
    }
    groups
}

fn distance(one: &Bits, other: &Bits) -> i64 {
    one.iter().zip(other).filter(|(a, b)| a != b).count() as i64
}

/// The bits of a hash: a square of them, of which leading zeros may have no digit.
fn bits(hash: &str) -> Option<Bits> {
    let digits: Option<Vec<u32>> = hash.chars().map(|digit| digit.to_digit(16)).collect();
    let digits = digits.filter(|digits| !digits.is_empty())?;
    let all = digits
        .iter()
        .flat_map(|digit| (0..4).rev().map(move |place| digit >> place & 1 == 1));
    let all: Bits = all.collect();
    let square = all.len().isqrt().pow(2);
    let (extra, kept) = all.split_at(all.len() - square);
    extra.iter().all(|bit| !bit).then(|| kept.to_vec())
}
