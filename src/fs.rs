//! Files, done carefully: replaced whole or not at all, created private, read without hanging.
//!
//! Knows nothing of what the files mean. Every error names the path and the operation.

use crate::text::Untrusted;
use std::fs::{DirBuilder, File, Metadata, OpenOptions};
use std::hash::{BuildHasher, Hasher, RandomState};
use std::io::{self, Read, Write};
use std::os::unix::fs::{DirBuilderExt, FileTypeExt, MetadataExt, OpenOptionsExt, PermissionsExt};
use std::path::{Path, PathBuf};
use std::sync::OnceLock;

/// Only the owner may read and write.
pub const PRIVATE_FILE: u32 = 0o600;
/// Only the owner may enter.
pub const PRIVATE_DIR: u32 = 0o700;

#[derive(Debug, thiserror::Error)]
pub enum Error {
    #[error("cannot {operation} `{}`: {source}", shown(path))]
    Io {
        /// A verb: `read`, `write`, `rename`, `sync`.
        operation: &'static str,
        path: PathBuf,
        #[source]
        source: io::Error,
    },
    #[error("`{}` is {what}, not a file", shown(path))]
    NotAFile { path: PathBuf, what: &'static str },
    #[error("`{}` has {bytes} bytes; at most {limit} are read", shown(path))]
    TooLarge { path: PathBuf, bytes: u64, limit: u64 },
}

impl Error {
    pub fn io(operation: &'static str, path: &Path, source: io::Error) -> Error {
        Error::Io { operation, path: path.to_owned(), source }
    }

    /// The same trouble, told of the path that people know.
    #[must_use]
    pub fn about(self, path: &Path) -> Error {
        let path = path.to_owned();
        match self {
            Error::Io { operation, source, .. } => Error::Io { operation, path, source },
            Error::NotAFile { what, .. } => Error::NotAFile { path, what },
            Error::TooLarge { bytes, limit, .. } => Error::TooLarge { path, bytes, limit },
        }
    }

    /// The system's reason, where the system gave one.
    pub fn io_kind(&self) -> Option<io::ErrorKind> {
        match self {
            Error::Io { source, .. } => Some(source.kind()),
            _ => None,
        }
    }

    pub fn is_not_found(&self) -> bool {
        self.io_kind() == Some(io::ErrorKind::NotFound)
    }
}

/// A path as it may be shown: control characters escaped.
pub fn shown(path: &Path) -> String {
    Untrusted(&path.to_string_lossy()).to_string()
}

/// For `map_err`: `.map_err(at("read", path))`.
fn at(operation: &'static str, path: &Path) -> impl FnOnce(io::Error) -> Error {
    move |source| Error::io(operation, path, source)
}

/// Which file, in which state: two equal identities mean that nobody replaced or (within the clock's grain) wrote it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Identity {
    pub dev: u64,
    pub ino: u64,
    pub len: u64,
    pub mtime_ns: i128,
}

impl Identity {
    pub fn of(metadata: &Metadata) -> Identity {
        Identity {
            dev: metadata.dev(),
            ino: metadata.ino(),
            len: metadata.len(),
            mtime_ns: i128::from(metadata.mtime()) * 1_000_000_000 + i128::from(metadata.mtime_nsec()),
        }
    }

    pub fn is_same_file(&self, other: &Identity) -> bool {
        (self.dev, self.ino) == (other.dev, other.ino)
    }
}

/// A regular file, opened without waiting for anyone: a FIFO or a device is an error, not a hang.
pub fn open_regular(path: &Path, write: bool) -> Result<(File, Metadata), Error> {
    let mut options = OpenOptions::new();
    options.read(true).write(write).custom_flags(libc::O_NONBLOCK | libc::O_NOCTTY);
    let file = open_unleased(&options, path).map_err(at("open", path))?;
    let metadata = file.metadata().map_err(at("inspect", path))?;
    match not_a_file(&metadata) {
        Some(what) => Err(Error::NotAFile { path: path.to_owned(), what }),
        None => Ok((file, metadata)),
    }
}

/// Another specter, or a file server, may hold a lease on the file for the moment of a write.
fn open_unleased(options: &OpenOptions, path: &Path) -> io::Result<File> {
    for _ in 0..1000 {
        match options.open(path) {
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => {
                std::thread::sleep(std::time::Duration::from_millis(1));
            }
            result => return result,
        }
    }
    options.open(path)
}

