//! A summary made of the text's own sentences, in their order.

use crate::rank::Vectors;
use crate::sentences::{split, Sentence};
use crate::words;

/// How a summary looks.
#[derive(Clone, Copy, PartialEq)]
pub enum Style {
    /// The few sentences that say most: at most a quarter of the text.
    Concise,
    /// As many as fit, in the paragraphs of the text.
    Detailed,
    /// At most seven sentences, one to a line.
    Bullet,
}

const BULLET: &str = "- ";
const MOST_BULLETS: usize = 7;
/// A concise summary is at most one of so many parts of the text.
const CONCISE_PART: usize = 4;
/// Sentences more alike than this say the same.
const ALIKE: f64 = 0.6;
/// A sentence of fewer words is more likely a heading.
const SHORT_WORDS: usize = 4;
/// How many of the most telling sentences are looked at, at most.
const MOST_CANDIDATES: usize = 2000;

/// The summary of a text in at most `most` words.
///
/// Every sentence is a piece of the text. Only where not even one fits is the most telling
/// one cut after `most` words. A text without letters and digits is cut likewise.
pub fn summary(text: &str, most: usize, style: Style) -> String {
    let sentences = split(text);
    let mark_words = if style == Style::Bullet {
        words::count(BULLET)
    } else {
        0
    };
    let sizes: Vec<usize> = sentences
        .iter()
        .map(|sentence| words::count(sentence.of(text)) + mark_words)
        .collect();
    let total: usize = sizes.iter().sum();
    let few = style != Style::Bullet || sentences.len() <= MOST_BULLETS;
    let chosen = if total <= most && few && style != Style::Concise {
        (0..sentences.len()).collect()
    } else {
        choose(
            text,
            &sentences,
            &sizes,
            most.min(wanted(style, total)),
            most,
            style,
        )
    };
    if chosen.is_empty() {
        return words::cut(text.trim(), most).to_owned();
    }
    if let [only] = chosen[..] {
        if sizes[only] > most {
            return cut_one(sentences[only].of(text), most, style, mark_words);
        }
    }
    joined(text, &sentences, &chosen, style)
}

/// How many words the style wants.
fn wanted(style: Style, total: usize) -> usize {
    match style {
        Style::Concise => total.div_ceil(CONCISE_PART),
        Style::Detailed | Style::Bullet => total,
    }
}

/// The numbers of the sentences to take, in the order of the text.
fn choose(
    text: &str,
    sentences: &[Sentence],
    sizes: &[usize],
    wanted: usize,
    most: usize,
    style: Style,
) -> Vec<usize> {
    let pieces: Vec<&str> = sentences.iter().map(|one| one.of(text)).collect();
    let vectors = Vectors::of(&pieces);
    let mut ranks = vectors.ranks();
    for (rank, piece) in ranks.iter_mut().zip(&pieces) {
        *rank *= soundness(piece);
    }
    let mut order: Vec<usize> = (0..sentences.len()).collect();
    order.sort_by(|a, b| ranks[*b].total_cmp(&ranks[*a]).then(a.cmp(b)));
    let most_sentences = if style == Style::Bullet {
        MOST_BULLETS
    } else {
        usize::MAX
    };
    let mut chosen: Vec<usize> = Vec::new();
    let mut left = wanted;
    for &candidate in order.iter().take(MOST_CANDIDATES) {
        if chosen.len() >= most_sentences || left == 0 {
            break;
        }
        let repeats = || {
            chosen
                .iter()
                .any(|other| vectors.likeness(candidate, *other) > ALIKE)
        };
        if sizes[candidate] <= left && !repeats() {
            left -= sizes[candidate];
            chosen.push(candidate);
        }
    }
    if chosen.is_empty() {
        // No sentence is short enough for the style: the most telling that fits at all,
        // else the most telling of all, to be cut.
        let fits = order.iter().find(|candidate| sizes[**candidate] <= most);
        chosen.extend(fits.or(order.first()));
    }
    chosen.sort_unstable();
    chosen
}

/// Headings, rows of tables and drawings are seldom what a reader wants of a text.
fn soundness(sentence: &str) -> f64 {
    let shown = sentence.chars().filter(|c| !c.is_whitespace()).count();
    let letters = sentence.chars().filter(|c| c.is_alphanumeric()).count();
    if words::count(sentence) < SHORT_WORDS || letters * 10 < shown * 7 {
        0.3
    } else {
        1.0
    }
}

