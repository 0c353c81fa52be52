//! The automaton of a pattern.

use std::collections::HashMap;

use super::charset::CharSet;
use super::error::{too_large, PatternError};
use super::syntax::{Assertion, Node};

/// An automaton may have this many instructions.
const MAX_INSTRUCTIONS: usize = 50_000;

/// One step; the numbers are indices of instructions.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Instruction {
    /// Consume a character of the set with this index.
    Set {
        set: u32,
        next: u32,
    },
    /// Go on at both.
    Split(u32, u32),
    /// Go on where the assertion holds.
    Assert {
        assertion: Assertion,
        next: u32,
    },
    Match,
}

/// Instructions, the sets that they name, and where they begin.
#[derive(Debug, Default)]
pub struct Program {
    pub instructions: Vec<Instruction>,
    pub sets: Vec<CharSet>,
    pub start: u32,
}

/// Thompson's construction, made from the end of the pattern to its start.
pub fn compile(node: &Node) -> Result<Program, PatternError> {
    let mut compiler = Compiler::default();
    let end = compiler.push(Instruction::Match)?;
    let start = compiler.emit(node, end)?;
    compiler.program.start = start;
    Ok(compiler.program)
}

#[derive(Default)]
struct Compiler {
    program: Program,
    set_index: HashMap<CharSet, u32>,
}

impl Compiler {
    fn push(&mut self, instruction: Instruction) -> Result<u32, PatternError> {
        let at = self.program.instructions.len();
        if at >= MAX_INSTRUCTIONS {
            return Err(too_large());
        }
        self.program.instructions.push(instruction);
        Ok(at as u32)
    }

    /// The entry of `node` with `next` after it.
    fn emit(&mut self, node: &Node, next: u32) -> Result<u32, PatternError> {
        match node {
            Node::Set(set) => {
                let fresh = self.program.sets.len() as u32;
                let set = *self.set_index.entry(set.clone()).or_insert_with(|| {
                    self.program.sets.push(set.clone());
                    fresh
                });
                self.push(Instruction::Set { set, next })
            }
            Node::Assert(assertion) => self.push(Instruction::Assert {
                assertion: *assertion,
                next,
            }),
            Node::Concat(items) => items
                .iter()
                .rev()
                .try_fold(next, |next, item| self.emit(item, next)),
            Node::Alternate(branches) => {
                let mut entry = None;
                for branch in branches.iter().rev() {
                    let branch = self.emit(branch, next)?;
                    entry = Some(match entry {
                        None => branch,
                        Some(others) => self.push(Instruction::Split(branch, others))?,
                    });
                }
                Ok(entry.unwrap_or(next))
            }
            Node::Repeat { node, min, max } => self.emit_repeat(node, *min, *max, next),
        }
    }

    fn emit_repeat(
        &mut self,
        node: &Node,
        min: u32,
        max: Option<u32>,
        next: u32,
    ) -> Result<u32, PatternError> {
        // What consumes nothing holds as often as it holds once.
        let (min, max) = if consumes(node) {
            (min, max)
        } else {
            (min.min(1), max.map(|max| max.min(1)))
        };
        let mut entry = next;
        match max {
            None => {
                entry = self.push(Instruction::Split(0, next))?;
                let body = self.emit(node, entry)?;
                self.program.instructions[entry as usize] = Instruction::Split(body, next);
            }
            Some(max) => {
                for _ in min..max {
                    let body = self.emit(node, entry)?;
                    entry = self.push(Instruction::Split(body, next))?;
                }
            }
        }
        for _ in 0..min {
            entry = self.emit(node, entry)?;
        }
        Ok(entry)
    }
}

/// Whether a match of the node can take in a character.
fn consumes(node: &Node) -> bool {
    match node {
        Node::Set(_) => true,
        Node::Assert(_) => false,
        Node::Concat(items) | Node::Alternate(items) => items.iter().any(consumes),
        Node::Repeat { node, max, .. } => *max != Some(0) && consumes(node),
    }
}
