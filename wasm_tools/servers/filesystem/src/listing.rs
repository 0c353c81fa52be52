//! Directories: their entries, sizes, trees, and searches through them.

use std::cmp::Reverse;
use std::fs;

use wasmmcp::directory::{self, Kind};
use wasmmcp::{Map, Value};

use crate::collate;
use crate::failure::Failure;
use crate::glob::{Glob, Work};
use crate::mounts::Mounts;
use crate::paths::join;

/// Deeper than any path that systems allow; where links or mounts make a ring, it ends here.
const MAX_DEPTH: usize = 256;

/// One name in a directory. A link is no directory, whatever it leads to.
struct Entry {
    name: String,
    is_directory: bool,
    is_link: bool,
}

/// How `with_sizes` sorts.
#[derive(Clone, Copy, PartialEq, wasmmcp::Input)]
pub enum SortBy {
    Name,
    Size,
}

/// The entries of a directory, in the order of their bytes.
fn entries(path: &str) -> Result<Vec<Entry>, Failure> {
    let fail = |error| Failure::system(&error, "scandir", path);
    let mut found = Vec::new();
    for entry in directory::entries(path).map_err(fail)? {
        found.push(Entry {
            name: String::from_utf8_lossy(&entry.name).into_owned(),
            is_directory: entry.kind == Kind::Directory,
            is_link: entry.kind == Kind::Link,
        });
    }
    found.sort_by(|left, right| left.name.cmp(&right.name));
    Ok(found)
}

fn mark(is_directory: bool) -> &'static str {
    if is_directory {
        "[DIR]"
    } else {
        "[FILE]"
    }
}

/// One line per entry: `[DIR] name` or `[FILE] name`.
pub fn plain(directory: &str) -> Result<String, Failure> {
    let lines: Vec<String> = entries(directory)?
        .iter()
        .map(|entry| format!("{} {}", mark(entry.is_directory), entry.name))
        .collect();
    Ok(lines.join("\n"))
}

/// The same with sizes, and the totals at the end.
pub fn with_sizes(directory: &str, sort_by: SortBy) -> Result<String, Failure> {
    let mut sized: Vec<(Entry, u64)> = entries(directory)?
        .into_iter()
        .map(|entry| {
            // A link that leads nowhere, or out of the mounts, has no size to tell.
            let found = fs::metadata(join(directory, &entry.name));
            (entry, found.map_or(0, |found| found.len()))
        })
        .collect();
    match sort_by {
        SortBy::Size => sized.sort_by_key(|(_, size)| Reverse(*size)),
        SortBy::Name => sized.sort_by(|left, right| collate::compare(&left.0.name, &right.0.name)),
    }
    let mut lines: Vec<String> = sized
        .iter()
        .map(|(entry, size)| line(entry, *size))
        .collect();
    let files = || sized.iter().filter(|(entry, _)| !entry.is_directory);
    let file_count = files().count();
    let total: u64 = files().map(|(_, size)| *size).fold(0, u64::saturating_add);
    lines.push(String::new());
    lines.push(format!(
        "Total: {file_count} files, {} directories",
        sized.len() - file_count
    ));
    lines.push(format!("Combined size: {}", readable(total)));
    Ok(lines.join("\n"))
}

fn line(entry: &Entry, size: u64) -> String {
    // Widths count as JavaScript counts letters: in UTF-16.
    let width = entry.name.encode_utf16().count();
    let padding = " ".repeat(30usize.saturating_sub(width));
    let size = if entry.is_directory {
        String::new()
    } else {
        format!("{:>10}", readable(size))
    };
    format!(
        "{} {}{padding} {size}",
        mark(entry.is_directory),
        entry.name
    )
}

/// A size with a unit: whole bytes, else two decimals, a half rounded up.
fn readable(bytes: u64) -> String {
    const UNITS: [&str; 4] = ["KB", "MB", "GB", "TB"];
    if bytes < 1024 {
        return format!("{bytes} B");
    }
    let unit = (bytes.ilog2() / 10).min(4);
    let one = 1u128 << (10 * unit);
    let hundredths = (u128::from(bytes) * 200 + one) / (2 * one);
    let name = UNITS.get(unit as usize - 1).unwrap_or(&"TB");
    format!("{}.{:02} {name}", hundredths / 100, hundredths % 100)
}

/// The tree beneath `path` as JSON: `name`, `type`, and `children` of directories.
pub fn tree(mounts: &Mounts, path: &str, excluded: &[String]) -> Result<Value, Failure> {
    let excluded: Vec<Glob> = excluded
        .iter()
        .flat_map(|pattern| tree_globs(pattern))
        .collect();
    Tree {
        mounts,
        excluded,
        work: Work::new(),
    }
    .branch(path, "", 0)
}

