//! What the macros make of functions and types.

use wasmmcp::{json, tool, Input, Map, Output, Path, ToolError, Value};

#[derive(Input)]
enum Tone {
    Warm,
    #[wasmmcp(rename = "matter-of-fact")]
    Plain,
}

#[derive(Input)]
#[wasmmcp(rename_all = "camelCase")]
struct Guest {
    /// As it is spelt.
    full_name: String,
    #[wasmmcp(default = 1, min = 0)]
    seat_count: i64,
}

#[derive(Output)]
struct Greeting {
    text: String,
    /// Left out where there is none.
    card: Option<String>,
}

/// Greet the guests.
///
/// Each by name,
/// in their order.
#[tool(title = "Greet", read_only, idempotent = false, rename_all = "camelCase", hint(privacy = "site", requires = ["camera"]))]
fn greet(
    /// Who comes.
    #[min_items(1)]
    guests: Vec<Guest>,
    #[default("warm")] tone: Tone,
    #[default(-0.5)]
    #[max(2.5)]
    up_to: f64,
    card: Option<Path>,
    #[no_null] note: Option<Vec<String>>,
    #[rename("else")] other: Option<Value>,
) -> Result<Greeting, ToolError> {
    if guests.iter().any(|guest| guest.seat_count == 0) {
        return Err(ToolError::new("a guest without a seat"));
    }
    let names: Vec<String> = guests.into_iter().map(|guest| guest.full_name).collect();
    let word = match tone {
        Tone::Warm => "Dear",
        Tone::Plain => "To",
    };
    let rest = (note.map(|lines| lines.len()), other.is_some());
    Ok(Greeting {
        text: format!("{word} {} {up_to} {rest:?}", names.join(", ")),
        card: card.map(|path| path.0),
    })
}

fn call(arguments: Value) -> Result<wasmmcp::CallResult, String> {
    let Value::Object(arguments) = arguments else {
        panic!("not an object")
    };
    (greet::TOOL.call)(arguments).map_err(|refusal| refusal.to_string())
}

fn text(arguments: Value) -> String {
    let structured: Map = call(arguments).unwrap().structured.unwrap();
    structured["text"].as_str().unwrap().to_owned()
}

#[test]
fn a_definition_is_derived_from_the_function() {
    assert_eq!(
        greet::TOOL.definition(false),
        json!({
            "name": "greet",
            "title": "Greet",
            "description": "Greet the guests.\n\nEach by name, in their order.",
            "inputSchema": {
                "type": "object",
                "properties": {
                    "guests": {
                        "type": "array",
                        "items": {
                            "type": "object",
                            "properties": {
                                "fullName": {"type": "string", "description": "As it is spelt."},
                                "seatCount": {"type": "integer", "minimum": 0, "default": 1},
                            },
                            "required": ["fullName"],
                        },
                        "minItems": 1,
                        "description": "Who comes.",
                    },
                    "tone": {"type": "string", "enum": ["warm", "matter-of-fact"], "default": "warm"},
                    "upTo": {"type": "number", "maximum": 2.5, "default": -0.5},
                    "card": {"anyOf": [{"type": "string"}, {"type": "null"}], "default": null},
                    "note": {"type": "array", "items": {"type": "string"}},
                    "else": {},
                },
                "required": ["guests"],
            },
            "outputSchema": {
                "type": "object",
                "properties": {
                    "text": {"type": "string"},
                    "card": {"type": "string", "description": "Left out where there is none."},
                },
                "required": ["text"],
            },
            "annotations": {"readOnlyHint": true, "idempotentHint": false},
            "_meta": {
                "dev.sanderling/data": ["card"],
                "dev.sanderling/hint": {"privacy": "site", "requires": ["camera"]},
            },
        })
    );
}

#[test]
fn what_is_left_out_has_its_default() {
    assert_eq!(
        text(json!({"guests": [{"fullName": "Ann"}]})),
        "Dear Ann -0.5 (None, false)"
    );
    let all = json!({
        "guests": [{"fullName": "Ann", "seatCount": 2.0}, {"fullName": "Bo"}],
        "tone": "matter-of-fact",
        "upTo": 2,
        "card": null,
        "note": ["a"],
        "else": {"any": 1},
        "unknown": true,
    });
    assert_eq!(text(all), "To Ann, Bo 2 (Some(1), true)");
}

#[test]
fn a_wrong_argument_is_named_with_its_place() {
    for (arguments, refusal) in [
        (json!({}), "guests: required, but missing"),
        (json!({"guests": []}), "guests: must have at least 1 items"),
        (
            json!({"guests": {}}),
            "guests: expected an array, got an object",
        ),
        (
            json!({"guests": [{"fullName": "a"}, {}]}),
            "guests[1].fullName: required, but missing",
        ),
        (
            json!({"guests": [{"fullName": 5}]}),
            "guests[0].fullName: expected a string, got a number",
        ),
        (
            json!({"guests": [{"fullName": "a", "seatCount": -1}]}),
            "guests[0].seatCount: must be at least 0",
        ),
        (
            json!({"guests": [{"fullName": "a", "seatCount": 1.5}]}),
            "guests[0].seatCount: expected an integer, got a number",
        ),
        (
            json!({"guests": [{"fullName": "a"}], "tone": "loud"}),
            "tone: expected one of warm, matter-of-fact",
        ),
        (
            json!({"guests": [{"fullName": "a"}], "tone": null}),
            "tone: expected a string, got null",
        ),
        (
            json!({"guests": [{"fullName": "a"}], "upTo": 3}),
            "upTo: must be at most 2.5",
        ),
        (
            json!({"guests": [{"fullName": "a"}], "note": null}),
            "note: expected an array, got null",
        ),
    ] {
        assert_eq!(call(arguments).unwrap_err(), refusal);
    }
}

#[test]
fn a_failure_is_a_result_and_a_missing_field_is_left_out() {
    let failed = call(json!({"guests": [{"fullName": "a", "seatCount": 0}]})).unwrap();
    assert!(failed.is_error && failed.structured.is_none());
    assert_eq!(
        failed.content,
        [json!({"type": "text", "text": "a guest without a seat"})]
    );
    let done = call(json!({"guests": [{"fullName": "a"}]})).unwrap();
    assert!(!done.structured.unwrap().contains_key("card"));
}
