//! Files that are replaced, appended to and read, and things that only look like files.

use super::child;
use specter::fs::{self, Access, Error};
use std::io;
use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::path::Path;
use std::process::Command;

fn names(dir: &Path) -> Vec<String> {
    let mut names: Vec<String> = std::fs::read_dir(dir)
        .unwrap()
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .collect();
    names.sort();
    names
}

#[test]
fn replacing_keeps_the_mode_and_leaves_nothing_beside() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("file");
    std::fs::write(&path, "old").unwrap();
    std::fs::set_permissions(&path, PermissionsExt::from_mode(0o640)).unwrap();
    for (bytes, replace) in
        [("new", fs::atomic_replace as fn(&Path, &[u8], Access) -> _), ("newer", fs::replace_relaxed)]
    {
        replace(&path, bytes.as_bytes(), Access::Shared).unwrap();
        assert_eq!(std::fs::read_to_string(&path).unwrap(), bytes);
        assert_eq!(std::fs::metadata(&path).unwrap().mode() & 0o777, 0o640);
    }
    fs::atomic_replace(&path, b"secret", Access::Private).unwrap();
    assert_eq!(std::fs::metadata(&path).unwrap().mode() & 0o777, 0o600);
    assert_eq!(names(dir.path()), ["file"]);
}

#[test]
fn replacing_a_symlink_replaces_what_it_points_to() {
    let dir = tempfile::tempdir().unwrap();
    let (target, link) = (dir.path().join("target"), dir.path().join("link"));
    std::fs::write(&target, "old").unwrap();
    std::os::unix::fs::symlink("target", &link).unwrap();
    fs::atomic_replace(&link, b"new", Access::Shared).unwrap();
    assert_eq!(std::fs::read(&target).unwrap(), b"new");
    assert!(std::fs::symlink_metadata(&link).unwrap().is_symlink());
}

#[test]
fn a_replacement_that_fails_leaves_the_old_file_and_nothing_beside() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("directory");
    std::fs::create_dir(&path).unwrap();
    let error = fs::atomic_replace(&path, b"new", Access::Private).unwrap_err();
    assert!(matches!(error, Error::NotAFile { what: "a directory", .. }), "{error}");
    let missing = dir.path().join("no/such/file");
    let error = fs::atomic_replace(&missing, b"new", Access::Private).unwrap_err();
    assert!(error.is_not_found(), "{error}");
    assert_eq!(names(dir.path()), ["directory"]);
}

/// In the second process no file may grow beyond one block.
#[test]
fn a_disk_that_is_full_keeps_the_old_file_and_makes_the_journal_fail_for_good() {
    let test = "keep::files::a_disk_that_is_full_keeps_the_old_file_and_makes_the_journal_fail_for_good";
    if let Some(dir) = child::role_dir() {
        let path = dir.join("file");
        let error = fs::atomic_replace(&path, &vec![b'x'; 100_000], Access::Private).unwrap_err();
        assert_eq!(error.io_kind(), Some(io::ErrorKind::FileTooLarge));
        assert!(error.to_string().starts_with("cannot write `"), "{error}");
        fill_journal(&dir);
        return;
    }
    let dir = tempfile::tempdir().unwrap();
    std::fs::write(dir.path().join("file"), "old").unwrap();
    child::must_pass(test, dir.path(), "trap '' XFSZ; ulimit -f 8");
    assert_eq!(std::fs::read(dir.path().join("file")).unwrap(), b"old");
    assert_eq!(names(dir.path()), ["file", "journal.ndjson", "lock"]);
}

fn fill_journal(dir: &Path) {
    use specter::journal::{self, Journal, Lock, Tail};
    let lock = Lock::acquire(&dir.join("lock"), "test", "now").unwrap();
    let mut journal = Journal::create(dir, &lock).unwrap();
    let text = "x".repeat(999);
    let mut appended = 0;
    let error = loop {
        match journal.append(&[super::note(appended + 1, &text)]) {
            Ok(()) => appended += 1,
            Err(error) => break error,
        }
    };
    assert_eq!(error.kind(), io::ErrorKind::FileTooLarge);
    // Half a frame stands at the end now: nothing may follow it, and a sync must not promise anything.
    assert!(
        journal.append(&[super::note(appended + 1, "")]).unwrap_err().to_string().contains("failed before")
    );
    assert!(journal.syncer().unwrap().sync().is_err());
    let loaded = journal::read(journal.path()).unwrap();
    assert_eq!(loaded.events.len() as u64, appended);
    assert!(matches!(loaded.tail, Tail::Torn { .. }));
}

