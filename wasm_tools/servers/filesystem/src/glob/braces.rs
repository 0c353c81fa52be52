//! Brace expansion as Bash and npm `brace-expansion` do it: `{a,b}`, `{1..9..2}`, `{a..e}`.

/// Enough for any sane pattern, and a bound for the others.
const MAX_WORDS: usize = 10_000;
const MAX_DEPTH: usize = 50;

/// A character, and whether it was escaped and so has no meaning here.
type Token = (char, bool);

/// The patterns that a pattern with braces stands for.
pub fn expand(pattern: &str) -> Vec<String> {
    let closed = pattern
        .find('{')
        .is_some_and(|open| pattern[open..].contains('}'));
    if !closed {
        return vec![pattern.to_owned()];
    }
    let mut tokens = tokens(pattern);
    // `{}` at the very start is kept as it is.
    if let [(open @ '{', false), (close @ '}', false), ..] = tokens.as_slice() {
        let kept = [(*open, true), (*close, true)];
        tokens.splice(..2, kept);
    }
    let words = words(tokens, 0, true);
    words
        .iter()
        .map(|word| word.iter().map(|(letter, _)| letter).collect())
        .collect()
}

/// Takes the backslash off what it makes meaningless here; other escapes are the glob's.
fn tokens(pattern: &str) -> Vec<Token> {
    let mut tokens = Vec::new();
    let mut letters = pattern.chars().peekable();
    while let Some(letter) = letters.next() {
        match letters.peek() {
            Some(&next) if letter == '\\' && "\\{},.".contains(next) => {
                tokens.push((next, true));
                letters.next();
            }
            _ => tokens.push((letter, false)),
        }
    }
    tokens
}

/// The first opening brace that has a closing one, and that one.
fn first_set(tokens: &[Token]) -> Option<(usize, usize)> {
    let mut open = Vec::new();
    let mut pairs = Vec::new();
    for (at, token) in tokens.iter().enumerate() {
        match token {
            ('{', false) => open.push(at),
            ('}', false) => pairs.extend(open.pop().map(|start| (start, at))),
            _ => {}
        }
    }
    pairs.into_iter().min()
}

fn words(mut tokens: Vec<Token>, depth: usize, top: bool) -> Vec<Vec<Token>> {
    if depth > MAX_DEPTH {
        return vec![tokens];
    }
    let mut done: Vec<Vec<Token>> = vec![Vec::new()];
    let mut drop_empty = None;
    while let Some((open, close)) = first_set(&tokens) {
        let (before, body) = (&tokens[..open], &tokens[open + 1..close]);
        let after = tokens[close + 1..].to_vec();
        if before.last() == Some(&('$', false)) {
            append(&mut done, &[tokens[..=close].to_vec()]);
            tokens = after;
            continue;
        }
        let sequence = sequence(body);
        if sequence.is_none() && !body.contains(&(',', false)) {
            // Not a set. It may yet be part of one that closes later: `{a},b}`.
            if !set_follows(&after) {
                break;
            }
            tokens[close].1 = true;
            continue;
        }
        // Bash drops empty words when the first set is one of words.
        drop_empty.get_or_insert(top && sequence.is_none());
        let values = sequence.unwrap_or_else(|| members(body, depth));
        append(&mut done, &[before.to_vec()]);
        append(&mut done, &values);
        tokens = after;
    }
    append(&mut done, &[tokens]);
    if drop_empty == Some(true) {
        done.retain(|word| !word.is_empty());
    }
    done
}

fn append(done: &mut Vec<Vec<Token>>, values: &[Vec<Token>]) {
    let mut next = Vec::new();
    'all: for word in done.iter() {
        for value in values {
            if next.len() >= MAX_WORDS {
                break 'all;
            }
            next.push([word.as_slice(), value].concat());
        }
    }
    *done = next;
}

/// Whether a comma and then a closing brace follow.
fn set_follows(tokens: &[Token]) -> bool {
    let last_close = tokens.iter().rposition(|token| *token == ('}', false));
    let comma = tokens.iter().position(|token| *token == (',', false));
    matches!((comma, last_close), (Some(comma), Some(close)) if comma < close)
}

