//! A repository: its directories and what lies in them.

use std::cell::{OnceCell, RefCell};
use std::collections::{HashMap, HashSet};
use std::fs;
use std::rc::Rc;

use wasmmcp::host::Listed;

use crate::failure::{Failure, Outcome};
use crate::files;
use crate::store::config::Config;
use crate::store::index::Index;
use crate::store::objects::object::{Kind, TreeEntry};
use crate::store::objects::odb::Odb;
use crate::store::objects::oid::Oid;
use crate::store::objects::tree_files::files_of;
use crate::store::refs::{Head, Refs, Value};
use crate::store::user::User;

/// What stands in a directory, sorted by name.
pub type Listing = Rc<Vec<Listed>>;

/// An open repository.
pub struct Repo {
    /// Where HEAD and the index are.
    pub git_dir: String,
    /// Where objects and branches are; the same but in a linked work tree.
    pub common_dir: String,
    work_dir: Option<String>,
    pub config: Config,
    /// What of its user's configuration stands in files of their own.
    pub user: User,
    pub odb: Odb,
    pub refs: Refs,
    shallow: OnceCell<HashSet<Oid>>,
    /// Directories of the work tree as they were when first asked for; `None` where the host
    /// doesn't tell.
    listings: RefCell<HashMap<Vec<u8>, Option<Listing>>>,
}

/// Extensions that change nothing that we read or write wrongly.
const KNOWN_EXTENSIONS: [&str; 5] = [
    "noop",
    "preciousobjects",
    "partialclone",
    "worktreeconfig",
    "relativeworktrees",
];

impl Repo {
    /// Opens the repository at a path: a work tree, a `.git` directory or a bare one.
    ///
    /// # Errors
    /// There is none, or it is of a kind that can't be handled.
    pub fn open(path: &str) -> Outcome<Self> {
        if !path.starts_with('/') {
            return Err(Failure::new(format!(
                "{path}: give the absolute path of a repository beneath a mount"
            )));
        }
        let path = files::join("/", path);
        if fs::metadata(&path).is_err() {
            return Err(Failure::new(format!(
                "{path}: no such directory beneath the mounts"
            )));
        }
        Repo::find(&path)?.ok_or_else(|| Failure::new(format!("{path}: not a git repository")))
    }

    /// The repository exactly at a directory; `None` where there is none.
    pub fn find(path: &str) -> Outcome<Option<Self>> {
        let dot = format!("{path}/.git");
        match fs::metadata(&dot) {
            Ok(found) if found.is_dir() && is_git_dir(&dot) => {
                return Repo::at(dot, Some(path.to_owned())).map(Some);
            }
            Ok(found) if found.is_file() => {
                let text = files::text(&dot)?.unwrap_or_default();
                let target = text
                    .strip_prefix("gitdir:")
                    .map(|target| files::join(path, target.trim()));
                return match target.filter(|target| is_git_dir(target)) {
                    Some(target) => Repo::at(target, Some(path.to_owned())).map(Some),
                    None => Err(Failure::new(format!(
                        "{path}: its repository lies outside the mounts, or is none"
                    ))),
                };
            }
            _ => {}
        }
        if is_git_dir(path) {
            return Repo::at(path.to_owned(), Some(files::parent(path).to_owned())).map(Some);
        }
        Ok(None)
    }