#[test]
fn what_is_no_file_is_named_and_nobody_waits_for_it() {
    let dir = tempfile::tempdir().unwrap();
    let fifo = dir.path().join("fifo");
    assert!(Command::new("mkfifo").arg(&fifo).status().unwrap().success());
    let _socket = std::os::unix::net::UnixListener::bind(dir.path().join("socket")).unwrap();
    for (path, what) in
        [(fifo.as_path(), "a named pipe"), (dir.path(), "a directory"), (Path::new("/dev/zero"), "a device")]
    {
        let error = fs::read(path, 1000).unwrap_err();
        assert_eq!(error.to_string(), format!("`{}` is {what}, not a file", path.display()));
        assert!(fs::atomic_replace(path, b"x", Access::Shared).is_err());
    }
    assert!(fs::read(&dir.path().join("socket"), 1000).is_err());
    assert!(matches!(fs::open_append(&fifo).unwrap_err(), Error::Io { .. } | Error::NotAFile { .. }));
}

#[test]
fn a_circle_of_symlinks_is_an_error() {
    let dir = tempfile::tempdir().unwrap();
    let (a, b) = (dir.path().join("a"), dir.path().join("b"));
    std::os::unix::fs::symlink(&a, &b).unwrap();
    std::os::unix::fs::symlink(&b, &a).unwrap();
    assert!(matches!(fs::read(&a, 1000).unwrap_err(), Error::Io { operation: "open", .. }));
    assert!(fs::atomic_replace(&a, b"x", Access::Shared).is_err());
}

#[test]
fn a_file_beyond_the_limit_is_refused_without_being_read() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("sparse");
    std::fs::File::create(&path).unwrap().set_len(2 << 30).unwrap();
    let error = fs::read(&path, 64 << 20).unwrap_err();
    assert!(matches!(error, Error::TooLarge { bytes: 2_147_483_648, limit: 67_108_864, .. }), "{error}");
    assert_eq!(fs::read(&path, 2 << 20).unwrap_err().io_kind(), None);
}

#[test]
fn a_file_that_tells_no_size_is_read_up_to_the_limit() {
    let path = Path::new("/proc/self/status");
    if !path.exists() {
        println!("skipped: no /proc here");
        return;
    }
    assert!(!fs::read(path, 1 << 20).unwrap().bytes.is_empty());
    assert!(matches!(fs::read(path, 10).unwrap_err(), Error::TooLarge { limit: 10, .. }));
}

#[test]
fn the_identity_tells_a_replaced_file_from_one_written_in_place() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("file");
    std::fs::write(&path, "one").unwrap();
    let first = fs::read(&path, 100).unwrap().identity;
    std::fs::write(&path, "three").unwrap();
    let second = fs::read(&path, 100).unwrap().identity;
    assert!(first.is_same_file(&second) && first != second);
    fs::atomic_replace(&path, b"three", Access::Shared).unwrap();
    assert!(!second.is_same_file(&fs::read(&path, 100).unwrap().identity));
}

#[test]
fn appending_makes_a_private_file_and_follows_no_symlink() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("log");
    fs::append(&path, b"a\n").unwrap();
    fs::append(&path, b"b\n").unwrap();
    assert_eq!(std::fs::read(&path).unwrap(), b"a\nb\n");
    assert_eq!(std::fs::metadata(&path).unwrap().mode() & 0o777, 0o600);
    let link = dir.path().join("link");
    std::os::unix::fs::symlink(&path, &link).unwrap();
    assert!(fs::append(&link, b"c\n").is_err());
    assert_eq!(std::fs::read(&path).unwrap(), b"a\nb\n");
}

#[test]
fn temporary_files_of_dead_processes_are_swept_and_others_stay() {
    if child::role_dir().is_some() {
        return;
    }
    let dir = tempfile::tempdir().unwrap();
    let own = fs::Process::this();
    let mut gone = Command::new("true").spawn().unwrap();
    let dead = gone.id();
    gone.wait().unwrap();
    let stale = [format!(".file.specter-tmp-{dead}-1-00ff"), format!(".file.specter-tmp-{}-1-00ff", own.pid)];
    let kept = [
        format!(".file.specter-tmp-{}-{}-00ff", own.pid, own.start),
        ".file.specter-tmp-x".to_owned(),
        "file.specter-tmp-1-1-1".to_owned(),
        "file".to_owned(),
    ];
    for name in stale.iter().chain(&kept) {
        std::fs::write(dir.path().join(name), "").unwrap();
    }
    assert_eq!(fs::sweep_temporaries(dir.path()).unwrap(), 2);
    let mut kept = kept.to_vec();
    kept.sort();
    assert_eq!(names(dir.path()), kept);
}

#[test]
fn errors_show_control_characters_escaped() {
    let error = fs::read(Path::new("no\u{1b}[31m\nsuch"), 10).unwrap_err();
    assert!(error.to_string().starts_with("cannot open `no\\e[31m\\nsuch`: "), "{error}");
}
