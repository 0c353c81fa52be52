//! robots.txt: which pages a program may fetch.
//!
//! RFC 9309, with the latitude of Python's Protego, which the original uses: misspelt
//! directives, missing colons, several groups for one agent.

use url::Url;

use crate::text::{split_lines, strip};

const DISALLOW: &[&str] = &[
    "disallow",
    "dissallow",
    "dissalow",
    "disalow",
    "diasllow",
    "disallaw",
];
const ALLOW: &[&str] = &["allow"];
const AGENT: &[&str] = &["user-agent", "useragent", "user agent"];
/// They concern the whole site, and end no group.
const SITE: &[&str] = &["sitemap", "sitemaps", "site-map", "host"];
const OTHER: &[&str] = &[
    "crawl-delay",
    "crawl delay",
    "request-rate",
    "request rate",
    "visit-time",
    "visit time",
];
/// Far more than any real file has; each is looked at for each request.
const MOST_RULES: usize = 20_000;
const INDEX: &str = "/index.html";

/// A parsed file: rules by agent, in the order of their first mention.
#[derive(Default)]
pub struct Robots {
    groups: Vec<Group>,
}

#[derive(Default)]
struct Group {
    agent: String,
    rules: Vec<Rule>,
}

struct Rule {
    allow: bool,
    pattern: String,
}

#[derive(Clone, Copy, PartialEq)]
enum Kind {
    Agent,
    Allow,
    Disallow,
    Site,
    Other,
}

impl Robots {
    /// Reads a file. Whatever is no directive is passed over.
    pub fn parse(content: &str) -> Self {
        let mut robots = Robots::default();
        let mut current: Vec<usize> = Vec::new();
        let mut previous: Option<Kind> = None;
        let mut count = 0;
        for line in split_lines(content) {
            let line = strip(line.split('#').next().unwrap_or_default());
            let Some((kind, value)) = directive(line) else {
                continue;
            };
            if kind == Kind::Agent && previous.is_some_and(|kind| kind != Kind::Agent) {
                current.clear();
            }
            if kind != Kind::Site {
                previous = Some(kind);
            }
            count += 1;
            if value.is_empty() || count > MOST_RULES {
                continue;
            }
            match kind {
                Kind::Agent => robots.enter(&value, &mut current),
                Kind::Allow | Kind::Disallow => {
                    for index in &current {
                        robots.groups[*index].add(kind == Kind::Allow, &value);
                    }
                }
                Kind::Site | Kind::Other => {}
            }
        }
        for group in &mut robots.groups {
            // The longest pattern decides, and among equals the one that allows.
            group
                .rules
                .sort_by_key(|rule| std::cmp::Reverse((rule.pattern.len(), rule.allow)));
        }
        robots
    }

    /// Whether the agent, by its whole `User-Agent`, may fetch the URL.
    pub fn permits(&self, url: &Url, agent: &str) -> bool {
        if url.path() == "/robots.txt" {
            return true;
        }
        let agent = strip(agent).to_lowercase();
        let mut best: Option<(usize, &Group)> = None;
        for group in &self.groups {
            let score = group.score(&agent);
            if score > best.map_or(0, |(most, _)| most) {
                best = Some((score, group));
            }
        }
        let Some((_, group)) = best else { return true };
        let mut path = url.path().to_owned();
        if let Some(query) = url.query() {
            path = format!("{path}?{query}");
        }
        let path = normal(&path, "/%");
        let path = if path.starts_with('/') {
            path
        } else {
            format!("/{path}")
        };
        let deciding = group
            .rules
            .iter()
            .find(|rule| matches(&rule.pattern, &path));
        deciding.is_none_or(|rule| rule.allow)
    }

    /// Makes the groups of an agent's line those that the next rules belong to.
    fn enter(&mut self, value: &str, current: &mut Vec<usize>) {
        let agent = value.to_lowercase();
        let plain = agent.replace('*', "");
        let without_stars = (agent != "*" && agent.contains('*')).then_some(plain);
        for name in [Some(agent), without_stars].into_iter().flatten() {
            if name.is_empty() {
                continue;
            }
            let index = match self.groups.iter().position(|group| group.agent == name) {
                Some(index) => index,
                None => {
                    self.groups.push(Group {
                        agent: name,
                        rules: Vec::new(),
                    });
                    self.groups.len() - 1
                }
            };
            if !current.contains(&index) {
                current.push(index);
            }
        }
    }
}