    fn at(git_dir: String, work_dir: Option<String>) -> Outcome<Self> {
        let common_dir = match files::text(&format!("{git_dir}/commondir"))? {
            Some(text) => files::join(&git_dir, text.trim_end()),
            None => git_dir.clone(),
        };
        let mut config = Config::load(&[format!("{common_dir}/config")], &git_dir)?;
        if config.flag("extensions.worktreeconfig") == Some(true) {
            let own = format!("{git_dir}/config.worktree");
            config = Config::load(&[format!("{common_dir}/config"), own], &git_dir)?;
        }
        check_format(&config)?;
        let mut user = User::of(&git_dir, &config)?;
        let config = config.between(std::mem::take(&mut user.values))?;
        let linked = git_dir != common_dir;
        let bare = config.flag("core.bare").unwrap_or(false) && !linked;
        let work_dir = match config.get("core.worktree") {
            Some(other) if !linked => Some(files::join(&git_dir, other)),
            _ => work_dir,
        };
        let logs = config.flag("core.logallrefupdates").unwrap_or(!bare);
        let refs = Refs::new(&git_dir, &common_dir, logs);
        let replaced = match config.flag("core.usereplacerefs") {
            Some(false) => HashMap::new(),
            _ => replaced(&refs)?,
        };
        Ok(Repo {
            work_dir: work_dir.filter(|_| !bare),
            odb: Odb::open(&format!("{common_dir}/objects"), replaced),
            refs,
            shallow: OnceCell::new(),
            listings: RefCell::default(),
            git_dir,
            common_dir,
            config,
            user,
        })
    }

    /// The directory of the work tree.
    ///
    /// # Errors
    /// The repository is bare.
    pub fn work_dir(&self) -> Outcome<&str> {
        self.work_dir
            .as_deref()
            .ok_or_else(|| Failure::new("this operation must be run in a work tree"))
    }

    /// Where a path of the repository lies in the file system.
    pub fn place(&self, path: &[u8]) -> Outcome<String> {
        let name = std::str::from_utf8(path).map_err(|_| {
            let shown = String::from_utf8_lossy(path);
            Failure::new(format!(
                "{shown}: a name that is not UTF-8 cannot be reached from WASI"
            ))
        })?;
        Ok(format!("{}/{name}", self.work_dir()?))
    }

    /// What the host's file system says of a directory's entries, sorted by name: at once,
    /// where WASI would have to be asked of each file several times.
    pub fn listing(&self, dir: &[u8]) -> Option<Listing> {
        if let Some(known) = self.listings.borrow().get(dir) {
            return known.clone();
        }
        let place = match dir {
            b"" => self.work_dir().ok().map(str::to_owned),
            dir => self.place(dir).ok(),
        };
        let listed = place.and_then(|place| files::list(&place));
        let listed = listed.map(|mut entries| {
            entries.sort_by(|a, b| a.name.cmp(&b.name));
            Rc::new(entries)
        });
        self.listings
            .borrow_mut()
            .insert(dir.to_vec(), listed.clone());
        listed
    }

    /// Whether a shallow clone ends at a commit: what came before is not to be seen.
    pub fn is_shallow(&self, commit: &Oid) -> bool {
        let read = || {
            let path = format!("{}/shallow", self.common_dir);
            let text = files::text(&path).ok().flatten().unwrap_or_default();
            text.lines()
                .filter_map(|line| Oid::from_hex(line.trim().as_bytes()))
                .collect()
        };
        self.shallow.get_or_init(read).contains(commit)
    }

    /// The index.
    pub fn index(&self) -> Outcome<Index> {
        let mut index = Index::load(&self.index_path())?;
        index.expand(|tree| {
            let files = files_of(&self.odb, Some(*tree))?;
            Ok(files
                .into_iter()
                .map(|(path, (mode, oid))| (path, mode, oid))
                .collect())
        })?;
        Ok(index)
    }

    /// Where the index lies.
    pub fn index_path(&self) -> String {
        format!("{}/index", self.git_dir)
    }

    /// Whether a file stands in the repository's own directory.
    pub fn has(&self, name: &str) -> bool {
        fs::symlink_metadata(format!("{}/{name}", self.git_dir)).is_ok()
    }

    /// The text of a file in the repository's own directory, blanks at its end removed.
    pub fn note(&self, name: &str) -> Option<String> {
        let text = files::text(&format!("{}/{name}", self.git_dir))
            .ok()
            .flatten()?;
        Some(text.trim_end().to_owned())
    }

