//! Names of objects, as short as git shows them: core.abbrev.

use crate::store::objects::oid::Oid;
use crate::store::repo::Repo;

/// How many digits of a name git shows in this repository.
pub fn digits(repo: &Repo) -> usize {
    match repo.config.get("core.abbrev") {
        Some("no" | "off" | "false") => 40,
        Some(number) if number.parse::<usize>().is_ok() => number.parse().unwrap_or(7).clamp(4, 40),
        _ => {
            let count = repo.odb.packed();
            let bits = (usize::BITS - count.leading_zeros()) as usize;
            bits.div_ceil(2).max(7)
        }
    }
}

/// As many digits of a name as make it unique, but no fewer than these.
pub fn abbreviated(repo: &Repo, oid: &Oid, digits: usize) -> String {
    let hex = oid.hex();
    let mut shown = digits.clamp(4, 40);
    if !oid.is_null() {
        let others = repo.odb.starting_with(&hex[..shown]);
        for other in others.iter().filter(|other| *other != oid) {
            let other = other.hex();
            let same = hex
                .bytes()
                .zip(other.bytes())
                .take_while(|(a, b)| a == b)
                .count();
            shown = shown.max(same + 1);
        }
    }
    hex[..shown.min(40)].to_owned()
}
