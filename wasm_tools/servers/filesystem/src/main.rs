//! The filesystem server: fourteen tools for files and directories beneath the mounts.
//!
//! Answers as npm `@modelcontextprotocol/server-filesystem` does, failures included.

mod collate;
mod diff;
mod edit;
mod failure;
mod glob;
mod info;
mod listing;
mod mounts;
mod paths;
mod preopens;
mod read;
mod text;
mod write;

use wasmmcp::{tool, Answer, CallResult, Field, Input, Path, Shape, ToolError, Value};

use edit::Edit;
use failure::Failure;
use listing::SortBy;
use mounts::Mounts;
use text::Text;

/// A text that is given as a text block and, as `content`, as structured content.
struct Content(String);

impl Answer for Content {
    const SHAPE: Option<&'static Shape> = Some(&Shape::Object(&[Field {
        name: "content",
        about: "",
        shape: &Shape::Text,
        optional: false,
        nullable: false,
        default: "",
        min: None,
        max: None,
        min_items: None,
    }]));

    fn answer(self) -> CallResult {
        let mut structured = wasmmcp::Map::new();
        structured.insert("content".into(), self.0.as_str().into());
        CallResult {
            structured: Some(structured),
            ..CallResult::text(self.0)
        }
    }
}

/// Content blocks that are repeated as structured content.
struct Blocks(Vec<Value>);

impl Answer for Blocks {
    const SHAPE: Option<&'static Shape> =
        Some(&Shape::Verbatim(include_str!("blocks.schema.json")));

    fn answer(self) -> CallResult {
        let mut structured = wasmmcp::Map::new();
        structured.insert("content".into(), Value::Array(self.0.clone()));
        CallResult {
            content: self.0,
            structured: Some(structured),
            json_text: None,
            is_error: false,
        }
    }
}

type Answered = Result<Content, ToolError>;

fn answered(result: Result<String, Failure>) -> Answered {
    Ok(Content(result?))
}

/// One replacement of an edit.
#[derive(Input)]
#[wasmmcp(rename_all = "camelCase")]
struct Replacement {
    /// The text to look for, exactly as it stands in the file.
    old_text: String,
    /// The text to put in its place.
    new_text: String,
}

fn read_lines(path: &str, tail: Option<f64>, head: Option<f64>) -> Result<String, Failure> {
    let path = Mounts::of_the_host().locate(path)?;
    // Zero lines mean the same as no number.
    match (
        tail.filter(|lines| *lines != 0.0),
        head.filter(|lines| *lines != 0.0),
    ) {
        (Some(_), Some(_)) => Err(Failure::new(
            "Cannot specify both head and tail parameters simultaneously",
        )),
        (Some(lines), None) => read::tail(&path, lines),
        (None, Some(lines)) => read::head(&path, lines),
        (None, None) => read::text(&path),
    }
}

/// Read a whole file as text. Deprecated: read_text_file does the same.
#[tool(title = "Read File (Deprecated)", read_only, open_world = false)]
fn read_file(
    path: Path,
    /// Give only the last N lines of the file.
    #[no_null]
    tail: Option<f64>,
    /// Give only the first N lines of the file.
    #[no_null]
    head: Option<f64>,
) -> Answered {
    answered(read_lines(&path, tail, head))
}

/// Read a file as text, whatever its extension: all of it, its first lines ('head') or its
/// last lines ('tail'). Only within allowed directories.
#[tool(title = "Read Text File", read_only, open_world = false)]
fn read_text_file(
    path: Path,
    /// Give only the last N lines of the file.
    #[no_null]
    tail: Option<f64>,
    /// Give only the first N lines of the file.
    #[no_null]
    head: Option<f64>,
) -> Answered {
    answered(read_lines(&path, tail, head))
}

/// Read a file as a base64 content block with its MIME type: images and audio as such, any
/// other file as an embedded resource. Only within allowed directories.
#[tool(title = "Read Media File", read_only, open_world = false)]
fn read_media_file(path: Path) -> Result<Blocks, ToolError> {
    let path = Mounts::of_the_host().locate(&path)?;
    Ok(Blocks(vec![read::media(&path)?]))
}

/// Read several files as text in one call. Each content follows its path; a file that
/// can't be read is reported in its place and does not stop the others. Only within allowed
/// directories.
#[tool(title = "Read Multiple Files", read_only, open_world = false)]
fn read_multiple_files(
    /// Paths of the files to read, within allowed directories.
    #[min_items(1)]
    paths: Vec<Path>,
) -> Answered {
    let mounts = Mounts::of_the_host();
    let mut any = false;
    let parts: Vec<String> = paths
        .iter()
        .map(
            |path| match mounts.locate(path).and_then(|real| read::text(&real)) {
                Ok(content) => {
                    any = true;
                    format!("{}:\n{content}\n", path.0)
                }
                Err(failure) => format!("{}: Error - {}", path.0, failure.message),
            },
        )
        .collect();
    let text = parts.join("\n---\n");
    if any {
        Ok(Content(text))
    } else {
        Err(ToolError::new(text))
    }
}

/// Create a file, or replace all of an existing one without asking. Only within allowed
/// directories.
#[tool(
    title = "Write File",
    read_only = false,
    destructive,
    idempotent,
    open_world = false
)]
fn write_file(path: Path, content: String) -> Answered {
    let real = Mounts::of_the_host().locate(&path)?;
    write::replace(&real, content.as_bytes())?;
    Ok(Content(format!("Successfully wrote to {}", path.0)))
}

