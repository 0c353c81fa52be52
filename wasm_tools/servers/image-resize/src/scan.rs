//! Image files of a directory, as Python's `pathlib` finds and names them.

use std::fs;

const USUAL: [&str; 7] = [".jpg", ".jpeg", ".png", ".gif", ".bmp", ".webp", ".tiff"];

/// What was found: paths and the sum of their sizes in bytes.
#[derive(Default)]
pub struct Found {
    pub paths: Vec<String>,
    pub total_bytes: u64,
}

/// Looks for files with one of the extensions (with their dot, in lower case).
///
/// None where there is no such directory; a file in its place is an empty directory.
pub fn scan(directory: &str, extensions: Option<&[String]>, recursive: bool) -> Option<Found> {
    let start = plain(directory);
    fs::metadata(&start).ok()?;
    let wanted = |suffix: &str| match extensions {
        Some(chosen) => chosen.iter().any(|one| one == suffix),
        None => USUAL.contains(&suffix),
    };
    let mut found = Found::default();
    let mut waiting = vec![start];
    while let Some(place) = waiting.pop() {
        // What can't be read is passed over.
        let Ok(entries) = fs::read_dir(&place) else {
            continue;
        };
        for entry in entries.flatten() {
            let Ok(name) = entry.file_name().into_string() else {
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