impl Group {
    fn add(&mut self, allow: bool, value: &str) {
        if value.contains('$') {
            // It may be meant as a character or as the end: both count.
            self.add_pattern(allow, &value.replace('$', "%24"));
        }
        self.add_pattern(allow, value);
    }

    fn add_pattern(&mut self, allow: bool, value: &str) {
        let pattern = normal_pattern(value);
        if pattern.is_empty() {
            return;
        }
        // Who allows the index page means its directory too.
        if let (true, Some(directory)) = (allow, pattern.strip_suffix(INDEX)) {
            self.rules.push(Rule {
                allow,
                pattern: format!("{directory}/$"),
            });
        }
        self.rules.push(Rule { allow, pattern });
    }

    /// How well the group fits an agent: 0 not at all, 1 as one for all.
    fn score(&self, agent: &str) -> usize {
        if self.agent == "*" {
            return 1;
        }
        let inside = |index: usize| {
            let before = agent[..index].chars().next_back();
            before.is_some_and(|c| c.is_alphanumeric() || c == '-' || c == '_')
        };
        let mut from = 0;
        while let Some(found) = agent[from..].find(&self.agent) {
            let index = from + found;
            if !inside(index) {
                return self.agent.chars().count();
            }
            from = index + self.agent.chars().next().map_or(1, char::len_utf8);
        }
        0
    }
}

/// The kind and the value of a line, however carelessly it is written.
fn directive(line: &str) -> Option<(Kind, String)> {
    if line.is_empty() {
        return None;
    }
    let colon = line.split_once(':');
    if let Some((field, value)) = colon {
        let kind = kind_of(&strip(field).to_lowercase());
        if kind.is_some() || value.chars().next().is_none_or(crate::text::is_space) {
            return Some((kind.unwrap_or(Kind::Other), strip(value).to_owned()));
        }
    }
    let words: Vec<&str> = line
        .split(crate::text::is_space)
        .filter(|word| !word.is_empty())
        .collect();
    for count in 1..=2.min(words.len()) {
        if let Some(kind) = kind_of(&words[..count].join(" ").to_lowercase()) {
            return Some((kind, words[count..].join(" ")));
        }
    }
    colon.map(|(_, value)| (Kind::Other, strip(value).to_owned()))
}

fn kind_of(field: &str) -> Option<Kind> {
    let known = [
        (AGENT, Kind::Agent),
        (ALLOW, Kind::Allow),
        (DISALLOW, Kind::Disallow),
        (SITE, Kind::Site),
        (OTHER, Kind::Other),
    ];
    let found = known.iter().find(|(names, _)| names.contains(&field));
    found.map(|(_, kind)| *kind)
}

fn matches(pattern: &str, path: &str) -> bool {
    let (pattern, anchored) = match pattern.strip_suffix('$') {
        Some(rest) => (rest, true),
        None => (pattern, false),
    };
    let Some((first, rest)) = pattern.split_once('*') else {
        return if anchored {
            path == pattern
        } else {
            path.starts_with(pattern)
        };
    };
    let Some(mut left) = path.strip_prefix(first) else {
        return false;
    };
    let (middle, last) = rest.rsplit_once('*').unwrap_or(("", rest));
    for part in middle.split('*').filter(|part| !part.is_empty()) {
        let Some(at) = left.find(part) else {
            return false;
        };
        left = &left[at + part.len()..];
    }
    if anchored {
        left.ends_with(last)
    } else {
        left.contains(last)
    }
}

fn normal_pattern(value: &str) -> String {
    let mut pattern = value.to_owned();
    if pattern.starts_with("https://") || pattern.starts_with("http://") {
        pattern.insert(0, '/');
    }
    match pattern.strip_suffix('$') {
        Some(rest) => normal(rest, "/%*") + "$",
        None => normal(&pattern, "/%*"),
    }
}

