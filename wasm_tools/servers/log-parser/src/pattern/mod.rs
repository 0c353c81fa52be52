//! Python's `re.search`, as a yes or no, in linear time.
//!
//! The tools promise the answers of Python's `re`, whose classes, case folding,
//! `$` and syntax errors differ from those of other engines, and they promise
//! linear time, which `re` cannot give. A search that only answers yes or no
//! needs no captures and no priorities, so a small automaton does both: the
//! pattern is read as `re` reads it (`syntax`), becomes a Thompson automaton
//! (`program`), and is run as a lazily made deterministic one (`matcher`), each
//! text character costing one table look-up. What such an automaton cannot do
//! (lookaround, backreferences, conditions, atomic groups) is an error by name.
//!
//! The construction is that of Thompson (1968) with the lazy subset
//! construction of Cox, "Regular Expression Matching Can Be Simple And Fast".

mod alphabet;
mod charset;
mod error;
mod escape;
mod group;
mod matcher;
mod program;
mod syntax;

use matcher::Matcher;

pub use error::PatternError;

/// A compiled pattern.
pub struct Pattern(Matcher);

impl Pattern {
    /// Reads a pattern in the syntax of Python 3.11's `re`.
    ///
    /// # Errors
    /// The pattern is invalid, needs what linear time cannot give, or is too large.
    pub fn compile(pattern: &str, ignore_case: bool) -> Result<Self, PatternError> {
        let node = syntax::parse(pattern, ignore_case)?;
        let program = program::compile(&node)?;
        Ok(Pattern(Matcher::new(program)?))
    }

    /// Whether the pattern matches anywhere in the text. Learns as it goes, hence `mut`.
    pub fn search(&mut self, text: &str) -> bool {
        self.0.search(text)
    }
}

#[cfg(test)]
mod tests;