/// Replace texts in a file, one after another, and show the changes as a diff. A text that
/// stands nowhere exactly may also match lines that are indented otherwise. Line ends count for
/// nothing: lines end as those of the file. Only within allowed directories.
#[tool(
    title = "Edit File",
    read_only = false,
    destructive,
    idempotent = false,
    open_world = false,
    rename_all = "camelCase"
)]
fn edit_file(
    path: Path,
    edits: Vec<Replacement>,
    /// Show the changes as a diff without making them.
    #[default(false)]
    dry_run: bool,
) -> Answered {
    let real = Mounts::of_the_host().locate(&path)?;
    let mut text = Text::of(&read::bytes(&real)?);
    let before = text.shown();
    let edits: Vec<Edit> = edits
        .into_iter()
        .map(|edit| Edit {
            old: edit.old_text,
            new: edit.new_text,
        })
        .collect();
    if edits.iter().any(|edit| text.is_ambiguous_with(&edit.new)) {
        return Err(ToolError::new(format!(
            "{}: the file is not UTF-8, and the new text has characters of U+10FF00 to U+10FFFF, \
             which stand for its bytes here",
            path.0
        )));
    }
    edit::apply(&mut text, &edits)?;
    let diff = diff::unified(&real, &before, &text.shown());
    if !dry_run {
        write::replace(&real, &text.into_bytes())?;
    }
    let mut fence = String::from("```");
    while diff.contains(&fence) {
        fence.push('`');
    }
    Ok(Content(format!("{fence}diff\n{diff}{fence}\n\n")))
}

/// Make a directory, with those above it where they are missing; one that exists already is
/// no error. Only within allowed directories.
#[tool(
    title = "Create Directory",
    read_only = false,
    idempotent,
    destructive = false,
    open_world = false
)]
fn create_directory(path: Path) -> Answered {
    let real = Mounts::of_the_host().locate(&path)?;
    write::make_directory(&real)?;
    Ok(Content(format!(
        "Successfully created directory {}",
        path.0
    )))
}

/// List the entries of a directory, marked [FILE] or [DIR]. Only within allowed directories.
#[tool(title = "List Directory", read_only, open_world = false)]
fn list_directory(path: Path) -> Answered {
    let real = Mounts::of_the_host().locate(&path)?;
    answered(listing::plain(&real))
}

/// List the entries of a directory, marked [FILE] or [DIR], with their sizes and totals.
/// Only within allowed directories.
#[tool(
    title = "List Directory with Sizes",
    read_only,
    open_world = false,
    rename_all = "camelCase"
)]
fn list_directory_with_sizes(
    path: Path,
    /// Sort by name, or by size with the largest first.
    #[default("name")]
    sort_by: SortBy,
) -> Answered {
    let real = Mounts::of_the_host().locate(&path)?;
    answered(listing::with_sizes(&real, sort_by))
}

/// Show a directory and all beneath it as JSON: each entry has 'name' and 'type' ('file' or
/// 'directory'), and each directory 'children'. Only within allowed directories.
#[tool(
    title = "Directory Tree",
    read_only,
    open_world = false,
    rename_all = "camelCase"
)]
fn directory_tree(path: Path, #[default([])] exclude_patterns: Vec<String>) -> Answered {
    let tree = listing::tree(&Mounts::of_the_host(), &path, &exclude_patterns)?;
    Ok(Content(format!("{tree:#}")))
}

/// Move or rename a file or directory. Fails where the destination exists. Both must be
/// within allowed directories.
#[tool(
    title = "Move File",
    read_only = false,
    idempotent = false,
    destructive,
    open_world = false
)]
fn move_file(source: Path, destination: Path) -> Answered {
    let mounts = Mounts::of_the_host();
    let from = mounts.locate(&source)?;
    let to = mounts.locate(&destination)?;
    write::relocate(&from, &to)?;
    Ok(Content(format!(
        "Successfully moved {} to {}",
        source.0, destination.0
    )))
}

/// Find files and directories by a glob pattern over paths relative to the start: '*.ext'
/// for one directory, '**/*.ext' for all beneath it. Gives full paths. Only within allowed
/// directories.
#[tool(
    title = "Search Files",
    read_only,
    open_world = false,
    rename_all = "camelCase"
)]
fn search_files(
    path: Path,
    pattern: String,
    #[default([])] exclude_patterns: Vec<String>,
) -> Answered {
    let mounts = Mounts::of_the_host();
    let root = mounts.locate(&path)?;
    let found = listing::search(&mounts, &root, &pattern, &exclude_patterns)?;
    Ok(Content(if found.is_empty() {
        "No matches found".to_owned()
    } else {
        found.join("\n")
    }))
}

/// Tell what is known about a file or directory without reading it: size, times of
/// creation, change and access, kind, permissions. Only within allowed directories.
#[tool(title = "Get File Info", read_only, open_world = false)]
fn get_file_info(path: Path) -> Answered {
    let real = Mounts::of_the_host().locate(&path)?;
    answered(info::describe(&real))
}

/// Name the directories that these tools may use; what is beneath them may be used too.
#[tool(
    title = "List Allowed Directories",
    read_only,
    open_world = false,
    hint(privacy = "node")
)]
fn list_allowed_directories() -> Answered {
    Ok(Content(format!(
        "Allowed directories:\n{}",
        Mounts::of_the_host().names().join("\n")
    )))
}

wasmmcp::server! {
    name: "filesystem",
    like: javascript,
    tools: [
        read_file,
        read_text_file,
        read_media_file,
        read_multiple_files,
        write_file,
        edit_file,
        create_directory,
        list_directory,
        list_directory_with_sizes,
        directory_tree,
        move_file,
        search_files,
        get_file_info,
        list_allowed_directories,
    ],
}
