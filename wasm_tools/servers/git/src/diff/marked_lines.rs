//! A text whose lines are marked as changed or not.

/// One text of two: its lines, as numbers that are equal where lines are, and which changed.
pub struct MarkedLines<'a> {
    pub lines: Vec<&'a [u8]>,
    pub classes: Vec<u32>,
    pub changed: Vec<bool>,
}