fn not_a_file(metadata: &Metadata) -> Option<&'static str> {
    let kind = metadata.file_type();
    match () {
        () if kind.is_file() => None,
        () if kind.is_dir() => Some("a directory"),
        () if kind.is_fifo() => Some("a named pipe"),
        () if kind.is_socket() => Some("a socket"),
        () => Some("a device"),
    }
}

/// What a file held, and which file it was.
#[derive(Debug)]
pub struct Contents {
    pub bytes: Vec<u8>,
    pub identity: Identity,
}

/// Reads a regular file of at most `limit` bytes.
pub fn read(path: &Path, limit: u64) -> Result<Contents, Error> {
    let (mut file, metadata) = open_regular(path, false)?;
    let bytes = read_rest(&mut file, path, metadata.len(), limit)?;
    Ok(Contents { bytes, identity: Identity::of(&metadata) })
}

/// As [`read`]; a link in the file's place is refused.
pub fn read_no_link(path: &Path, limit: u64) -> Result<Contents, Error> {
    let meta = std::fs::symlink_metadata(path).map_err(at("inspect", path))?;
    let contents = read(path, limit)?;
    // Of the file that was opened, so that a link put there meanwhile is noticed too.
    if !Identity::of(&meta).is_same_file(&contents.identity) {
        return Err(Error::NotAFile { path: path.to_owned(), what: "a link" });
    }
    Ok(contents)
}

/// Reads what is left of an open file whose size was `expected`.
pub fn read_rest(file: &mut File, path: &Path, expected: u64, limit: u64) -> Result<Vec<u8>, Error> {
    let too_large = |bytes| Error::TooLarge { path: path.to_owned(), bytes, limit };
    if expected > limit {
        return Err(too_large(expected));
    }
    let mut bytes = Vec::with_capacity(expected as usize + 1);
    // One byte more than allowed, so that a file that grows meanwhile is noticed.
    file.take(limit.saturating_add(1)).read_to_end(&mut bytes).map_err(at("read", path))?;
    if bytes.len() as u64 > limit {
        return Err(too_large(bytes.len() as u64));
    }
    Ok(bytes)
}

/// Who may read a file that is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Access {
    /// 0600 under any umask.
    Private,
    /// As the file it replaces; for a new one as the umask says.
    Shared,
}

impl Access {
    /// Of a directory for such files, before the umask.
    pub fn dir_mode(self) -> u32 {
        match self {
            Access::Private => PRIVATE_DIR,
            Access::Shared => 0o777,
        }
    }
}

/// Replaces a file by `bytes`: after a crash or power loss it holds the old bytes or the new ones.
///
/// A symlink stays; what it points to is replaced.
pub fn atomic_replace(path: &Path, bytes: &[u8], access: Access) -> Result<(), Error> {
    let target = resolve(path)?;
    let temporary = Temporary::write(&target, bytes, access)?;
    temporary.file.sync_all().map_err(at("sync", &temporary.path))?;
    temporary.rename(&target)?;
    sync_dir(parent(&target))
}

/// As [`atomic_replace`], but power loss may lose it: for what is rebuilt anyway.
pub fn replace_relaxed(path: &Path, bytes: &[u8], access: Access) -> Result<(), Error> {
    let target = resolve(path)?;
    Temporary::write(&target, bytes, access)?.rename(&target)
}

/// As [`replace_relaxed`]; a link in the file's place is replaced itself.
pub fn replace_name(path: &Path, bytes: &[u8], access: Access) -> Result<(), Error> {
    Temporary::write(path, bytes, access)?.rename(path)
}

/// As [`replace_name`], for what is written piece by piece.
pub fn replace_name_by(
    path: &Path,
    access: Access,
    write: &mut dyn FnMut(&mut File) -> io::Result<()>,
) -> Result<(), Error> {
    let mut temporary = Temporary::create(path, access)?;
    write(&mut temporary.file).map_err(at("write", &temporary.path))?;
    temporary.rename(path)
}

/// Adds `bytes` at the end; creates the file, private, if there is none. Not synced.
pub fn append(path: &Path, bytes: &[u8]) -> Result<(), Error> {
    open_append(path)?.write_all(bytes).map_err(at("append to", path))
}