fn cut_one(sentence: &str, most: usize, style: Style, mark_words: usize) -> String {
    if style == Style::Bullet && most > mark_words {
        format!("{BULLET}{}", words::cut(sentence, most - mark_words))
    } else {
        words::cut(sentence, most).to_owned()
    }
}

fn joined(text: &str, sentences: &[Sentence], chosen: &[usize], style: Style) -> String {
    let mut out = String::new();
    let mut before: Option<&Sentence> = None;
    for sentence in chosen.iter().map(|at| &sentences[*at]) {
        if let Some(before) = before {
            let other_paragraph = before.paragraph != sentence.paragraph;
            out.push_str(match style {
                Style::Bullet => "\n",
                Style::Detailed if other_paragraph => "\n\n",
                _ if runs_on(before.of(text), sentence.of(text)) => "",
                _ => " ",
            });
        }
        if style == Style::Bullet {
            out.push_str(BULLET);
        }
        out.push_str(sentence.of(text));
        before = Some(sentence);
    }
    out
}

fn is_wide_mark(c: char) -> bool {
    ('\u{3000}'..='\u{303f}').contains(&c) || ('\u{ff01}'..='\u{ff65}').contains(&c)
}

/// Whether two sentences stand together without a space, as in scripts that have none. Headings and
/// items of lists have no mark at their end, and do not.
fn runs_on(before: &str, after: &str) -> bool {
    before.chars().next_back().is_some_and(is_wide_mark)
        && after
            .chars()
            .next()
            .is_some_and(|c| words::is_solo(c) || is_wide_mark(c))
}

#[cfg(test)]
mod tests {
    use super::*;

    const STYLES: [Style; 3] = [Style::Concise, Style::Detailed, Style::Bullet];
    const TEXT: &str =
        "The river floods every spring. Its water feeds the fields along the river. \
        Farmers build dams against floods of the river.\n\nA dam needs repair each year. \
        My neighbour likes jazz. Without repair the dam breaks and the fields drown in water.";

    #[test]
    fn a_summary_never_has_more_words_and_only_the_texts_own() {
        for style in STYLES {
            for most in 1..60 {
                let made = summary(TEXT, most, style);
                assert!(
                    !made.is_empty() && words::count(&made) <= most,
                    "{most}: {made}"
                );
                for line in made.split("\n") {
                    for piece in split(line.strip_prefix(BULLET).unwrap_or(line)) {
                        assert!(TEXT.contains(piece.of(line.strip_prefix(BULLET).unwrap_or(line))));
                    }
                }
            }
        }
    }

    #[test]
    fn what_is_beside_the_point_goes_first() {
        assert!(!summary(TEXT, 30, Style::Detailed).contains("jazz"));
        assert!(words::count(&summary(TEXT, 100, Style::Concise)) <= 14);
        assert_eq!(summary(TEXT, 100, Style::Bullet).lines().count(), 6);
    }

    #[test]
    fn what_is_said_twice_is_told_once() {
        let text =
            "Rust is a fast language for tools. ".repeat(5) + "It checks memory when it compiles.";
        let made = summary(&text, 20, Style::Detailed);
        assert_eq!(made.matches("fast").count(), 1);
        assert!(made.contains("memory"));
    }

    #[test]
    fn odd_texts_have_summaries_too() {
        assert_eq!(
            summary("word ".repeat(500).as_str(), 3, Style::Concise),
            "word word word"
        );
        assert_eq!(
            summary("word ".repeat(500).as_str(), 3, Style::Bullet),
            "- word word"
        );
        assert_eq!(summary("one two", 1, Style::Bullet), "one");
        assert_eq!(summary("--- !!! ...", 2, Style::Concise), "--- !!!");
        assert_eq!(summary("Short.", 10, Style::Concise), "Short.");
        let cjk = "東京は日本の首都である。人口は多い。東京の人口は日本で最も多い。猫が好きだ。"
            .repeat(3);
        for style in STYLES {
            let made = summary(&cjk, 20, style);
            assert!(words::count(&made) <= 20 && made.contains("東京"), "{made}");
        }
    }

    #[test]
    fn an_item_without_a_mark_stays_apart_from_the_next() {
        let text = "漢字\n- 漢字. ";
        assert_eq!(summary(text, 4, Style::Detailed), "漢字 漢字.");
    }

    #[test]
    fn a_heading_without_a_mark_stays_apart_from_the_next_paragraph() {
        let text = "dam dam dam dam dam dam dam. dam dam dam dam dam dam dam dam. 漢字\n\n\
            漢字 dam dam.";
        assert_eq!(summary(text, 6, Style::Concise), "漢字 漢字 dam dam.");
    }
}
