//! Paths as text: POSIX rules, whatever the host.

/// An absolute path without `.`, `..`, doubled or trailing slashes; `..` at the root stays there.
pub fn resolve(absolute: &str) -> String {
    let mut parts: Vec<&str> = Vec::new();
    for part in parts_of(absolute) {
        match part {
            "." => {}
            ".." => {
                parts.pop();
            }
            _ => parts.push(part),
        }
    }
    format!("/{}", parts.join("/"))
}

/// The parts of a path that are not empty.
pub fn parts_of(path: &str) -> impl Iterator<Item = &str> {
    path.split('/').filter(|part| !part.is_empty())
}

/// `directory/name`, for a directory without trailing slash (or the root).
pub fn join(directory: &str, name: &str) -> String {
    format!("{}/{name}", directory.trim_end_matches('/'))
}

/// The directory that holds `path`.
pub fn parent(path: &str) -> &str {
    match path.rfind('/') {
        Some(0) | None => "/",
        Some(at) => &path[..at],
    }
}

/// Whether `path` is `directory` or beneath it: whole names, not letters.
pub fn within(path: &str, directory: &str) -> bool {
    let rest = path.strip_prefix(directory.trim_end_matches('/'));
    rest.is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
}

/// The extension with its dot, in lower case; empty for `name`, `.name` and `name.` alike.
pub fn extension(path: &str) -> String {
    let name = path.rsplit('/').next().unwrap_or(path);
    match name.rfind('.') {
        Some(at) if at > 0 => name[at..].to_lowercase(),
        _ => String::new(),
    }
}

/// The path as a `file:` URL.
pub fn file_url(path: &str) -> String {
    let mut url = String::from("file://");
    for byte in path.bytes() {
        let plain = byte.is_ascii_alphanumeric() || b"!$&'()*+,-./:;=@_".contains(&byte);
        if plain {
            url.push(char::from(byte));
        } else {
            url.push_str(&format!("%{byte:02X}"));
        }
    }
    url
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_path_is_resolved_without_leaving_the_root() {
        assert_eq!(resolve("/a/./b//../c/"), "/a/c");
        assert_eq!(resolve("/../../a"), "/a");
        assert_eq!(resolve("/"), "/");
    }

    #[test]
    fn within_means_whole_names() {
        assert!(within("/logs", "/logs") && within("/logs/a", "/logs") && within("/a", "/"));
        assert!(!within("/logs2", "/logs") && !within("/log", "/logs"));
    }

    #[test]
    fn an_extension_needs_a_name_before_it() {
        assert_eq!(extension("/a/b.PNG"), ".png");
        assert_eq!(extension("/a.b/.bashrc"), "");
        assert_eq!(extension("/a/b."), ".");
    }
}