/// A private file opened for appending; a symlink in its place is refused.
pub fn open_append(path: &Path) -> Result<File, Error> {
    let file = OpenOptions::new()
        .append(true)
        .create(true)
        .mode(PRIVATE_FILE)
        .custom_flags(libc::O_NOFOLLOW | libc::O_NONBLOCK)
        .open(path)
        .map_err(at("open", path))?;
    let metadata = file.metadata().map_err(at("inspect", path))?;
    match not_a_file(&metadata) {
        Some(what) => Err(Error::NotAFile { path: path.to_owned(), what }),
        None => Ok(file),
    }
}

/// An existing file opened for appending; a symlink in its place is refused.
pub fn open_append_existing(path: &Path) -> Result<File, Error> {
    OpenOptions::new()
        .append(true)
        .custom_flags(libc::O_NOFOLLOW | libc::O_NONBLOCK)
        .open(path)
        .map_err(at("open", path))
}

/// A private file opened for reading and writing, made if it is missing; a symlink in its place is refused.
pub fn open_private(path: &Path) -> Result<File, Error> {
    OpenOptions::new()
        .read(true)
        .write(true)
        .create(true)
        .truncate(false)
        .mode(PRIVATE_FILE)
        .custom_flags(libc::O_NOFOLLOW | libc::O_NONBLOCK)
        .open(path)
        .map_err(at("open", path))
}

/// A new private file; an existing one is an error.
pub fn create_new(path: &Path) -> Result<File, Error> {
    OpenOptions::new()
        .append(true)
        .create_new(true)
        .mode(PRIVATE_FILE)
        .custom_flags(libc::O_NOFOLLOW)
        .open(path)
        .map_err(at("create", path))
}

/// Makes a directory that only its owner may enter. False if something of that name was there.
pub fn create_private_dir(path: &Path) -> Result<bool, Error> {
    match DirBuilder::new().mode(PRIVATE_DIR).create(path) {
        Ok(()) => Ok(true),
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => Ok(false),
        Err(error) => Err(Error::io("create directory", path, error)),
    }
}

/// Makes a directory and what is missing above it, all private; each new name survives power loss.
pub fn create_private_dirs(path: &Path) -> Result<(), Error> {
    let missing: Vec<&Path> =
        path.ancestors().take_while(|dir| !dir.as_os_str().is_empty() && !dir.exists()).collect();
    for dir in missing.into_iter().rev() {
        create_private_dir(dir)?;
        sync_dir(parent(dir))?;
    }
    Ok(())
}

/// Makes the names in a directory durable.
pub fn sync_dir(path: &Path) -> Result<(), Error> {
    let dir = File::open(path).map_err(at("open", path))?;
    match dir.sync_all() {
        // Some network and FUSE file systems cannot sync a directory; there is nothing more to be done there.
        Err(error) if matches!(error.raw_os_error(), Some(libc::EINVAL | libc::ENOTSUP)) => Ok(()),
        result => result.map_err(at("sync", path)),
    }
}

/// The directory a file is in: `.` for a bare name.
pub fn parent(path: &Path) -> &Path {
    match path.parent() {
        Some(dir) if !dir.as_os_str().is_empty() => dir,
        Some(_) => Path::new("."),
        None => path,
    }
}

/// What a path means once links are followed; the path itself where nothing is there yet.
fn resolve(path: &Path) -> Result<PathBuf, Error> {
    match std::fs::symlink_metadata(path) {
        Ok(metadata) if metadata.is_symlink() => std::fs::canonicalize(path).map_err(at("resolve", path)),
        Ok(metadata) => match not_a_file(&metadata) {
            Some(what) => Err(Error::NotAFile { path: path.to_owned(), what }),
            None => Ok(path.to_owned()),
        },
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(path.to_owned()),
        Err(error) => Err(Error::io("inspect", path, error)),
    }
}

/// A file beside its target; removed again unless it was renamed.
struct Temporary {
    path: PathBuf,
    file: File,
    renamed: bool,
}

const TEMPORARY_MARK: &str = ".specter-tmp-";

impl Temporary {
    fn write(target: &Path, bytes: &[u8], access: Access) -> Result<Temporary, Error> {
        let mut temporary = Temporary::create(target, access)?;
        temporary.file.write_all(bytes).map_err(at("write", &temporary.path))?;
        Ok(temporary)
    }