/// The words of a set, each expanded itself.
fn members(body: &[Token], depth: usize) -> Vec<Vec<Token>> {
    let mut parts = vec![Vec::new()];
    let mut level = 0;
    for token in body {
        match token {
            ('{', false) => level += 1,
            ('}', false) => level -= 1,
            (',', false) if level == 0 => {
                parts.push(Vec::new());
                continue;
            }
            _ => {}
        }
        if let Some(part) = parts.last_mut() {
            part.push(*token);
        }
    }
    if parts.len() == 1 {
        // `{{a,b}}` keeps its outer braces: `{a} {b}`.
        let inner = words(parts.remove(0), depth + 1, false);
        let embraced = |word: Vec<Token>| [vec![('{', true)], word, vec![('}', true)]].concat();
        return inner.into_iter().map(embraced).collect();
    }
    parts
        .into_iter()
        .flat_map(|part| words(part, depth + 1, false))
        .take(MAX_WORDS)
        .collect()
}

/// The values of `1..5`, `01..10..3` or `a..e`.
fn sequence(body: &[Token]) -> Option<Vec<Vec<Token>>> {
    if body.iter().any(|(_, escaped)| *escaped) {
        return None;
    }
    let text: String = body.iter().map(|(letter, _)| letter).collect();
    let parts: Vec<&str> = text.split("..").collect();
    let (from, to, step) = match parts.as_slice() {
        [from, to] => (*from, *to, "1"),
        [from, to, step] => (*from, *to, *step),
        _ => return None,
    };
    let step = integer(step)?.unsigned_abs().max(1);
    let words = if let (Some(first), Some(last)) = (integer(from), integer(to)) {
        let padded = [from, to, step_text(&parts)]
            .iter()
            .any(|text| is_padded(text));
        let width = if padded { from.len().max(to.len()) } else { 0 };
        range(first, last, step)
            .map(|number| pad(number, width))
            .collect()
    } else {
        let (first, last) = (single_letter(from)?, single_letter(to)?);
        range(i64::from(first), i64::from(last), step)
            .filter_map(|code| u8::try_from(code).ok().map(char::from))
            .map(|letter| {
                if letter == '\\' {
                    String::new()
                } else {
                    letter.to_string()
                }
            })
            .collect::<Vec<String>>()
    };
    Some(
        words
            .iter()
            .map(|word| word.chars().map(|letter| (letter, false)).collect())
            .collect(),
    )
}

fn step_text<'a>(parts: &[&'a str]) -> &'a str {
    parts.get(2).copied().unwrap_or("")
}

fn range(first: i64, last: i64, step: u64) -> impl Iterator<Item = i64> {
    let step = i64::try_from(step).unwrap_or(i64::MAX);
    let down = last < first;
    let next = move |at: &i64| {
        if down {
            at.checked_sub(step)
        } else {
            at.checked_add(step)
        }
    };
    std::iter::successors(Some(first), next)
        .take_while(move |at| if down { *at >= last } else { *at <= last })
        .take(MAX_WORDS)
}

fn integer(text: &str) -> Option<i64> {
    let digits = text.strip_prefix('-').unwrap_or(text);
    let is_number = !digits.is_empty() && digits.bytes().all(|digit| digit.is_ascii_digit());
    text.parse().ok().filter(|_| is_number)
}

fn is_padded(text: &str) -> bool {
    let digits = text.strip_prefix('-').unwrap_or(text);
    digits.len() > 1 && digits.starts_with('0')
}

fn pad(number: i64, width: usize) -> String {
    if number < 0 {
        let width = width.saturating_sub(1).min(64);
        format!("-{:0>width$}", number.unsigned_abs())
    } else {
        let width = width.min(64);
        format!("{number:0>width$}")
    }
}

fn single_letter(text: &str) -> Option<u8> {
    match text.as_bytes() {
        [letter] if letter.is_ascii_alphabetic() => Some(*letter),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::expand;

    #[test]
    fn braces_expand_as_in_bash() {
        for (pattern, words) in [
            ("a", "a"),
            ("a{b,c}d", "abd acd"),
            ("a{b,{c,d}}e", "abe ace ade"),
            ("{1..3}", "1 2 3"),
            ("{3..1..2}", "3 1"),
            ("{08..10}", "08 09 10"),
            ("{-1..1}", "-1 0 1"),
            ("{c..a}", "c b a"),
            ("a{b}c", "a{b}c"),
            ("a{b}c{d,e}", "a{b}cd a{b}ce"),
            ("{a},b}", "a} b"),
            ("{{a,b}}", "{a} {b}"),
            ("${a,b}c", "${a,b}c"),
            ("a{,b}", "a ab"),
            ("{a,b", "{a,b"),
            ("{a{b,c}", "{ab {ac"),
            ("\\{a,b\\}", "{a,b}"),
            ("{a\\,b,c}", "a,b c"),
            ("{}{a,b}", "{}a {}b"),
        ] {
            assert_eq!(expand(pattern).join(" "), words, "{pattern}");
        }
    }
}
