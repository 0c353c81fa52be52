//! Image files of a directory, as Python's `pathlib` finds and names them.

use std::{fs, io};

use wasmmcp::reason;

const USUAL: [&str; 7] = [".jpg", ".jpeg", ".png", ".gif", ".bmp", ".webp", ".tiff"];

/// What was found: paths and the sum of their sizes in bytes.
#[derive(Default)]
pub struct Found {
    pub paths: Vec<String>,
    pub total_bytes: u64,
    /// Directories that can't be read, and names that are not UTF-8, each with the reason.
    pub passed_over: Vec<String>,
}

/// Looks for files with one of the extensions (with their dot, in lower case).
///
/// None where there is no such directory, be it that a file is in its place.
pub fn scan(directory: &str, extensions: Option<&[String]>, recursive: bool) -> Option<Found> {
    let start = plain(directory);
    fs::metadata(&start).ok().filter(fs::Metadata::is_dir)?;
    let wanted = |suffix: &str| match extensions {
        Some(chosen) => chosen.iter().any(|one| one == suffix),
        None => USUAL.contains(&suffix),
    };
    let mut found = Found::default();
    let mut waiting = vec![start];
    while let Some(place) = waiting.pop() {
        let entries = match fs::read_dir(&place).and_then(Iterator::collect::<io::Result<Vec<_>>>) {
            Ok(entries) => entries,
            Err(error) => {
                let why = reason(&error);
                found.passed_over.push(format!("{place}: {why}"));
                continue;
            }
        };
        for entry in entries {
            let Ok(name) = entry.file_name().into_string() else {
                let name = entry.file_name();
                let name = name.to_string_lossy();
                found.passed_over.push(format!("{place}/{name}: not UTF-8"));
                continue;
            };
            let path = match place.as_str() {
                "." => name.clone(),
                "/" => format!("/{name}"),
                _ => format!("{place}/{name}"),
            };
            // A link to a directory is not followed, one to a file is.
            if recursive && entry.file_type().is_ok_and(|kind| kind.is_dir()) {
                waiting.push(path);
            } else if wanted(&suffix(&name)) {
                if let Some(file) = fs::metadata(&path).ok().filter(fs::Metadata::is_file) {
                    found.total_bytes += file.len();
                    found.paths.push(path);
                }
            }
        }
    }
    found.paths.sort();
    found.passed_over.sort();
    Some(found)
}

/// A path without what says nothing: dots, doubled and closing slashes.
fn plain(path: &str) -> String {
    let parts: Vec<&str> = path
        .split('/')
        .filter(|part| !matches!(*part, "" | "."))
        .collect();
    match (path.starts_with('/'), parts.is_empty()) {
        (true, _) => format!("/{}", parts.join("/")),
        (false, true) => ".".to_owned(),
        (false, false) => parts.join("/"),
    }
}

/// The last extension with its dot, in lower case; a leading or closing dot makes none.
fn suffix(name: &str) -> String {
    match name.rfind('.') {
        Some(dot) if dot > 0 && dot + 1 < name.len() => name[dot..].to_lowercase(),
        _ => String::new(),
    }
}
