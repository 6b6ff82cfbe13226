//! All places but some: Landlock can only allow, a directory with all that is in it. So that a few directories cannot be
//! changed, everything beside them is allowed, level by level from the root down to each of them. Reads directories,
//! restricts nothing.
//!
//! What this cannot express: a new name directly in a directory that lies above a spared one (in the home directory, for
//! a project in it), nor taking a name away there. Only the files that are there already may be written. A second mount
//! of a spared place is not known to be one.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

/// What is not above, below or at one of `spared`, which are real paths. Links are left out: what they lead to is
/// allowed where it lies, or is spared.
pub(super) fn around(spared: &[PathBuf]) -> Vec<PathBuf> {
    let above = above(spared);
    let mut found = Vec::new();
    for dir in &above {
        // One that cannot be listed allows nothing in it; those of the way down are known by their names.
        let Ok(entries) = std::fs::read_dir(dir) else { continue };
        for entry in entries.flatten() {
            let path = entry.path();
            let is_link = entry.file_type().map_or(true, |kind| kind.is_symlink());
            if !is_link && !above.contains(&*path) && !spared.contains(&path) {
                found.push(path);
            }
        }
    }
    found
}

/// The directories in which a spared one lies, if not in another spared one.
pub(super) fn above(spared: &[PathBuf]) -> BTreeSet<&Path> {
    let is_spared = |path: &Path| spared.iter().any(|spared| path.starts_with(spared));
    spared.iter().flat_map(|path| path.ancestors().skip(1)).filter(|path| !is_spared(path)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs::{create_dir_all, write};

    #[test]
    fn all_is_found_but_what_is_spared_and_what_lies_above_it() {
        let top = tempfile::tempdir().expect("a directory");
        let top = top.path().canonicalize().expect("exists");
        for dir in
            ["home/src/project/.git", "home/src/other/deep", "home/.cache", "home/.state/trees/1", "srv"]
        {
            create_dir_all(top.join(dir)).expect("made");
        }
        write(top.join("home/.bashrc"), "").expect("written");
        std::os::unix::fs::symlink(top.join("home/src/project"), top.join("home/now")).expect("linked");
        std::os::unix::fs::symlink(&top, top.join("srv/up")).expect("linked");
        let spared = ["home/src/project", "home/.state/trees", "home/src/project/.git", "home/.later"];
        let spared = spared.map(|path| top.join(path));
        let found = around(&spared);
        let mut inside: Vec<&Path> = found.iter().filter_map(|path| path.strip_prefix(&top).ok()).collect();
        inside.sort();
        assert_eq!(inside, ["home/.bashrc", "home/.cache", "home/src/other", "srv"].map(Path::new));
        let root = found.iter().filter(|path| path.parent() == Some(Path::new("/")));
        assert!(root.clone().count() > 3 && root.clone().all(|path| !top.starts_with(path)), "{found:?}");
    }
}
