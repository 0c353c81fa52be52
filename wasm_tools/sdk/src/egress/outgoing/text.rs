//! From the bytes of a body to its text, by the charset that the answer names.

use std::borrow::Cow;

/// The text of a body: UTF-8 where no known charset is named. What is no text is replaced.
pub fn decode(body: &[u8], content_type: Option<&str>) -> String {
    let text = match content_type.and_then(charset) {
        Some(label) => labelled(body, label),
        None => String::from_utf8_lossy(body),
    };
    text.into_owned()
}

fn charset(content_type: &str) -> Option<&str> {
    content_type.split(';').skip(1).find_map(|parameter| {
        let (name, value) = parameter.split_once('=')?;
        let named = name.trim().eq_ignore_ascii_case("charset");
        named.then(|| value.trim().trim_matches(['"', '\'']))
    })
}

/// As the agent's host decodes, which takes Latin-1 for itself and not, as browsers do, for
/// Windows' extension of it.
#[cfg(feature = "pages")]
fn labelled<'a>(body: &'a [u8], label: &str) -> Cow<'a, str> {
    let latin = ["iso-8859-1", "iso8859-1", "latin-1", "latin1", "l1"];
    if latin.iter().any(|one| label.eq_ignore_ascii_case(one)) {
        return encoding_rs::mem::decode_latin1(body);
    }
    match encoding_rs::Encoding::for_label_no_replacement(label.as_bytes()) {
        // Its two orders are told apart by the mark at the beginning.
        Some(wide) if wide == encoding_rs::UTF_16LE || wide == encoding_rs::UTF_16BE => {
            wide.decode(body).0
        }
        Some(known) => known.decode_without_bom_handling(body).0,
        None => String::from_utf8_lossy(body),
    }
}

/// Without the tables: what is read here (JSON) is UTF-8.
#[cfg(not(feature = "pages"))]
fn labelled<'a>(body: &'a [u8], _: &str) -> Cow<'a, str> {
    String::from_utf8_lossy(body)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn without_a_charset_a_body_is_utf_8() {
        assert_eq!(decode("é".as_bytes(), None), "é");
        assert_eq!(decode(b"\xff", Some("text/html")), "\u{fffd}");
        assert_eq!(
            charset("text/html; x=1; Charset=\"KOI8-R\""),
            Some("KOI8-R")
        );
        assert_eq!(charset("charset=utf-8"), None);
    }

    #[cfg(feature = "pages")]
    #[test]
    fn a_body_is_read_by_the_charset_it_names() {
        for (body, charset, text) in [
            (&b"\xe9\x80"[..], "iso-8859-1", "é\u{80}"),
            (b"\xe9\x80", "windows-1252", "é€"),
            (b"\xc0\xc1", "koi8-r", "юа"),
            (b"\x83e\x83X\x83g", "shift_jis", "テスト"),
            (b"\xff\xfea\0", "utf-16", "a"),
            (b"\xc3\xa9", "no-such", "é"),
        ] {
            let kind = format!("text/plain; charset={charset}");
            assert_eq!(decode(body, Some(&kind)), text, "{charset}");
        }
    }
}
