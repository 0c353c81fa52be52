//! The automaton, run: a deterministic one made state by state as texts ask for it.

use std::collections::HashMap;

use python_values::chars::WORD_RANGES;

use super::alphabet::Alphabet;
use super::charset::CharSet;
use super::error::PatternError;
use super::program::{Instruction, Program};
use super::syntax::{category, Assertion};

/// Cached transitions and state members, in words of 4 bytes; beyond it the cache starts anew.
const MAX_CACHE: usize = 2_000_000;

const UNKNOWN: u32 = u32::MAX;
const MATCHED: u32 = u32::MAX - 1;

/// What lies before a place: bits of a state's context.
const AT_START: u8 = 1;
const AFTER_NEWLINE: u8 = 2;
const AFTER_WORD: u8 = 4;
const AFTER_ASCII_WORD: u8 = 8;

/// What comes next.
#[derive(Clone, Copy)]
enum Symbol {
    Class(u32),
    /// A newline that ends the text.
    LastNewline,
    End,
}

/// Where the automaton may be after a character, and what that character was.
#[derive(Clone, PartialEq, Eq, Hash)]
struct State {
    members: Box<[u32]>,
    context: u8,
}

pub struct Matcher {
    program: Program,
    alphabet: Alphabet,
    /// Indices of the sets that only assertions ask for.
    newline_set: u32,
    word_set: u32,
    ascii_word_set: u32,
    newline_class: u32,
    /// The bits of a context that the program's assertions read.
    context_mask: u8,
    states: Vec<State>,
    index: HashMap<State, u32>,
    /// `transitions[state * stride + symbol]`.
    transitions: Vec<u32>,
    stride: usize,
    cached: usize,
    closure: Closure,
}

/// Scratch for one closure: marks of what was visited, and what is left to visit.
#[derive(Default)]
struct Closure {
    visited: Vec<u32>,
    round: u32,
    stack: Vec<u32>,
}

impl Matcher {
    pub fn new(mut program: Program) -> Result<Self, PatternError> {
        let context_mask = context_mask(&program);
        let extra = |bit: u8, set: CharSet| {
            if context_mask & bit == 0 {
                CharSet::default()
            } else {
                set
            }
        };
        let newline_set = program.sets.len() as u32;
        program.sets.push(CharSet::single(u32::from(b'\n')));
        program
            .sets
            .push(extra(AFTER_WORD, CharSet::new(WORD_RANGES.to_vec())));
        program.sets.push(extra(
            AFTER_ASCII_WORD,
            category('w', true).unwrap_or_default(),
        ));
        let alphabet = Alphabet::new(&program.sets)?;
        let visited = vec![0; program.instructions.len()];
        let mut matcher = Matcher {
            newline_set,
            word_set: newline_set + 1,
            ascii_word_set: newline_set + 2,
            newline_class: alphabet.of('\n'),
            context_mask,
            states: Vec::new(),
            index: HashMap::new(),
            transitions: Vec::new(),
            stride: alphabet.count + 2,
            cached: 0,
            closure: Closure {
                visited,
                ..Closure::default()
            },
            program,
            alphabet,
        };
        matcher.forget();
        Ok(matcher)
    }

    /// Whether the pattern matches anywhere in the text.
    pub fn search(&mut self, text: &str) -> bool {
        let body = text.strip_suffix('\n').unwrap_or(text);
        let bytes = body.as_bytes();
        let mut state = 0;
        let mut at = 0;
        while let Some(&byte) = bytes.get(at) {
            let class = if byte < 0x80 {
                at += 1;
                self.alphabet.of_ascii(byte)
            } else {
                let c = body[at..]
                    .chars()
                    .next()
                    .unwrap_or(char::REPLACEMENT_CHARACTER);
                at += c.len_utf8();
                self.alphabet.of(c)
            };
            state = self.next(state, Symbol::Class(class));
            if state == MATCHED {
                return true;
            }
        }
        if body.len() < text.len() {
            state = self.next(state, Symbol::LastNewline);
        }
        state == MATCHED || self.next(state, Symbol::End) == MATCHED
    }

    fn next(&mut self, state: u32, symbol: Symbol) -> u32 {
        let column = match symbol {
            Symbol::Class(class) => class as usize,
            Symbol::LastNewline => self.stride - 2,
            Symbol::End => self.stride - 1,
        };
        let cell = state as usize * self.stride + column;
        match self.transitions[cell] {
            UNKNOWN => self.learn(state, symbol, cell),
            known => known,
        }
    }

    #[cold]
    fn learn(&mut self, from: u32, symbol: Symbol, cell: usize) -> u32 {
        let Some(next) = self.step(from, symbol) else {
            self.transitions[cell] = MATCHED;
            return MATCHED;
        };
        if self.cached > MAX_CACHE {
            self.forget();
            return self.intern(next);
        }
        let next = self.intern(next);
        self.transitions[cell] = next;
        next
    }

