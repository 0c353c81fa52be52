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
        hashes.push(hash.as_str().and_then(bits).ok_or_else(|| {
            Fault::new(format!(
                "hashes: {hash} of {path} is no square of hexadecimal digits"
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
    let named: Vec<Vec<Value>> = groups
        .iter()
        .map(|group| group.iter().map(name).collect())
        .collect();
    let unique: Vec<Value> = (0..total)
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

type Hashed = Vec<(Value, Value)>;

/// Paths with their hashes, of which the last one of a path counts, and what has none.
fn sorted_out(hashes: Vec<Map>) -> Outcome<(Hashed, Vec<Value>)> {
    let mut valid: Hashed = Vec::new();
    let mut places: HashMap<String, usize> = HashMap::new();
    let mut errors = Vec::new();
    for (at, mut entry) in hashes.into_iter().enumerate() {
        if entry.contains_key("error") {
            errors.push(Value::Object(entry));
            continue;
        }
        let Some(hash) = entry.shift_remove("hash") else {
            entry.insert("error".into(), "it has no hash".into());
            errors.push(Value::Object(entry));
            continue;
        };
        let path = entry.shift_remove("path");
        let Some(path) = path.filter(|path| !path.is_array() && !path.is_object()) else {
            return Err(Fault::new(format!(
                "hashes[{at}]: expected an object with a path"
            )));
        };
        match places.get(&path.to_string()) {
            Some(place) => valid[*place].1 = hash,
            None => {
                places.insert(path.to_string(), valid.len());
                valid.push((path, hash));
            }
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

/// The bits of a hash: a square of them, as large as the digits have room for, or rows as
/// long as its side where the number is larger than that.
fn bits(hash: &str) -> Option<Bits> {
    let side = (hash.chars().count() * 4).isqrt();
    let hash = hash.trim();
    let number = hash.strip_prefix("0x").or(hash.strip_prefix("0X"));
    let digits: Option<Vec<u32>> = number
        .unwrap_or(hash)
        .chars()
        .map(|digit| digit.to_digit(16))
        .collect();
    let digits = digits.filter(|digits| !digits.is_empty())?;
    let all = digits
        .iter()
        .flat_map(|digit| (0..4).rev().map(move |place| digit >> place & 1 == 1));
    let number: Bits = all.skip_while(|bit| !bit).collect();
    let padding = (side * side).saturating_sub(number.len());
    let bits: Bits = std::iter::repeat_n(false, padding).chain(number).collect();
    (bits.len() % side == 0).then_some(bits)
}