/// A pattern without a star also excludes what has that name anywhere, and what is in it.
fn tree_globs(pattern: &str) -> Vec<Glob> {
    if pattern.contains('*') {
        return vec![Glob::new(pattern)];
    }
    let anywhere = format!("**/{pattern}");
    let inside = format!("**/{pattern}/**");
    [pattern, &anywhere, &inside]
        .into_iter()
        .map(Glob::new)
        .collect()
}

struct Tree<'a> {
    mounts: &'a Mounts,
    excluded: Vec<Glob>,
    work: Work,
}

impl Tree<'_> {
    fn branch(&self, path: &str, relative: &str, depth: usize) -> Result<Value, Failure> {
        if depth > MAX_DEPTH {
            return Err(Failure::new(format!(
                "ELOOP: too many directories inside each other, scandir '{path}'"
            )));
        }
        let directory = self.mounts.locate(path)?;
        let mut children = Vec::new();
        for entry in entries(&directory)? {
            let inner = below(relative, &entry.name);
            if any_matches(&self.excluded, &inner, &self.work)? {
                continue;
            }
            let mut node = Map::new();
            node.insert("name".into(), entry.name.as_str().into());
            let kind = if entry.is_directory {
                "directory"
            } else {
                "file"
            };
            node.insert("type".into(), kind.into());
            if entry.is_directory {
                // Beneath the empty path names are relative, like that itself.
                let child = match path {
                    "" => entry.name.clone(),
                    _ => join(path, &entry.name),
                };
                let inside = self.branch(&child, &inner, depth + 1)?;
                node.insert("children".into(), inside);
            }
            children.push(Value::Object(node));
        }
        Ok(Value::Array(children))
    }
}

/// Whether one of the patterns matches.
fn any_matches(globs: &[Glob], path: &str, work: &Work) -> Result<bool, Failure> {
    let found = globs.iter().any(|glob| glob.matches(path, work));
    if work.is_over() {
        return Err(Failure::new(
            "the patterns take too long to compare with so many entries: \
             give fewer or shorter ones, or a directory with less in it",
        ));
    }
    Ok(found)
}

/// The paths beneath `root` that match, directories before what is in them.
pub fn search(
    mounts: &Mounts,
    root: &str,
    pattern: &str,
    excluded: &[String],
) -> Result<Vec<String>, Failure> {
    let search = Search {
        mounts,
        wanted: Glob::new(pattern),
        excluded: excluded.iter().map(|pattern| Glob::new(pattern)).collect(),
        work: Work::new(),
    };
    let mut found = Vec::new();
    search.directory(entries(root)?, root, "", 0, &mut found)?;
    Ok(found)
}

struct Search<'a> {
    mounts: &'a Mounts,
    wanted: Glob,
    excluded: Vec<Glob>,
    work: Work,
}

impl Search<'_> {
    fn directory(
        &self,
        entries_here: Vec<Entry>,
        path: &str,
        relative: &str,
        depth: usize,
        found: &mut Vec<String>,
    ) -> Result<(), Failure> {
        for entry in entries_here {
            let full = join(path, &entry.name);
            // Only a link can lead out of the directory that we are in.
            if entry.is_link && self.mounts.locate(&full).is_err() {
                continue;
            }
            // What has no name in UTF-8 can't be reached by the one that we would give.
            if entry.name.contains('\u{fffd}') && std::fs::symlink_metadata(&full).is_err() {
                continue;
            }
            let inner = below(relative, &entry.name);
            if any_matches(&self.excluded, &inner, &self.work)? {
                continue;
            }
            if any_matches(std::slice::from_ref(&self.wanted), &inner, &self.work)? {
                found.push(full.clone());
            }
            if entry.is_directory && depth < MAX_DEPTH {
                // What can't be read is left out, as if it held nothing.
                if let Ok(inside) = entries(&full) {
                    self.directory(inside, &full, &inner, depth + 1, found)?;
                }
            }
        }
        Ok(())
    }
}

fn below(relative: &str, name: &str) -> String {
    if relative.is_empty() {
        name.to_owned()
    } else {
        format!("{relative}/{name}")
    }
}

#[cfg(test)]
mod tests {
    use super::readable;

    #[test]
    fn sizes_have_two_decimals_and_round_half_up() {
        for (bytes, shown) in [
            (0, "0 B"),
            (1023, "1023 B"),
            (1024, "1.00 KB"),
            (1152, "1.13 KB"),
            (1_048_575, "1024.00 KB"),
            (1_048_576, "1.00 MB"),
            (5 << 40, "5.00 TB"),
            (5 << 50, "5120.00 TB"),
        ] {
            assert_eq!(readable(bytes), shown);
        }
    }
}
