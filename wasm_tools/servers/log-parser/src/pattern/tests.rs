//! What `re.search` answers, worked out with Python 3.11.

use super::Pattern;

fn found(pattern: &str, text: &str) -> bool {
    Pattern::compile(pattern, false).unwrap().search(text)
}

fn found_any_case(pattern: &str, text: &str) -> bool {
    Pattern::compile(pattern, true).unwrap().search(text)
}

#[test]
fn anchors_know_the_last_newline() {
    for (pattern, text, expected) in [
        ("a$", "a", true),
        ("a$", "a\n", true),
        ("a$", "a\n\n", false),
        ("a$", "a\nb", false),
        ("a\\Z", "a\n", false),
        ("a\\n\\Z", "a\n", true),
        ("a$\\n", "a\n", true),
        ("a$\\n$", "a\n", true),
        ("(?m)a$", "a\nb", true),
        ("(?m)^b", "a\nb", true),
        ("^b", "a\nb", false),
        ("(?m)\\Ab", "a\nb", false),
        ("^$", "", true),
        ("^$", "\n", true),
        ("\\A\\Z", "\n", false),
    ] {
        assert_eq!(found(pattern, text), expected, "{pattern:?} {text:?}");
    }
}

#[test]
fn word_boundaries_follow_pythons_words() {
    for (pattern, text, expected) in [
        (r"\bcaf\w\b", "naïve café!", true),
        (r"\bfoo\b", "foo²", false),
        (r"(?a)\bfoo\b", "foo²", true),
        (r"\bfoo\b", "foo\u{301}", true),
        (r"o\Bo", "foo", true),
        (r"\B-\B", " - ", true),
        (r"^\bx", "x", true),
        (r"x\b$", "x\n", true),
    ] {
        assert_eq!(found(pattern, text), expected, "{pattern:?} {text:?}");
    }
}

#[test]
fn case_folds_as_in_python() {
    for (pattern, text, expected) in [
        ("straSSe", "STRASSE", true),
        ("ß", "ss", false),
        ("i", "İ", true),
        ("I", "ı", true),
        ("s", "ſ", true),
        ("[^k]", "\u{212a}", false),
        ("[a-z]", "Ω", false),
        ("ω", "Ω", true),
        ("(?-i:a)", "A", false),
        ("(?a)k", "\u{212a}", false),
    ] {
        assert_eq!(
            found_any_case(pattern, text),
            expected,
            "{pattern:?} {text:?}"
        );
    }
    assert!(!found("a", "A"));
    assert!(found("(?i)a|b", "B"));
    assert!(found("(?i:a)b", "Ab"));
    assert!(!found("(?i:a)b", "AB"));
}

#[test]
fn sets_and_escapes() {
    for (pattern, text, expected) in [
        ("[]a]", "]", true),
        ("[^]a]", "]", false),
        ("[a-]", "-", true),
        (r"[\d-]x", "-x", true),
        (r"[\]\-\\]", "\\", true),
        (r"\x41\u0042\U00000043\104", "ABCD", true),
        (r"\07\0", "\u{7}\0", true),
        (r"[\b]", "\u{8}", true),
        (r"\d", "٣", true),
        (r"(?a)\d", "٣", false),
        (r"\s", "\u{1c}", true),
        (r"\w", "²", true),
        ("a{", "a{", true),
        ("a{,2}b", "b", true),
        ("a{1,x}", "a{1,x}", true),
        ("x{2}y", "xy", false),
        ("(?x) a b # c\n d", "abd", true),
        (r"(?x)a\ b[ ]c", "a b c", true),
        ("a.b", "a\nb", false),
        ("(?s)a.b", "a\nb", true),
        (r"\.\*\]\}", ".*]}", true),
    ] {
        assert_eq!(found(pattern, text), expected, "{pattern:?} {text:?}");
    }
}

#[test]
fn repetition_and_groups() {
    for (pattern, text, expected) in [
        ("^(?:ab){2,3}$", "ababab", true),
        ("^(?:ab){2,3}$", "abababab", false),
        ("^(a|b)*?c$", "abbac", true),
        ("^(?P<x>a)(?P<y>b)?$", "a", true),
        ("(?:a*)*b", "aaab", true),
        ("(?:^)*a", "ba", true),
        ("(?:){1000000000}a", "a", true),
        ("a{0}b", "b", true),
        ("a||b", "", true),
        ("(?#note)x", "x", true),
    ] {
        assert_eq!(found(pattern, text), expected, "{pattern:?} {text:?}");
    }
}

#[test]
fn invalid_patterns_are_refused() {
    for pattern in [
        "(unclosed",
        "a)",
        "[a",
        "[]",
        "[z-a]",
        r"[\d-z]",
        "*a",
        "a**",
        "a{2}{3}",
        "^*",
        r"\b+",
        "a{3,2}",
        r"\q",
        r"\",
        r"[\",
        r"[\q]",
        r"\x4",
        r"\u12",
        r"\U00110000",
        "(?P<n>a)(?P<n>b)",
        "(?P<1>a)",
        "(?P<>a)",
        "(?P<a",
        "(?Px)",
        "(?z)",
        "(?",
        "a(?i)b",
        "(?i-i:a)",
        "(?L)a",
        "(?au)a",
        "(?a)(?u)a",
        "(?-u:a)",
        "(?-i)a",
        "(?#a",
        r"\1",
        r"(a)\2",
        r"\400",
        "a{4294967295}",
        "(?P=n)",
        "(?<a)",
        "(?:a",
        "|*",
    ] {
        assert!(Pattern::compile(pattern, true).is_err(), "{pattern:?}");
    }
}

#[test]
fn what_linear_time_rules_out_is_named() {
    for (pattern, what) in [
        ("(?=a)", "lookahead"),
        ("(?!a)", "lookahead"),
        ("(?<=a)b", "lookbehind"),
        ("(?<!a)b", "lookbehind"),
        (r"(a)\1", "backreference"),
        ("(?P<n>a)(?P=n)", "backreference"),
        ("(a)?(?(1)b)", "conditional"),
        ("(?>a)", "atomic"),
        ("a++", "possessive"),
    ] {
        let error = Pattern::compile(pattern, true).err().unwrap().to_string();
        assert!(
            error.contains(what) && error.contains("linear time"),
            "{error}"
        );
    }
}

#[test]
fn hostile_patterns_end() {
    assert!(Pattern::compile(&"(".repeat(100_000), true).is_err());
    assert!(Pattern::compile("((a{1000}){1000}){1000}", true).is_err());
    assert!(Pattern::compile("(?:a|b){4294967294}", true).is_err());
    // Exponential for a backtracking engine.
    let text = "a".repeat(5_000);
    assert!(!found("^(a+)+$", &format!("{text}b")));
    assert!(found("(?:a?){100}a{100}", &text));
    // One state per subset of the last 16 characters: the cache starts anew several times.
    let mixed: String = (0u32..200_000)
        .map(|n| {
            if n.wrapping_mul(2_654_435_761) >> 30 & 1 == 0 {
                'a'
            } else {
                'b'
            }
        })
        .collect();
    assert!(!found("a[ab]{16}c", &mixed));
    assert!(found("a[ab]{16}c", &format!("{mixed}aaaaaaaaaaaaaaaaaac")));
}
