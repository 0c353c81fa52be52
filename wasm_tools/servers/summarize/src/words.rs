//! What a word is: for counting, for cutting, and for comparing sentences.
//!
//! Where a script puts spaces between words, a word is what stands between spaces. Scripts
//! without spaces (Chinese, Japanese, Thai and their like) have every letter counted as a
//! word, marks and punctuation aside. So no way of counting finds more words than this one.

/// Whether each letter of its script counts as a word.
pub fn is_solo(c: char) -> bool {
    matches!(c as u32,
        0x0e01..=0x0e30 | 0x0e32..=0x0e33 | 0x0e40..=0x0e46 // Thai
        | 0x0e81..=0x0eb0 | 0x0eb2..=0x0eb3 | 0x0ec0..=0x0ec6 | 0x0edc..=0x0edf // Lao
        | 0x0f40..=0x0f6c // Tibetan
        | 0x1000..=0x102a | 0x103f | 0x1050..=0x1055 // Myanmar
        | 0x1780..=0x17b3 // Khmer
        | 0x2e80..=0x2fdf | 0x3005..=0x3007 | 0x3021..=0x3029 | 0x3038..=0x303b
        | 0x3041..=0x3096 | 0x309d..=0x309f | 0x30a1..=0x30fa | 0x30fc..=0x312f
        | 0x31a0..=0x31bf | 0x31f0..=0x31ff | 0x3400..=0x4dbf | 0x4e00..=0x9fff
        | 0xa000..=0xa48c | 0xf900..=0xfaff | 0xff66..=0xff9f | 0x20000..=0x3fffd)
}

/// Whether it belongs to the letter before it, in the scripts whose letters count.
fn is_mark(c: char) -> bool {
    let their_blocks = matches!(c as u32, 0x0e00..=0x109f | 0x1780..=0x17ff | 0x3000..=0x30ff);
    their_blocks && !is_solo(c)
}

fn is_space(c: char) -> bool {
    c.is_whitespace() || ('\u{1c}'..='\u{1f}').contains(&c)
}

#[derive(Clone, Copy, PartialEq)]
enum After {
    Space,
    Word,
    Solo,
}

/// Calls `begun` with the place of each word's first letter, until it says false.
fn each_word(text: &str, mut begun: impl FnMut(usize) -> bool) {
    let mut after = After::Space;
    for (at, c) in text.char_indices() {
        let begins = if is_space(c) {
            after = After::Space;
            continue;
        } else if is_solo(c) {
            after = After::Solo;
            true
        } else {
            let begins = after == After::Space
                || (after == After::Solo && c.is_alphanumeric() && !is_mark(c));
            if begins {
                after = After::Word;
            }
            begins
        };
        if begins && !begun(at) {
            return;
        }
    }
}

/// How many words a text has.
pub fn count(text: &str) -> usize {
    let mut words = 0;
    each_word(text, |_| {
        words += 1;
        true
    });
    words
}

/// The beginning of a text, of at most `most` words.
pub fn cut(text: &str, most: usize) -> &str {
    let mut words = 0;
    let mut end = text.len();
    each_word(text, |at| {
        words += 1;
        if words > most {
            end = at;
        }
        words <= most
    });
    text[..end].trim_end()
}

/// Words that tell nothing of what an English sentence is about; those of other languages
/// are found by being everywhere.
const STOP: [&str; 117] = [
    "a", "about", "after", "all", "also", "am", "an", "and", "any", "are", "as", "at", "be",
    "because", "been", "before", "being", "between", "both", "but", "by", "can", "could", "did",
    "do", "does", "during", "each", "even", "for", "from", "had", "has", "have", "he", "her",
    "here", "him", "his", "how", "however", "i", "if", "in", "into", "is", "it", "its", "just",
    "last", "like", "made", "many", "may", "me", "might", "more", "most", "much", "must", "my",
    "new", "no", "not", "now", "of", "on", "one", "only", "or", "other", "our", "out", "over",
    "said", "same", "say", "she", "should", "since", "so", "some", "still", "such", "than", "that",
    "the", "their", "them", "then", "there", "these", "they", "this", "those", "through", "to",
    "too", "under", "up", "us", "very", "was", "we", "were", "what", "when", "where", "which",
    "while", "who", "will", "with", "would", "yet", "you", "your",
];

/// Calls `found` with every term of a sentence: words in lower case, and pairs of letters
/// where the script has no spaces.
pub fn each_term(sentence: &str, mut found: impl FnMut(&str)) {
    let mut word = String::new();
    let mut before: Option<char> = None; // the letter before, within a run of solo letters
    let mut pair = String::new();
    for c in sentence.chars().chain([' ']) {
        if is_solo(c) {
            finish(&mut word, &mut found);
            if let Some(first) = before {
                pair.clear();
                pair.extend([first, c]);
                found(&pair);
            }
            before = Some(c);
        } else if !is_mark(c) {
            before = None;
            if c.is_alphanumeric() || (c == '\'' || c == '\u{2019}') && !word.is_empty() {
                word.extend(c.to_lowercase());
            } else {
                finish(&mut word, &mut found);
            }
        }
    }
}

/// Gives a word on, without its plural or genitive.
fn finish(word: &mut String, found: &mut impl FnMut(&str)) {
    let bare = word.split(['\'', '\u{2019}']).next().unwrap_or_default();
    if !bare.is_empty() && STOP.binary_search(&bare).is_err() {
        let singular = bare
            .strip_suffix('s')
            .filter(|stem| stem.len() >= 3 && stem.is_ascii() && !stem.ends_with(['s', 'u', 'i']));
        found(singular.unwrap_or(bare));
    }
    word.clear();
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_are_counted_by_spaces_or_letters() {
        for (text, words) in [
            ("", 0),
            (" \n\u{3000}", 0),
            ("one two\tthree", 3),
            ("don't - stop", 3),
            ("漢字。", 2),
            ("ABC漢字", 3),
            ("漢字ABC def", 4),
            ("日本語（にほんご）です", 9),
            ("สวัสดี", 4),
            ("안녕 세계", 2),
            ("。 。", 2),
        ] {
            assert_eq!(count(text), words, "{text}");
            assert!(count(text) >= text.split_whitespace().count());
        }
    }

    #[test]
    fn a_cut_ends_between_words() {
        assert_eq!(cut("one two three", 2), "one two");
        assert_eq!(cut("one two", 5), "one two");
        assert_eq!(cut("漢字、です", 2), "漢字、");
        assert_eq!(cut("one", 0), "");
    }

    #[test]
    fn terms_carry_the_meaning() {
        let terms = |text: &str| {
            let mut all = Vec::new();
            each_term(text, |term| all.push(term.to_owned()));
            all
        };
        assert_eq!(
            terms("The Cats' engine’s class, and 3 cats."),
            ["cat", "engine", "class", "3", "cat"]
        );
        assert_eq!(terms("東京都 A"), ["東京", "京都"]);
        assert!(STOP.windows(2).all(|pair| pair[0] < pair[1]));
    }
}
