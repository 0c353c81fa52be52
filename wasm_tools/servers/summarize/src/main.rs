//! The MCP server `summarize`: three tools that tell what texts are about, in their own words
//! or, where the node names an endpoint, in those of a language model.

mod endpoint;
mod extract;
mod rank;
mod sentences;
mod words;

use endpoint::Endpoint;
use extract::summary;
use wasmmcp::{egress, tool, Input, Output, Shape, ToolError};
use wasmmcp::{Answer, CallResult, Map, Value};

const EMPTY: &str = "Error: Empty text provided";
const DEFAULT_WORDS: i64 = 150;

/// How a summary looks.
#[derive(Input)]
enum Style {
    Concise,
    Detailed,
    Bullet,
}

impl Style {
    fn extract(&self) -> extract::Style {
        match self {
            Style::Concise => extract::Style::Concise,
            Style::Detailed => extract::Style::Detailed,
            Style::Bullet => extract::Style::Bullet,
        }
    }
}

/// One summary: as text, and as data under `result`.
struct Summary(String);

impl Answer for Summary {
    const SHAPE: Option<&'static Shape> = Some(&Shape::Verbatim(
        r#"{"type":"object","properties":{"result":{"type":"string"}},"required":["result"]}"#,
    ));

    fn answer(self) -> CallResult {
        let mut structured = Map::new();
        structured.insert("result".into(), self.0.as_str().into());
        CallResult {
            structured: Some(structured),
            ..CallResult::text(self.0)
        }
    }
}

/// Several summaries: as a JSON list, and as data under `result`.
struct Summaries(Vec<String>);

impl Answer for Summaries {
    const SHAPE: Option<&'static Shape> = Some(&Shape::Verbatim(
        r#"{"type":"object","properties":{"result":{"type":"array","items":{"type":"string"}}},"required":["result"]}"#,
    ));

    fn answer(self) -> CallResult {
        let list = Value::from(self.0);
        let text = list.to_string();
        let mut structured = Map::new();
        structured.insert("result".into(), list);
        CallResult {
            structured: Some(structured),
            ..CallResult::text(text)
        }
    }
}

/// What makes the summaries.
#[derive(Output)]
struct Provider {
    provider: String,
    /// Where the language model is asked.
    endpoint: Option<String>,
    model: Option<String>,
    available_styles: Vec<String>,
    default_max_length: i64,
}

/// The endpoint that the node's configuration names, if any.
fn configured() -> Option<Endpoint> {
    Endpoint::of(wasmmcp::variable)
}

/// One summary; `None` of an empty text. A failing endpoint is an error and nothing else.
fn summarized(
    endpoint: Option<&Endpoint>,
    text: &str,
    max_length: i64,
    style: &Style,
) -> Result<Option<String>, ToolError> {
    if text.trim().is_empty() {
        return Ok(None);
    }
    let most = usize::try_from(max_length).unwrap_or(usize::MAX);
    let made = match endpoint {
        Some(endpoint) => endpoint
            .summary(text, most, style.extract(), egress::send)
            .map_err(ToolError::new)?,
        None => summary(text, most, style.extract()),
    };
    Ok(Some(made))
}

/// Summarize a text by its most telling sentences.
///
/// Every sentence of the summary stands in the text, in the same order, and there are never more
/// words than max_length; a sentence is cut only when none is short enough. In scripts without
/// spaces, such as Chinese or Thai, each letter counts as a word. The same text always has the
/// same summary. On a node that names an endpoint of a language model, that one writes the summary
/// in its own words instead; where it fails, so does the call.
#[tool(
    title = "Summarize a text",
    read_only,
    destructive = false,
    idempotent,
    open_world = false
)]
fn summarize_text(
    /// The text.
    text: String,
    /// The most words that the summary may have.
    #[default(150)]
    #[min(1)]
    max_length: i64,
    /// `concise`: at most a quarter of the text; `detailed`: as much as fits, in paragraphs;
    /// `bullet`: up to seven sentences in a list, whose marks count as words.
    #[default("concise")]
    style: Style,
) -> Result<Summary, ToolError> {
    summarized(configured().as_ref(), &text, max_length, &style)?
        .map(Summary)
        .ok_or_else(|| ToolError::new(EMPTY))
}

/// Summarize several documents, each by itself.
///
/// One summary per document, in their order, as summarize_text makes them. An empty document has
/// `Error: Empty text provided` in its place; where all are empty, the call fails.
#[tool(
    title = "Summarize documents",
    read_only,
    destructive = false,
    idempotent,
    open_world = false
)]
fn summarize_documents(
    /// The texts.
    documents: Vec<String>,
    /// The most words that each summary may have.
    #[default(100)]
    #[min(1)]
    max_length_per_doc: i64,
    /// The style of all: `concise`, `detailed` or `bullet`.
    #[default("concise")]
    style: Style,
) -> Result<Summaries, ToolError> {
    let endpoint = configured();
    if !documents.is_empty() && documents.iter().all(|text| text.trim().is_empty()) {
        return Err(ToolError::new(EMPTY));
    }
    let each = documents.iter().map(|text| {
        summarized(endpoint.as_ref(), text, max_length_per_doc, &style)
            .map(|made| made.unwrap_or_else(|| EMPTY.to_owned()))
    });
    each.collect::<Result<_, _>>().map(Summaries)
}

/// Tell what makes the summaries, in which styles, and of what length unless asked otherwise.
#[tool(
    title = "Provider of summaries",
    read_only,
    destructive = false,
    idempotent,
    open_world = false
)]
fn get_provider_info() -> Result<Provider, ToolError> {
    let endpoint = configured();
    let kind = endpoint
        .as_ref()
        .map_or("extractive", |_| "openai-compatible");
    Ok(Provider {
        provider: kind.into(),
        endpoint: endpoint.as_ref().map(|one| one.place().to_owned()),
        model: endpoint.and_then(|one| one.model),
        available_styles: ["concise", "detailed", "bullet"].map(String::from).into(),
        default_max_length: DEFAULT_WORDS,
    })
}

wasmmcp::server! {
    name: "summarize",
    tools: [summarize_text, summarize_documents, get_provider_info],
}
