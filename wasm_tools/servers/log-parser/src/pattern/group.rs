//! Parentheses.

use super::syntax::{Flags, Node, Parsed, Parser};

/// Flags that a group turns on and off.
#[derive(Default)]
struct FlagChange {
    on: String,
    off: String,
}

impl Parser {
    /// What follows an opening parenthesis; None where it adds nothing (a comment, flags for the whole pattern).
    ///
    /// `at_start`: nothing but such came before, so that flags for the whole pattern may stand here.
    pub(super) fn group(
        &mut self,
        flags: &mut Flags,
        depth: usize,
        at_start: bool,
    ) -> Parsed<Option<Node>> {
        let start = self.at - 1;
        if !self.accept('?') {
            self.groups += 1;
            return self.group_body(*flags, depth, start).map(Some);
        }
        let Some(c) = self.next() else {
            return Err(self.error("unexpected end of pattern"));
        };
        match c {
            ':' => self.group_body(*flags, depth, start).map(Some),
            'P' => self.named(*flags, depth, start).map(Some),
            '#' => self.comment(start).map(|()| None),
            '=' | '!' => Err(self.unsupported(start, "a lookahead")),
            '<' => match self.next() {
                None => Err(self.error("unexpected end of pattern")),
                Some('=' | '!') => Err(self.unsupported(start, "a lookbehind")),
                Some(c) => Err(self.error_at(start, format!("unknown extension ?<{c}"))),
            },
            '(' => Err(self.unsupported(start, "a conditional group")),
            '>' => Err(self.unsupported(start, "an atomic group")),
            'a' | 'i' | 'L' | 'm' | 's' | 't' | 'u' | 'x' | '-' => {
                self.at -= 1;
                self.flag_group(flags, depth, at_start, start)
            }
            c => Err(self.error_at(start, format!("unknown extension ?{c}"))),
        }
    }

    fn group_body(&mut self, mut flags: Flags, depth: usize, start: usize) -> Parsed<Node> {
        let node = self.alternation(&mut flags, depth + 1)?;
        if !self.accept(')') {
            return Err(self.error_at(start, "missing ), unterminated subpattern"));
        }
        Ok(node)
    }

    fn named(&mut self, flags: Flags, depth: usize, start: usize) -> Parsed<Node> {
        match self.next() {
            None => Err(self.error("unexpected end of pattern")),
            Some('<') => {
                let name = self.name('>')?;
                if self.names.contains(&name) {
                    return Err(
                        self.error_at(start, format!("redefinition of group name {name:?}"))
                    );
                }
                self.names.push(name);
                self.groups += 1;
                self.group_body(flags, depth, start)
            }
            Some('=') => {
                let name = self.name(')')?;
                if !self.names.contains(&name) {
                    return Err(self.error_at(start, format!("unknown group name {name:?}")));
                }
                Err(self.unsupported(start, "a backreference"))
            }
            Some(c) => Err(self.error_at(start, format!("unknown extension ?P{c}"))),
        }
    }

    fn comment(&mut self, start: usize) -> Parsed<()> {
        loop {
            match self.next() {
                None => return Err(self.error_at(start, "missing ), unterminated comment")),
                Some(')') => return Ok(()),
                Some(_) => {}
            }
        }
    }

    /// `(?ims)` at the start of the pattern, or `(?i-m:...)` for a part of it.
    fn flag_group(
        &mut self,
        flags: &mut Flags,
        depth: usize,
        at_start: bool,
        start: usize,
    ) -> Parsed<Option<Node>> {
        let (change, end) = self.flag_letters()?;
        if end == ')' {
            if !at_start {
                return Err(self.error_at(start, "global flags not at the start of the expression"));
            }
            self.unicode_asked |= change.on.contains('u');
            *flags = change.applied(*flags);
            flags.ascii |= change.on.contains('a');
            return Ok(None);
        }
        if change.on.contains('t') || change.off.contains('t') {
            return Err(self.error("bad inline flags: t can only be set for the whole pattern"));
        }
        if change.on.chars().any(|flag| change.off.contains(flag)) {
            return Err(self.error("bad inline flags: flag turned on and off"));
        }
        let mut inner = change.applied(*flags);
        if change.on.contains('u') {
            inner.ascii = false;
        }
        self.group_body(inner, depth, start).map(Some)
    }

    fn flag_letters(&mut self) -> Parsed<(FlagChange, char)> {
        let mut change = FlagChange::default();
        let mut turning_off = false;
        loop {
            let bare = if turning_off {
                change.off.is_empty()
            } else {
                change.on.is_empty()
            };
            match self.next() {
                None => return Err(self.error("missing -, : or )")),
                Some('-') if !turning_off => turning_off = true,
                Some(':') if !bare => return Ok((change, ':')),
                Some(')') if !bare && !turning_off => return Ok((change, ')')),
                Some('L') => {
                    return Err(
                        self.error("bad inline flags: cannot use 'L' flag with a str pattern")
                    )
                }
                Some('a' | 'u') if turning_off => {
                    return Err(self.error("bad inline flags: cannot turn off flags 'a' and 'u'"));
                }
                Some(c @ ('a' | 'i' | 'm' | 's' | 't' | 'u' | 'x')) => {
                    let letters = if turning_off {
                        &mut change.off
                    } else {
                        &mut change.on
                    };
                    letters.push(c);
                    if letters.contains('a') && letters.contains('u') {
                        return Err(
                            self.error("bad inline flags: flags 'a' and 'u' are incompatible")
                        );
                    }
                }
                Some(_) => return Err(self.error("unknown flag")),
            }
        }
    }
}

impl FlagChange {
    fn applied(&self, mut flags: Flags) -> Flags {
        for (letters, state) in [(&self.on, true), (&self.off, false)] {
            for letter in letters.chars() {
                match letter {
                    'a' => flags.ascii = state,
                    'i' => flags.ignore_case = state,
                    'm' => flags.multi_line = state,
                    's' => flags.dot_all = state,
                    'x' => flags.verbose = state,
                    _ => {}
                }
            }
        }
        flags
    }
}