    /// Drops every state but the initial one, which has number 0.
    fn forget(&mut self) {
        self.states.clear();
        self.index.clear();
        self.transitions.clear();
        self.cached = 0;
        let context = AT_START & self.context_mask;
        self.intern(State {
            members: Box::default(),
            context,
        });
    }

    fn intern(&mut self, state: State) -> u32 {
        if let Some(&number) = self.index.get(&state) {
            return number;
        }
        let number = self.states.len() as u32;
        self.cached += self.stride + 2 * state.members.len();
        self.transitions
            .resize(self.transitions.len() + self.stride, UNKNOWN);
        self.index.insert(state.clone(), number);
        self.states.push(state);
        number
    }

    /// The state after `symbol`, or None where the pattern has matched before it.
    fn step(&mut self, from: u32, symbol: Symbol) -> Option<State> {
        let context = self.states[from as usize].context;
        let mut members = Vec::new();
        self.closure
            .begin(&self.states[from as usize].members, self.program.start);
        while let Some(at) = self.closure.stack.pop() {
            match self.program.instructions[at as usize] {
                Instruction::Match => return None,
                Instruction::Split(a, b) => {
                    self.closure.visit(a);
                    self.closure.visit(b);
                }
                Instruction::Assert { assertion, next } => {
                    if self.holds(assertion, context, symbol) {
                        self.closure.visit(next);
                    }
                }
                Instruction::Set { set, next } => {
                    if self
                        .class_of(symbol)
                        .is_some_and(|class| self.alphabet.is_in(class, set))
                    {
                        members.push(next);
                    }
                }
            }
        }
        members.sort_unstable();
        members.dedup();
        Some(State {
            members: members.into(),
            context: self.context_after(symbol),
        })
    }

    fn class_of(&self, symbol: Symbol) -> Option<u32> {
        match symbol {
            Symbol::Class(class) => Some(class),
            Symbol::LastNewline => Some(self.newline_class),
            Symbol::End => None,
        }
    }

    fn context_after(&self, symbol: Symbol) -> u8 {
        let bits = [
            (AFTER_NEWLINE, self.newline_set),
            (AFTER_WORD, self.word_set),
            (AFTER_ASCII_WORD, self.ascii_word_set),
        ];
        let class = self.class_of(symbol);
        let is_in = |set| class.is_some_and(|class| self.alphabet.is_in(class, set));
        let context = bits
            .iter()
            .filter(|&&(_, set)| is_in(set))
            .fold(0, |all, &(bit, _)| all | bit);
        context & self.context_mask
    }

    /// Whether an assertion holds between `context` and what comes next.
    fn holds(&self, assertion: Assertion, context: u8, symbol: Symbol) -> bool {
        match assertion {
            Assertion::TextStart => context & AT_START != 0,
            Assertion::LineStart => context & (AT_START | AFTER_NEWLINE) != 0,
            Assertion::TextEnd => matches!(symbol, Symbol::End),
            Assertion::LastLineEnd => !matches!(symbol, Symbol::Class(_)),
            Assertion::LineEnd => self
                .class_of(symbol)
                .is_none_or(|class| class == self.newline_class),
            Assertion::WordBoundary { ascii, wanted } => {
                let bit = if ascii { AFTER_ASCII_WORD } else { AFTER_WORD };
                let changes = (context ^ self.context_after(symbol)) & bit != 0;
                changes == wanted
            }
        }
    }
}

impl Closure {
    fn begin(&mut self, members: &[u32], start: u32) {
        self.round = self.round.wrapping_add(1);
        if self.round == 0 {
            self.visited.fill(0);
            self.round = 1;
        }
        self.stack.clear();
        // A match may begin at any place, so the start is always among the members.
        self.visit(start);
        for &member in members {
            self.visit(member);
        }
    }

    fn visit(&mut self, at: u32) {
        if std::mem::replace(&mut self.visited[at as usize], self.round) != self.round {
            self.stack.push(at);
        }
    }
}

/// The bits of a context that the assertions of a program ask for.
fn context_mask(program: &Program) -> u8 {
    program.instructions.iter().fold(0, |mask, instruction| {
        mask | match instruction {
            Instruction::Assert { assertion, .. } => match assertion {
                Assertion::TextStart => AT_START,
                Assertion::LineStart => AT_START | AFTER_NEWLINE,
                Assertion::WordBoundary { ascii: false, .. } => AFTER_WORD,
                Assertion::WordBoundary { ascii: true, .. } => AFTER_ASCII_WORD,
                Assertion::TextEnd | Assertion::LastLineEnd | Assertion::LineEnd => 0,
            },
            _ => 0,
        }
    })
}
