//! What may have changed within a submodule.

/// What changed within a submodule since its last commit.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Dirty {
    pub modified: bool,
    pub untracked: bool,
}
