//! The reply that carries a large JSON text: put together once, in a buffer of the exact size.

use crate::tools::schema::put;
use crate::{CallResult, Map, Value};

/// The reply with this `id` and `result`, to which `text` is added as the first text
/// block and as structured content; a failure where there is no memory for it.
pub fn reply_with_text(id: Value, result: Map, text: String) -> Vec<u8> {
    if let Some(bytes) = spliced(&id, &result, &text) {
        return bytes;
    }
    let size_mib = text.len() >> 20;
    drop(text);
    let failure = CallResult::failure(format!(
        "the answer is too large for the module's memory ({size_mib} MiB): ask for less"
    ));
    let mut failed = failure.into_map();
    // What the era adds stays; the failure's own members win.
    for (key, value) in result {
        failed.entry(key).or_insert(value);
    }
    let mut reply = Map::new();
    put(&mut reply, "jsonrpc", "2.0".into());
    put(&mut reply, "id", id);
    put(&mut reply, "result", Value::Object(failed));
    Value::Object(reply).to_string().into_bytes()
}

fn spliced(id: &Value, result: &Map, text: &str) -> Option<Vec<u8>> {
    let mut head = format!("{{\"jsonrpc\":\"2.0\",\"id\":{id},\"result\":{{\"content\":[");
    head += "{\"type\":\"text\",\"text\":\"";
    let mut middle = "\"}".to_owned();
    for block in result.get("content").and_then(Value::as_array)? {
        middle += &format!(",{block}");
    }
    middle += "],\"structuredContent\":";
    let mut tail = String::new();
    for (key, value) in result.iter().filter(|(key, _)| *key != "content") {
        tail += &format!(",{}:{value}", Value::from(key.as_str()));
    }
    tail += "}}";
    let size = [
        head.len(),
        escaped_len(text),
        middle.len(),
        text.len(),
        tail.len(),
    ];
    let mut reply = Vec::new();
    reply.try_reserve_exact(size.iter().sum()).ok()?;
    reply.extend_from_slice(head.as_bytes());
    escape(text, &mut reply);
    reply.extend_from_slice(middle.as_bytes());
    reply.extend_from_slice(text.as_bytes());
    reply.extend_from_slice(tail.as_bytes());
    Some(reply)
}

/// How long a text is inside a JSON string.
fn escaped_len(text: &str) -> usize {
    text.bytes().map(|byte| 1 + usize::from(extra(byte))).sum()
}

/// By how many bytes the escape of a byte is longer than the byte.
fn extra(byte: u8) -> u8 {
    match byte {
        b'"' | b'\\' | b'\n' => 1,
        0..=0x1f => 5,
        _ => 0,
    }
}

fn escape(text: &str, out: &mut Vec<u8>) {
    let mut plain_from = 0;
    for (at, byte) in text.bytes().enumerate() {
        if extra(byte) == 0 {
            continue;
        }
        out.extend_from_slice(&text.as_bytes()[plain_from..at]);
        plain_from = at + 1;
        match byte {
            b'\n' => out.extend_from_slice(b"\\n"),
            b'"' | b'\\' => out.extend_from_slice(&[b'\\', byte]),
            control => out.extend_from_slice(format!("\\u{control:04x}").as_bytes()),
        }
    }
    out.extend_from_slice(&text.as_bytes()[plain_from..]);
}

#[cfg(test)]
mod tests {
    use super::*;

    fn result(content: Value) -> Map {
        let mut result = Map::new();
        put(&mut result, "content", content);
        put(&mut result, "isError", false.into());
        result
    }

    #[test]
    fn the_text_stands_in_both_places() {
        let text = "{\"a\":\"\u{e9}\\\\ \\\"\",\n\t\"b\":[1]}";
        let id = Value::from("x\"y");
        let block = serde_json::json!([{"type": "text", "text": "a note"}]);
        let bytes = reply_with_text(id.clone(), result(block), text.to_owned());
        assert_eq!(bytes.len(), bytes.capacity());
        let reply: Value = serde_json::from_slice(&bytes).unwrap();
        assert_eq!(reply["id"], id);
        assert_eq!(reply["result"]["content"][1]["text"], "a note");
        assert_eq!(reply["result"]["content"][0]["text"], text);
        let structured: Value = serde_json::from_str(text).unwrap();
        assert_eq!(reply["result"]["structuredContent"], structured);
        assert_eq!(reply["result"]["isError"], false);
    }
}
