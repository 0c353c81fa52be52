//! One name of a pattern: what stands between two slashes.

use super::class::{self, Bracket, Class};

/// Extended globs deeper inside each other than this are plain text.
const MAX_DEPTH: usize = 2;

/// A pattern for one name.
pub struct Segment(Vec<Node>);

enum Node {
    Unit(u16),
    AnyUnit,
    /// Any number of units.
    Star,
    Class(Class),
    /// Matches nothing at all.
    Nothing,
    /// An extended glob: `?(a|b)` and its like.
    Extended(Repeat, Vec<Vec<Node>>),
    /// `!(a|b)`: anything but these.
    Except(Vec<Vec<Node>>),
}

#[derive(Clone, Copy, PartialEq)]
enum Repeat {
    Once,
    AtMostOnce,
    Any,
    AtLeastOnce,
}

/// What still follows, seen from inside an extended glob.
#[derive(Clone, Copy)]
struct Tail<'a> {
    nodes: &'a [Node],
    outer: Option<&'a Tail<'a>>,
}

/// Positions between the units of a name.
type Places = Vec<bool>;

impl Segment {
    /// Reads a pattern without slashes.
    pub fn new(pattern: &str) -> Self {
        let units: Vec<u16> = pattern.encode_utf16().collect();
        let mut reader = Reader {
            units: &units,
            at: 0,
        };
        Segment(reader.sequence(0, false).unwrap_or_default())
    }

    /// Whether the whole name matches.
    pub fn matches(&self, name: &[u16]) -> bool {
        let mut start = vec![false; name.len() + 1];
        start[0] = true;
        advance(&self.0, name, start, None)[name.len()]
    }
}

struct Reader<'a> {
    units: &'a [u16],
    at: usize,
}

impl Reader<'_> {
    fn peek(&self) -> Option<u16> {
        self.units.get(self.at).copied()
    }

    /// Reads nodes up to the end, or up to `|` or `)` of the extended glob around them.
    /// None when that never closes.
    fn sequence(&mut self, depth: usize, inside: bool) -> Option<Vec<Node>> {
        let mut nodes = Vec::new();
        while let Some(unit) = self.peek() {
            let letter = char::from_u32(u32::from(unit)).unwrap_or_default();
            match letter {
                '|' | ')' if inside => return Some(nodes),
                '?' | '*' | '+' | '@' | '!' if self.opens_extended(depth) => {
                    nodes.push(self.extended(letter, depth));
                    continue;
                }
                '\\' if self.at + 1 < self.units.len() => {
                    self.at += 1;
                    nodes.extend(self.peek().map(Node::Unit));
                }
                '*' if matches!(nodes.last(), Some(Node::Star)) => {}
                '*' => nodes.push(Node::Star),
                '?' => nodes.push(Node::AnyUnit),
                '[' => match class::read(self.units, self.at) {
                    Bracket::Class(class, end) => {
                        nodes.push(Node::Class(class));
                        self.at = end;
                        continue;
                    }
                    Bracket::Plain(unit, end) => {
                        nodes.push(Node::Unit(unit));
                        self.at = end;
                        continue;
                    }
                    Bracket::Nothing => {
                        self.at = self.units.len();
                        nodes.push(Node::Nothing);
                        continue;
                    }
                    Bracket::Literal => nodes.push(Node::Unit(unit)),
                },
                _ => nodes.push(Node::Unit(unit)),
            }
            self.at += 1;
        }
        (!inside).then_some(nodes)
    }

    fn opens_extended(&self, depth: usize) -> bool {
        depth <= MAX_DEPTH && self.units.get(self.at + 1) == Some(&(b'(' as u16))
    }

    /// Reads `X(a|b)`; where it never closes, the rest is text without extended globs.
    fn extended(&mut self, kind: char, depth: usize) -> Node {
        let start = self.at;
        self.at += 2;
        let mut alternatives = Vec::new();
        while let Some(nodes) = self.sequence(depth + 1, true) {
            alternatives.push(nodes);
            let closes = self.peek() == Some(b')' as u16);
            self.at += 1;
            if closes {
                return match kind {
                    '!' => Node::Except(alternatives),
                    '?' => Node::Extended(Repeat::AtMostOnce, alternatives),
                    '*' => Node::Extended(Repeat::Any, alternatives),
                    '+' => Node::Extended(Repeat::AtLeastOnce, alternatives),
                    _ => Node::Extended(Repeat::Once, alternatives),
                };
            }
        }
        self.at = start;
        let rest = self.sequence(MAX_DEPTH + 1, false).unwrap_or_default();
        Node::Extended(Repeat::Once, vec![rest])
    }
}

/// Moves the places through the nodes.
fn advance(nodes: &[Node], name: &[u16], mut from: Places, outer: Option<&Tail>) -> Places {
    for (index, node) in nodes.iter().enumerate() {
        let tail = Tail {
            nodes: nodes.get(index + 1..).unwrap_or_default(),
            outer,
        };
        from = match node {
            Node::Unit(unit) => shift(&from, name, |found| found == *unit),
            Node::AnyUnit => shift(&from, name, |_| true),
            Node::Class(class) => shift(&from, name, |found| class.holds(found)),
            Node::Nothing => vec![false; from.len()],
            Node::Star => from_first(&from),
            Node::Extended(repeat, alternatives) => {
                repeated(*repeat, alternatives, name, from, &tail)
            }
            Node::Except(alternatives) => {
                let allowed = |at: usize| {
                    !alternatives
                        .iter()
                        .any(|nodes| ends(nodes, name, at, &tail))
                };
                let kept: Places = (0..from.len()).map(|at| from[at] && allowed(at)).collect();
                from_first(&kept)
            }
        };
    }
    from
}

fn shift(from: &Places, name: &[u16], fits: impl Fn(u16) -> bool) -> Places {
    let mut next = vec![false; from.len()];
    for (at, unit) in name.iter().enumerate() {
        next[at + 1] = from[at] && fits(*unit);
    }
    next
}

/// Every place from the first on.
fn from_first(from: &Places) -> Places {
    let mut seen = false;
    from.iter()
        .map(|is| {
            seen |= *is;
            seen
        })
        .collect()
}

fn repeated(
    repeat: Repeat,
    alternatives: &[Vec<Node>],
    name: &[u16],
    from: Places,
    tail: &Tail,
) -> Places {
    let once = |from: &Places| {
        let mut union = vec![false; from.len()];
        for nodes in alternatives {
            let reached = advance(nodes, name, from.clone(), Some(tail));
            union
                .iter_mut()
                .zip(reached)
                .for_each(|(known, new)| *known |= new);
        }
        union
    };
    let mut reached = once(&from);
    if matches!(repeat, Repeat::Any | Repeat::AtLeastOnce) {
        loop {
            let further = once(&reached);
            let before = reached.clone();
            reached
                .iter_mut()
                .zip(further)
                .for_each(|(known, new)| *known |= new);
            if reached == before {
                break;
            }
        }
    }
    if matches!(repeat, Repeat::Any | Repeat::AtMostOnce) {
        reached
            .iter_mut()
            .zip(from)
            .for_each(|(known, new)| *known |= new);
    }
    reached
}

/// Whether these nodes and then all that follows lead from `at` to the end of the name.
fn ends(nodes: &[Node], name: &[u16], at: usize, tail: &Tail) -> bool {
    let mut places = vec![false; name.len() + 1];
    places[at] = true;
    places = advance(nodes, name, places, Some(tail));
    let mut next = Some(tail);
    while let Some(tail) = next {
        places = advance(tail.nodes, name, places, tail.outer);
        next = tail.outer;
    }
    places[name.len()]
}