/// A path with its percent-encoding in one form: escapes are decoded except those of
/// `kept`, then what needs one is encoded.
fn normal(text: &str, kept: &str) -> String {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.as_bytes();
    while let Some((&byte, after)) = rest.split_first() {
        let escape = (byte == b'%').then(|| hex(after)).flatten();
        match escape {
            Some(code) if kept.as_bytes().contains(&code) => {
                bytes.extend_from_slice(format!("%{code:02X}").as_bytes());
                rest = &after[2..];
            }
            Some(code) => {
                bytes.push(code);
                rest = &after[2..];
            }
            None => {
                bytes.push(byte);
                rest = after;
            }
        }
    }
    let mut quoted = String::with_capacity(bytes.len());
    for byte in String::from_utf8_lossy(&bytes).bytes() {
        let character = char::from(byte);
        if byte.is_ascii_alphanumeric() || "_.-~=".contains(character) || kept.contains(character) {
            quoted.push(character);
        } else {
            quoted.push_str(&format!("%{byte:02X}"));
        }
    }
    quoted
}

fn hex(bytes: &[u8]) -> Option<u8> {
    let digit = |at: usize| char::from(*bytes.get(at)?).to_digit(16);
    u8::try_from(digit(0)? * 16 + digit(1)?).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    const AGENT_NAME: &str = "ModelContextProtocol/1.0 (Autonomous; +https://x)";

    fn permits(robots: &str, path: &str) -> bool {
        let url = Url::parse(&format!("http://h{path}")).unwrap();
        Robots::parse(robots).permits(&url, AGENT_NAME)
    }

    #[test]
    fn nothing_said_permits_everything() {
        assert!(permits("", "/x"));
        assert!(permits("Disallow: /", "/x"));
        assert!(permits("User-agent: *\nDisallow:", "/x"));
        assert!(permits("User-agent: otherbot\nDisallow: /", "/x"));
        assert!(permits("<html>nothing here</html>", "/x"));
    }

    #[test]
    fn the_longest_pattern_decides() {
        let robots = "User-agent: *\nDisallow: /a\nAllow: /a/b\nDisallow: /a/b/c";
        assert!(!permits(robots, "/a/x"));
        assert!(permits(robots, "/a/b"));
        assert!(!permits(robots, "/a/b/c"));
        assert!(permits("User-agent: *\nDisallow: /a\nAllow: /a", "/a"));
    }

    #[test]
    fn an_agent_of_its_own_name_has_its_own_rules() {
        let robots = "User-agent: *\nDisallow: /\n\nUser-agent: modelcontextprotocol\nAllow: /";
        assert!(permits(robots, "/x"));
        let robots = "User-agent: contextprotocol\nDisallow: /";
        assert!(permits(robots, "/x"));
        let robots = "user agent Model*ContextProtocol*\ndisalow /x";
        assert!(!permits(robots, "/x"));
    }

    #[test]
    fn groups_share_their_rules() {
        let robots =
            "User-agent: a\nUser-agent: *\nSitemap: s\nDisallow: /x\nUser-agent: b\nDisallow: /y";
        assert!(!permits(robots, "/x"));
        assert!(permits(robots, "/y"));
    }

    #[test]
    fn patterns_have_stars_and_ends() {
        let robots = "User-agent: *\nDisallow: /*.pdf$\nDisallow: /a*b*c\nDisallow: /end$";
        assert!(!permits(robots, "/x/y.pdf"));
        assert!(permits(robots, "/x/y.pdf?z"));
        assert!(!permits(robots, "/a-b-c-d"));
        assert!(permits(robots, "/a-c-b"));
        assert!(!permits(robots, "/end"));
        assert!(permits(robots, "/ending"));
    }

    #[test]
    fn escapes_are_compared_in_one_form() {
        assert!(!permits("User-agent: *\nDisallow: /ä", "/%c3%a4"));
        assert!(!permits("User-agent: *\nDisallow: /%7ejoe", "/~joe/x"));
        assert!(permits("User-agent: *\nDisallow: /a%2fb", "/a/b"));
        assert!(!permits("User-agent: *\nDisallow: /?q", "/?q=1"));
    }

    #[test]
    fn robots_itself_may_always_be_read() {
        assert!(permits("User-agent: *\nDisallow: /", "/robots.txt"));
        assert!(!permits("User-agent: *\nDisallow: /", "/x"));
    }
}
