//! All files beneath a tree, however deep.

use std::collections::BTreeMap;

use crate::failure::Outcome;
use crate::store::objects::object::mode;
use crate::store::objects::odb::Odb;
use crate::store::objects::oid::Oid;

/// The files of a tree by path.
pub type Files = BTreeMap<Vec<u8>, (u32, Oid)>;

/// All files beneath a tree.
pub fn files_of(odb: &Odb, tree: Option<Oid>) -> Outcome<Files> {
    let mut files = Files::new();
    let mut todo: Vec<(Vec<u8>, Oid)> = tree.map(|oid| (Vec::new(), oid)).into_iter().collect();
    while let Some((prefix, oid)) = todo.pop() {
        for entry in odb.tree(&oid)? {
            let path = [prefix.as_slice(), &entry.name].concat();
            if entry.mode == mode::TREE {
                todo.push(([path.as_slice(), b"/"].concat(), entry.oid));
            } else {
                files.insert(path, (entry.mode, entry.oid));
            }
        }
    }
    Ok(files)
}
