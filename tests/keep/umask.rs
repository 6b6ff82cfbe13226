//! Everything in the state directory is private, whatever the umask.

use super::{child, note};
use specter::fs;
use specter::journal::Store;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;

fn mode(path: &Path) -> u32 {
    std::fs::symlink_metadata(path).unwrap().permissions().mode() & 0o777
}

fn assert_private(dir: &Path) {
    assert_eq!(mode(dir), 0o700, "{}", dir.display());
    for entry in std::fs::read_dir(dir).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            assert_private(&path);
        } else {
            assert_eq!(mode(&path), 0o600, "{}", path.display());
        }
    }
}

/// Uses everything that creates something.
fn fill(project: &Path) {
    let store = Store::open(project, None).unwrap();
    let lock = store.lock("test", 0).unwrap();
    let (_, mut journal) = store.create_run(1_763_698_500_000, 7, &lock).unwrap();
    journal.append(&[note(1, "a")]).unwrap();
    fs::append(&store.dir().join("implementation.log"), b"line\n").unwrap();
    fs::atomic_replace(&store.dir().join("metrics.json"), b"{}", fs::Access::Private).unwrap();
    fs::create_private_dirs(&store.dir().join("runs/a/b/c")).unwrap();
}

#[test]
fn files_are_private_under_any_umask() {
    if let Some(dir) = child::role_dir() {
        return fill(&dir);
    }
    for umask in ["000", "022", "077"] {
        let dir = tempfile::tempdir().unwrap();
        child::must_pass(
            "keep::umask::files_are_private_under_any_umask",
            dir.path(),
            &format!("umask {umask}"),
        );
        assert_private(&dir.path().join(".specter"));
    }
}