    fn create(target: &Path, access: Access) -> Result<Temporary, Error> {
        let (mode, old) = match access {
            Access::Private => (PRIVATE_FILE, None),
            Access::Shared => (0o666, std::fs::metadata(target).ok()),
        };
        let path = temporary_path(target);
        let file = OpenOptions::new()
            .write(true)
            .create_new(true)
            .mode(mode)
            .open(&path)
            .map_err(at("create", &path))?;
        let temporary = Temporary { path, file, renamed: false };
        if let Some(old) = old {
            let permissions = PermissionsExt::from_mode(old.mode() & 0o7777);
            temporary.file.set_permissions(permissions).map_err(at("set the mode of", &temporary.path))?;
        }
        Ok(temporary)
    }

    fn rename(mut self, target: &Path) -> Result<(), Error> {
        std::fs::rename(&self.path, target).map_err(at("replace", target))?;
        self.renamed = true;
        Ok(())
    }
}

impl Drop for Temporary {
    fn drop(&mut self) {
        if !self.renamed {
            // The write has failed already and that is what is reported.
            let _ = std::fs::remove_file(&self.path);
        }
    }
}

/// `.NAME.specter-tmp-PID-START-RANDOM`: says whose it is, so that a later process can tell that its owner is gone.
fn temporary_path(target: &Path) -> PathBuf {
    let owner = Process::this();
    let mut random = RandomState::new().build_hasher();
    random.write_u8(0);
    let mut name = std::ffi::OsString::from(".");
    name.push(short_name(target));
    name.push(format!("{TEMPORARY_MARK}{}-{}-{:016x}", owner.pid, owner.start, random.finish()));
    parent(target).join(name)
}

/// The target's name, cut so that the temporary one stays below the file system's limit.
fn short_name(target: &Path) -> String {
    let name = target.file_name().unwrap_or_default().to_string_lossy();
    name.chars().take(40).collect()
}

/// Removes temporary files that dead processes left in `dir`. Those of living ones stay.
pub fn sweep_temporaries(dir: &Path) -> Result<usize, Error> {
    let mut removed = 0;
    for entry in std::fs::read_dir(dir).map_err(at("list", dir))? {
        let entry = entry.map_err(at("list", dir))?;
        let is_stale = entry.file_name().to_str().and_then(temporary_owner).is_some_and(|p| !p.is_alive());
        if is_stale && std::fs::remove_file(entry.path()).is_ok() {
            removed += 1;
        }
    }
    Ok(removed)
}

fn temporary_owner(name: &str) -> Option<Process> {
    let (_, owner) = name.strip_prefix('.')?.rsplit_once(TEMPORARY_MARK)?;
    let mut parts = owner.split('-');
    let process = Process { pid: parts.next()?.parse().ok()?, start: parts.next()?.parse().ok()? };
    parts.next().map(|_| process)
}

/// A process that can be told from a later one with the same number.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Process {
    pub pid: u32,
    /// Clock ticks from boot to its start; 0 where the system does not tell.
    pub start: u64,
}

impl Process {
    pub fn this() -> Process {
        static THIS: OnceLock<Process> = OnceLock::new();
        *THIS.get_or_init(|| {
            let pid = std::process::id();
            Process { pid, start: start_of(pid).unwrap_or(0) }
        })
    }

    /// False only if it surely is gone.
    pub fn is_alive(self) -> bool {
        if self.start == 0 || Process::this().start == 0 {
            return true;
        }
        start_of(self.pid) == Some(self.start)
    }
}

/// Field 22 of `/proc/PID/stat`; the second field, a name in parentheses, may hold anything.
fn start_of(pid: u32) -> Option<u64> {
    let stat = std::fs::read(format!("/proc/{pid}/stat")).ok()?;
    let after_name = stat.iter().rposition(|b| *b == b')')? + 1;
    let fields = std::str::from_utf8(&stat[after_name..]).ok()?;
    fields.split_ascii_whitespace().nth(19)?.parse().ok()
}

/// The user this process acts as, where the system tells without unsafe code.
pub fn own_uid() -> Option<u32> {
    std::fs::metadata("/proc/self").ok().map(|metadata| metadata.uid())
}
