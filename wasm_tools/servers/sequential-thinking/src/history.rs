//! What a session has thought so far, as far as answers tell of it.

use std::collections::BTreeSet;

/// What is kept of one thought.
pub struct Thought {
    /// The branch it belongs to.
    pub branch: Option<String>,
}

/// The thoughts of one session: how many, and the branches in the order in which the
/// public server lists them.
pub struct History {
    len: usize,
    /// Names that are array indices of JavaScript: these come first, in numeric order.
    indices: BTreeSet<u32>,
    /// The other names, in the order of their first use.
    names: Vec<String>,
    known: BTreeSet<String>,
}

/// The public server keeps branches in a JavaScript object, which has these names from
/// its start and can't take a thought under them.
const TAKEN: [&str; 12] = [
    "__defineGetter__",
    "__defineSetter__",
    "__lookupGetter__",
    "__lookupSetter__",
    "__proto__",
    "constructor",
    "hasOwnProperty",
    "isPrototypeOf",
    "propertyIsEnumerable",
    "toLocaleString",
    "toString",
    "valueOf",
];

impl History {
    pub const fn new() -> Self {
        History {
            len: 0,
            indices: BTreeSet::new(),
            names: Vec::new(),
            known: BTreeSet::new(),
        }
    }

    /// Adds a thought. One with a name of [`TAKEN`] counts, but its branch is refused.
    pub fn record(&mut self, thought: Thought) -> Result<(), String> {
        self.len += 1;
        let Some(name) = thought.branch.filter(|name| !name.is_empty()) else {
            return Ok(());
        };
        if TAKEN.contains(&name.as_str()) {
            return Err(format!(
                "{name:?} can't name a branch: choose another branchId"
            ));
        }
        if let Some(index) = array_index(&name) {
            self.indices.insert(index);
        } else if self.known.insert(name.clone()) {
            self.names.push(name);
        }
        Ok(())
    }

    pub fn len(&self) -> usize {
        self.len
    }

    pub fn branches(&self) -> Vec<String> {
        let indices = self.indices.iter().map(u32::to_string);
        indices.chain(self.names.iter().cloned()).collect()
    }
}

/// The number that a name spells, where JavaScript takes it for an array index: its
/// shortest decimal form, below 2^32 - 1.
fn array_index(name: &str) -> Option<u32> {
    let index: u32 = name.parse().ok()?;
    (index < u32::MAX && index.to_string() == name).then_some(index)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn branches(names: &[&str]) -> Vec<String> {
        let mut history = History::new();
        for name in names {
            let branch = Some((*name).to_owned());
            let _ = history.record(Thought { branch });
        }
        assert_eq!(history.len(), names.len());
        history.branches()
    }

    #[test]
    fn branches_stand_as_javascript_lists_keys() {
        assert_eq!(
            branches(&[
                "b",
                "10",
                "a",
                "2",
                "b",
                "01",
                "+1",
                "4294967295",
                "4294967294",
                ""
            ]),
            ["2", "10", "4294967294", "b", "a", "01", "+1", "4294967295"]
        );
        assert_eq!(branches(&["toString", "__proto__", "x"]), ["x"]);
    }
}
