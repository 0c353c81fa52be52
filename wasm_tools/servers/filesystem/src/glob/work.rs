//! A bound for the work of matching, whatever the patterns and however many the names.

use std::cell::Cell;

/// Some seconds: a hundred thousand names against a hundred patterns take a tenth of it.
const MOST_STEPS: u64 = 1_000_000_000;

/// What is left of the work that one call may do.
pub struct Work(Cell<u64>);

impl Work {
    /// All of it.
    pub fn new() -> Self {
        Work(Cell::new(MOST_STEPS))
    }

    /// So much of it.
    #[cfg(test)]
    pub fn of(steps: u64) -> Self {
        Work(Cell::new(steps))
    }

    /// Takes so many steps; false where they are not there any more.
    pub fn take(&self, steps: usize) -> bool {
        let left = self.0.get().saturating_sub(steps as u64);
        self.0.set(left);
        left > 0
    }

    /// Whether it is used up: then what did not match may yet have matched.
    pub fn is_over(&self) -> bool {
        self.0.get() == 0
    }
}
