//! One name of a pattern: what stands between two slashes.

use super::class::{self, Bracket, Class};
use super::work::Work;

/// Extended globs deeper inside each other than this are plain text.
const MAX_DEPTH: usize = 2;

/// A pattern for one name.
pub struct Segment {
    nodes: Vec<Node>,
    /// No shorter name matches.
    least_units: usize,
}

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
        let nodes = reader.sequence(0, false).unwrap_or_default();
        let takes_one =
            |node: &&Node| matches!(node, Node::Unit(_) | Node::AnyUnit | Node::Class(_));
        Segment {
            least_units: nodes.iter().filter(takes_one).count(),
            nodes,
        }
    }

    /// Whether the whole name matches. False, too, where the work is used up.
    pub fn matches(&self, name: &[u16], work: &Work) -> bool {
        if name.len() < self.least_units || !self.begins(name) {
            return false;
        }
        let mut start = vec![false; name.len() + 1];
        start[0] = true;
        let matching = Matching { name, work };
        matching.advance(&self.nodes, start, None)[name.len()]
    }

    /// Whether the first unit may be that of the name: most names fail there, at once.
    fn begins(&self, name: &[u16]) -> bool {
        match (self.nodes.first(), name.first()) {
            (Some(Node::Unit(wanted)), first) => first == Some(wanted),
            _ => true,
        }
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

/// One name, on its way through a pattern.
#[derive(Clone, Copy)]
struct Matching<'a> {
    name: &'a [u16],
    work: &'a Work,
}

impl Matching<'_> {
    /// Moves the places through the nodes, as long as there are any.
    fn advance(self, nodes: &[Node], mut from: Places, outer: Option<&Tail>) -> Places {
        for (index, node) in nodes.iter().enumerate() {
            if !from.contains(&true) {
                break;
            }
            if !self.work.take(from.len()) {
                return vec![false; from.len()];
            }
            let tail = Tail {
                nodes: nodes.get(index + 1..).unwrap_or_default(),
                outer,
            };
            from = match node {
                Node::Unit(unit) => self.shift(&from, |found| found == *unit),
                Node::AnyUnit => self.shift(&from, |_| true),
                Node::Class(class) => self.shift(&from, |found| class.holds(found)),
                Node::Nothing => vec![false; from.len()],
                Node::Star => from_first(&from),
                Node::Extended(repeat, alternatives) => {
                    self.repeated(*repeat, alternatives, from, &tail)
                }
                Node::Except(alternatives) => {
                    let allowed =
                        |at: usize| !alternatives.iter().any(|nodes| self.ends(nodes, at, &tail));
                    let kept: Places = (0..from.len()).map(|at| from[at] && allowed(at)).collect();
                    from_first(&kept)
                }
            };
        }
        from
    }

    fn shift(self, from: &Places, fits: impl Fn(u16) -> bool) -> Places {
        let mut next = vec![false; from.len()];
        for (at, unit) in self.name.iter().enumerate() {
            next[at + 1] = from[at] && fits(*unit);
        }
        next
    }

    fn repeated(
        self,
        repeat: Repeat,
        alternatives: &[Vec<Node>],
        from: Places,
        tail: &Tail,
    ) -> Places {
        let once = |from: &Places| {
            let mut union = vec![false; from.len()];
            for nodes in alternatives {
                let reached = self.advance(nodes, from.clone(), Some(tail));
                unite(&mut union, &reached);
            }
            union
        };
        let mut reached = once(&from);
        if matches!(repeat, Repeat::Any | Repeat::AtLeastOnce) {
            loop {
                let before = reached.clone();
                unite(&mut reached, &once(&before));
                if reached == before {
                    break;
                }
            }
        }
        if matches!(repeat, Repeat::Any | Repeat::AtMostOnce) {
            unite(&mut reached, &from);
        }
        reached
    }

    /// Whether these nodes and then all that follows lead from `at` to the end of the name.
    fn ends(self, nodes: &[Node], at: usize, tail: &Tail) -> bool {
        let mut places = vec![false; self.name.len() + 1];
        places[at] = true;
        places = self.advance(nodes, places, Some(tail));
        let mut next = Some(tail);
        while let Some(tail) = next {
            places = self.advance(tail.nodes, places, tail.outer);
            next = tail.outer;
        }
        places[self.name.len()]
    }
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

fn unite(known: &mut Places, new: &Places) {
    known
        .iter_mut()
        .zip(new)
        .for_each(|(known, new)| *known |= *new);
}
