//! Recorded answers, and whether a tool still gives them. For tests only.

use std::path::Path;

use serde_json::Value as Json;
use wasmmcp::Server;

/// Relative difference that numbers may have.
const TOLERANCE: f64 = 1e-9;

/// The same for lengths of some JSON text, which depend on its spelling.
const SIZE_TOLERANCE: f64 = 0.05;
const SIZES: [&str; 3] = [
    "input_size_estimate",
    "output_size_estimate",
    "reduction_ratio",
];

/// Calls every tool as `file` (`{tool: [{arguments, result | error}]}`) says and
/// returns how many calls there were.
///
/// # Panics
/// At the first answer that differs.
pub fn replay(server: &Server, file: &Path) -> usize {
    let text =
        std::fs::read_to_string(file).unwrap_or_else(|error| panic!("{}: {error}", file.display()));
    let vectors: serde_json::Map<String, Json> =
        serde_json::from_str(&text).expect("the vectors are a JSON object");
    let mut count = 0;
    for (name, cases) in &vectors {
        let tool = server
            .tools
            .iter()
            .find(|tool| tool.name == name)
            .expect("a tool of this name");
        for case in cases.as_array().into_iter().flatten() {
            let arguments = case["arguments"].as_object().cloned().unwrap_or_default();
            let result = (tool.call)(arguments)
                .ok()
                .filter(|result| !result.is_error);
            let found =
                result.and_then(|result| serde_json::from_str(result.json_text.as_deref()?).ok());
            let same = match (&found, case.get("result")) {
                (Some(found), Some(expected)) => alike("", found, expected),
                (found, expected) => found.is_none() && expected.is_none(),
            };
            assert!(
                same,
                "{name}\n{}\nexpected {:?}\nfound {found:?}",
                case["arguments"],
                case.get("result")
            );
            count += 1;
        }
    }
    count
}

fn alike(key: &str, a: &Json, b: &Json) -> bool {
    match (a, b) {
        (Json::Number(a), Json::Number(b)) => {
            let (a, b) = (
                a.as_f64().unwrap_or(f64::NAN),
                b.as_f64().unwrap_or(f64::NAN),
            );
            let tolerance = if SIZES.contains(&key) {
                SIZE_TOLERANCE
            } else {
                TOLERANCE
            };
            a == b || (a - b).abs() <= tolerance * a.abs().max(b.abs())
        }
        (Json::Array(a), Json::Array(b)) if key == "source_keys" => {
            a.len() == b.len() && a.iter().all(|item| b.contains(item))
        }
        (Json::Array(a), Json::Array(b)) => {
            a.len() == b.len() && a.iter().zip(b).all(|(a, b)| alike("", a, b))
        }
        (Json::Object(a), Json::Object(b)) => {
            a.len() == b.len()
                && a.iter()
                    .all(|(key, a)| b.get(key).is_some_and(|b| alike(key, a, b)))
        }
        _ => a == b,
    }
}