    /// The tree of HEAD's commit; `None` on an unborn branch.
    pub fn head_tree(&self) -> Outcome<Option<Oid>> {
        match self.refs.head()?.commit() {
            Some(commit) => Ok(Some(
                self.odb.commit(&self.peel(commit, Kind::Commit)?)?.tree,
            )),
            None => Ok(None),
        }
    }

    /// HEAD.
    pub fn head(&self) -> Outcome<Head> {
        self.refs.head()
    }

    /// What an object leads to: tags are followed, and a commit has a tree.
    pub fn peel(&self, oid: Oid, to: Kind) -> Outcome<Oid> {
        let mut oid = oid;
        for _ in 0..64 {
            let object = self.odb.read(&oid)?;
            oid = match object.kind {
                kind if kind == to => return Ok(oid),
                Kind::Tag => crate::store::objects::object::tag_target(&object.data)?,
                Kind::Commit if to == Kind::Tree => self.odb.commit(&oid)?.tree,
                kind => {
                    return Err(Failure::new(format!(
                        "object {oid} is a {}, not a {}",
                        kind.name(),
                        to.name()
                    )))
                }
            };
        }
        Err(Failure::corrupt("tags lead round in a circle"))
    }

    /// The object that stands at a path in a tree.
    pub fn find_in_tree(&self, tree: &Oid, path: &[u8]) -> Outcome<Option<TreeEntry>> {
        let mut found = TreeEntry {
            mode: crate::store::objects::object::mode::TREE,
            name: Vec::new(),
            oid: *tree,
        };
        for part in path
            .split(|byte| *byte == b'/')
            .filter(|part| !part.is_empty())
        {
            if found.mode != crate::store::objects::object::mode::TREE {
                return Ok(None);
            }
            let entries = self.odb.tree(&found.oid)?;
            match entries.into_iter().find(|entry| entry.name == part) {
                Some(entry) => found = entry,
                None => return Ok(None),
            }
        }
        Ok(Some(found))
    }
}

/// Objects that stand for others (git-replace(1)), by the names of those.
fn replaced(refs: &Refs) -> Outcome<HashMap<Oid, Oid>> {
    let listed = refs.list("refs/replace/")?;
    let pairs = listed.into_iter().filter_map(|(name, value)| match value {
        Value::Oid(new) => Some((
            Oid::from_hex(name.strip_prefix("refs/replace/")?.as_bytes())?,
            new,
        )),
        Value::Symbolic(_) => None,
    });
    Ok(pairs.collect())
}

fn is_git_dir(path: &str) -> bool {
    let head = files::text(&format!("{path}/HEAD"))
        .ok()
        .flatten()
        .unwrap_or_default();
    let valid = head
        .strip_prefix("ref:")
        .is_some_and(|name| name.trim_start().starts_with("refs/"))
        || head
            .get(..40)
            .is_some_and(|hex| Oid::from_hex(hex.as_bytes()).is_some());
    let common = match files::text(&format!("{path}/commondir")).ok().flatten() {
        Some(text) => files::join(path, text.trim_end()),
        None => path.to_owned(),
    };
    let is_dir =
        |name: &str| fs::metadata(format!("{common}/{name}")).is_ok_and(|found| found.is_dir());
    valid && is_dir("objects") && is_dir("refs")
}

fn check_format(config: &Config) -> Outcome<()> {
    let version = config.number("core.repositoryformatversion").unwrap_or(0);
    if version > 1 {
        return Err(Failure::new(format!(
            "repository format {version} is not supported"
        )));
    }
    let extensions = config
        .entries()
        .filter_map(|(key, value)| Some((key.strip_prefix("extensions.")?, value)));
    for (name, value) in extensions {
        let harmless = KNOWN_EXTENSIONS.contains(&name)
            || (name == "objectformat" && value == "sha1")
            || (name == "refstorage" && value == "files");
        if !harmless && (version == 1 || name == "objectformat" || name == "refstorage") {
            return Err(Failure::new(format!(
                "repository extension {name} = {value} is not supported"
            )));
        }
    }
    Ok(())
}
