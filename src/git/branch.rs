//! Commits on the user's own branch, for who asked for them: what attempts made, once more, as commits of the user's.
//!
//! A commit holds what the attempts changed and nothing else: each integrated attempt is merged onto what the branch
//! holds, so that what the user has not committed stays uncommitted. The branch gets them in the order in which they
//! were integrated; where one cannot be made (the user has staged another version, or is in the middle of a merge), it
//! and those after it are put off, and it is said why. Nothing is ever taken from the user to make it fit.
//!
//! What a commit will be is in the repository before the first effect (`refs/specter/<run>/commit`: the user's commit
//! and the last attempt in it); then the index, then the branch, then the tag, then `refs/specter/<run>/committed`. A
//! stop before the branch moved leaves the work staged at worst, and it is committed later; a stop after it is found by
//! the commit being on the branch. So no commit is lost, and none is made twice.

use super::error::git;
use super::escape::Hash;
use super::integrate::{of_commit, path_of};
use super::moving::Move;
use super::renames::Three;
use super::repo::{Git, LOCK_WAIT};
use super::staging::{Staging, Taken};
use super::state::{State, under_way};
use super::tree::{self, Differs, Entry, RelPath};
use super::{Attempt, Error, Finding};
use crate::fs::shown;
use git2::{AttrCheckFlags, AttrValue, ErrorCode, Oid, Reference};
use std::fmt;
use std::io::Write as _;
use std::path::{Path, PathBuf};

/// So often a commit is tried while somebody else stages or commits.
const TRIES: u32 = 3;
const HEADS: &str = "refs/heads/";
const BRANCH: &str = "Specter-Branch: ";
const TAG: &str = "Specter-Tag: ";
const INDEX: &str = "Specter-Index: ";

/// An integrated attempt that is no commit of the user's branch yet.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Uncommitted {
    /// With which it was integrated.
    pub commit: Oid,
    pub attempt: Attempt,
}

/// All of a run, oldest first.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Pending {
    pub attempts: Vec<Uncommitted>,
    /// The run went back to a checkpoint: what the branch holds and what the run holds part there, and only a person
    /// can say which is meant.
    pub went_back: bool,
}

/// What a commit shall be called.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct NewCommit {
    pub message: String,
    /// The tag it gets.
    pub tag: Option<String>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Committing {
    Made(Made),
    /// The branch holds all of it already.
    There,
    PutOff(PutOff),
}

/// A commit on the user's branch.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Made {
    pub commit: Oid,
    /// Without `refs/heads/`.
    pub branch: String,
    pub tag: Option<String>,
    /// A tag that is there already, and stays.
    pub taken: Option<String>,
    /// Why git's log of the branch has no line of it.
    pub unnoted: Option<String>,
    /// The branch by its whole name.
    pub(super) reference: String,
    pub(super) from: Oid,
    /// What was staged before and after.
    pub(super) index: (Hash, Hash),
}

/// Why there is no commit now.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum PutOff {
    Detached,
    Unborn,
    /// The run commits on this branch, and another one is checked out.
    Elsewhere(String),
    UnderWay(&'static str),
    /// Another git command works in the repository.
    Busy,
    /// The user has staged another version.
    Staged(PathBuf),
    /// What the user has, or has committed, contradicts it.
    Contradicts(PathBuf),
    /// What git keeps is made by a program.
    Filtered(PathBuf),
    NoIdentity,
}

impl fmt::Display for PutOff {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            PutOff::Detached => f.write_str("no branch is checked out"),
            PutOff::Unborn => f.write_str("the branch has no commit yet"),
            PutOff::Elsewhere(branch) => write!(f, "`{branch}` is not checked out any more"),
            PutOff::UnderWay(what) => write!(f, "a {what} is under way"),
            PutOff::Busy => f.write_str("another git command works in the repository"),
            PutOff::Staged(path) => write!(f, "you have staged `{}` otherwise", shown(path)),
            PutOff::Contradicts(path) => {
                write!(f, "`{}` as it is committed does not go together with it", shown(path))
            }
            PutOff::Filtered(path) => {
                write!(f, "`{}` is kept by git as a filter makes it, and filters are not run", shown(path))
            }
            PutOff::NoIdentity => f.write_str("git does not know who commits"),
        }
    }
}

/// A commit that was begun.
struct Begun {
    commit: Oid,
    /// The last attempt in it.
    last: Oid,
    branch: String,
    tag: Option<String>,
    index: Option<String>,
    /// What says the same of the commit before it.
    earlier: Option<Oid>,
}

/// The branch that is checked out, with its commit.
struct Head {
    branch: String,
    commit: Oid,
}

/// What forbids commits on the user's branch, and what to do about it; `findings` are those of [`super::probe`].
pub fn stops_commits(inside: &Path, findings: &[Finding], tags: bool) -> Result<Vec<Finding>, Error> {
    let repo = super::repo::discover(inside)?;
    let stop = |state: &State, help| Finding { state: state.clone(), help: Some(help) };
    let mut stops = Vec::new();
    for Finding { state, .. } in findings {
        match state {
            State::Detached => stops.push(stop(state, "check out the branch that shall get the commits")),
            State::Unborn => stops.push(stop(state, "make a first commit")),
            _ => {}
        }
    }
    let config = repo.config().map_err(git("read the configuration"))?;
    let is_set = |name: &str| config.get_bool(name).unwrap_or(false);
    if is_set("commit.gpgsign") || (tags && is_set("tag.gpgsign")) {
        let help = "specter cannot sign: commit by yourself without `--commit`, or unset `commit.gpgsign` and \
                    `tag.gpgsign` for this repository";
        stops.push(stop(&State::Signs, help));
    }
    if repo.signature().is_err() {
        stops.push(stop(&State::NoIdentity, "set `user.name` and `user.email` (`git config`)"));
    }
    Ok(stops)
}

/// Whether git takes it as a tag's name.
pub fn is_tag_name(name: &str) -> bool {
    Reference::is_valid_name(&format!("refs/tags/{name}")) && !name.starts_with('-')
}

impl Git {
    /// What is integrated and no commit of the user's branch.
    pub fn uncommitted(&self) -> Result<Pending, Error> {
        let mut pending = Pending::default();
        let Some(tip) = self.find_ref(&self.run.tip())? else { return Ok(pending) };
        let until = self.find_ref(&self.run.committed())?;
        self.back_from(tip, until, |commit| {
            if commit.message_bytes().starts_with(super::restore::BACK.as_bytes()) {
                pending.went_back = true;
            } else if let Some(attempt) = of_commit(commit) {
                pending.attempts.push(Uncommitted { commit: commit.id(), attempt });
            }
            Ok(!pending.went_back)
        })?;
        pending.attempts.reverse();
        Ok(pending)
    }

    /// Makes one commit of these attempts, which are the oldest of [`Git::uncommitted`].
    pub fn commit_on_branch(&mut self, picks: &[Uncommitted], new: &NewCommit) -> Result<Committing, Error> {
        let Some(last) = picks.last() else { return Ok(Committing::There) };
        for _ in 0..TRIES {
            match self.try_commit(picks, last.commit, new)? {
                Some(outcome) => return Ok(outcome),
                // Somebody staged or committed in that very moment.
                None => std::thread::sleep(LOCK_WAIT),
            }
        }
        Ok(Committing::PutOff(PutOff::Busy))
    }

    /// None: to be tried again.
    fn try_commit(
        &self,
        picks: &[Uncommitted],
        last: Oid,
        new: &NewCommit,
    ) -> Result<Option<Committing>, Error> {
        let put_off = |why| Ok(Some(Committing::PutOff(why)));
        let head = match self.branch_now()? {
            Ok(head) => head,
            Err(why) => return put_off(why),
        };
        let old = self.tree_of(head.commit)?;
        let wanted = match self.picked(old, picks)? {
            Ok(tree) => tree,
            Err(path) => return put_off(PutOff::Contradicts(path)),
        };
        let changes = tree::differences(&self.repo, old, wanted)?;
        if changes.is_empty() {
            self.mark_committed(last)?;
            return Ok(Some(Committing::There));
        }
        if let Some(path) = self.filtered(&changes)? {
            return put_off(PutOff::Filtered(path));
        }
        let staging = match Staging::prepare(&self.repo, self.run.name(), &changes)? {
            Ok(staging) => staging,
            Err(path) => return put_off(PutOff::Staged(path)),
        };
        let Some(commit) = self.user_commit(wanted, head.commit, &new.message)? else {
            return put_off(PutOff::NoIdentity);
        };
        let tag = new.tag.clone();
        let earlier = self.find_ref(&self.run.commit())?;
        let begun = Begun { commit, last, branch: head.branch, tag, index: staging.digest(), earlier };
        self.begin_commit(&begun)?;
        match staging.take(&self.steps)? {
            Taken::Done => {}
            Taken::Again => return Ok(None),
            Taken::Locked => return put_off(PutOff::Busy),
        }
        match self.move_ref(&begun.branch, begun.commit, Some(head.commit))? {
            Move::Done => {}
            Move::Elsewhere => return Ok(None),
            Move::Locked => return put_off(PutOff::Busy),
        }
        let unnoted = self.note_commit(&begun, head.commit, &new.message).err();
        let unnoted = unnoted.map(|error| error.to_string());
        let is_tagged = self.end_commit(&begun)?;
        let (tag, taken) = if is_tagged { (begun.tag, None) } else { (None, begun.tag) };
        let (branch, reference) = (short_name(&begun.branch).to_owned(), begun.branch);
        let (from, index) = (head.commit, staging.hashes());
        Ok(Some(Committing::Made(Made { commit, branch, tag, taken, unnoted, reference, from, index })))
    }

    fn branch_now(&self) -> Result<Result<Head, PutOff>, Error> {
        if let Some(what) = under_way(&self.repo) {
            return Ok(Err(PutOff::UnderWay(what)));
        }
        let head = match self.repo.head() {
            Ok(head) => head,
            Err(error) if error.code() == ErrorCode::UnbornBranch => return Ok(Err(PutOff::Unborn)),
            Err(error) => return Err(git("read `HEAD`")(error)),
        };
        let branch = String::from_utf8_lossy(head.name_bytes()).into_owned();
        let (true, Some(commit)) = (head.is_branch(), head.target()) else {
            return Ok(Err(PutOff::Detached));
        };
        match self.begun_commit()? {
            Some(begun) if begun.branch != branch => {
                Ok(Err(PutOff::Elsewhere(short_name(&begun.branch).to_owned())))
            }
            _ => Ok(Ok(Head { branch, commit })),
        }
    }

    /// What the branch's tree becomes with the attempts, one after the other; or the path that does not go with it.
    fn picked(&self, branch: Oid, picks: &[Uncommitted]) -> Result<Result<Oid, PathBuf>, Error> {
        let mut here = branch;
        for pick in picks {
            let commit = self.repo.find_commit(pick.commit).map_err(git("read a commit"))?;
            let before = commit.parent(0).map_err(git("read a commit"))?.tree_id();
            let mut made = tree::differences(&self.repo, before, commit.tree_id())?;
            for change in &mut made {
                change.old = self.as_git_keeps(&change.path, change.old)?;
                change.new = self.as_git_keeps(&change.path, change.new)?;
            }
            made.retain(|change| change.old != change.new);
            let trees = Three { base: before, there: here, attempt: commit.tree_id() };
            let merged = self.merge_trees(&trees, &made)?;
            if let Some(conflict) = merged.conflicts.into_iter().next() {
                return Ok(Err(conflict.path));
            }
            here = tree::update(&self.repo, Some(here), &merged.is)?;
        }
        Ok(Ok(here))
    }

    /// Line ends as git keeps them: specter itself keeps files as they are on disk.
    fn as_git_keeps(&self, path: &[u8], entry: Option<Entry>) -> Result<Option<Entry>, Error> {
        let Some(entry) = entry.filter(|entry| entry.kind.is_file()) else { return Ok(entry) };
        let name = path_of(path);
        if !self.is_converted(&name)? {
            return Ok(Some(entry));
        }
        let bytes = self.content(entry.id)?;
        let write = || -> Result<Oid, git2::Error> {
            let mut writer = self.repo.blob_writer(Some(&name))?;
            writer.write_all(&bytes).map_err(|error| git2::Error::from_str(&error.to_string()))?;
            writer.commit()
        };
        Ok(Some(Entry { id: write().map_err(git("write a file's content"))?, kind: entry.kind }))
    }

    fn attribute(&self, path: &Path, name: &str) -> Result<AttrValue<'_>, Error> {
        let value = self.repo.get_attr(path, name, AttrCheckFlags::FILE_THEN_INDEX);
        Ok(AttrValue::from_string(value.map_err(git("read the attributes"))?))
    }

    fn is_converted(&self, path: &Path) -> Result<bool, Error> {
        let config = self.repo.config().map_err(git("read the configuration"))?;
        if config.get_string("core.autocrlf").is_ok_and(|value| value != "false") {
            return Ok(true);
        }
        for name in ["text", "eol", "crlf", "ident"] {
            if !matches!(self.attribute(path, name)?, AttrValue::Unspecified | AttrValue::False) {
                return Ok(true);
            }
        }
        Ok(false)
    }

    /// A path for which git asks a program what to keep.
    fn filtered(&self, changes: &[Differs]) -> Result<Option<PathBuf>, Error> {
        for change in changes.iter().filter(|change| change.new.is_some()) {
            let path = path_of(&change.path);
            for name in ["filter", "working-tree-encoding"] {
                if matches!(self.attribute(&path, name)?, AttrValue::String(_) | AttrValue::Bytes(_)) {
                    return Ok(Some(path));
                }
            }
        }
        Ok(None)
    }

    /// None where git does not know the user.
    fn user_commit(&self, tree: Oid, parent: Oid, message: &str) -> Result<Option<Oid>, Error> {
        self.steps.next()?;
        let Ok(user) = self.repo.signature() else { return Ok(None) };
        let write = || -> Result<Oid, git2::Error> {
            let (tree, parent) = (self.repo.find_tree(tree)?, self.repo.find_commit(parent)?);
            self.repo.commit(None, &user, &user, message, &tree, &[&parent])
        };
        write().map(Some).map_err(git("write a commit"))
    }

    fn begin_commit(&self, begun: &Begun) -> Result<(), Error> {
        let line = |name: &str, value: &Option<String>| {
            value.as_ref().map(|value| format!("{name}{value}\n")).unwrap_or_default()
        };
        let message = format!(
            "a commit of the user's branch\n\n{BRANCH}{}\n{}{}",
            begun.branch,
            line(TAG, &begun.tag),
            line(INDEX, &begun.index)
        );
        let tree = self.tree_of(begun.commit)?;
        let parents: Vec<Oid> = [begun.commit, begun.last].into_iter().chain(begun.earlier).collect();
        let intent = self.commit(tree, &parents, &message)?;
        self.set_ref(&self.run.commit(), intent, begun.earlier)
    }

    fn begun_commit(&self) -> Result<Option<Begun>, Error> {
        self.find_ref(&self.run.commit())?.map(|id| self.read_begun(id)).transpose().map(Option::flatten)
    }

    fn read_begun(&self, id: Oid) -> Result<Option<Begun>, Error> {
        let intent = self.repo.find_commit(id).map_err(git("read a commit"))?;
        let parents: Vec<Oid> = intent.parent_ids().collect();
        let (commit, last, earlier) = match parents[..] {
            [commit, last] => (commit, last, None),
            [commit, last, earlier] => (commit, last, Some(earlier)),
            _ => return Ok(None),
        };
        let message = String::from_utf8_lossy(intent.message_bytes()).into_owned();
        let value = |name: &str| message.lines().find_map(|line| line.strip_prefix(name)).map(str::to_owned);
        let Some(branch) = value(BRANCH) else { return Ok(None) };
        Ok(Some(Begun { commit, last, branch, tag: value(TAG), index: value(INDEX), earlier }))
    }

    /// In the logs that git keeps of its references.
    fn note_commit(&self, begun: &Begun, from: Oid, message: &str) -> Result<(), Error> {
        let user = self.repo.signature().map_err(git("read who commits"))?;
        let what = format!("commit (specter): {}", message.lines().next().unwrap_or_default());
        self.note_move(&[&begun.branch, "HEAD"], (from, begun.commit), &user, &what)
    }

    /// What follows once the commit is on the branch; false if its tag is another's.
    fn end_commit(&self, begun: &Begun) -> Result<bool, Error> {
        let is_tagged = match &begun.tag {
            Some(tag) => self.set_tag(tag, begun.commit)?,
            None => true,
        };
        self.mark_committed(begun.last)?;
        Ok(is_tagged)
    }

    fn set_tag(&self, tag: &str, commit: Oid) -> Result<bool, Error> {
        let name = format!("refs/tags/{tag}");
        match self.find_ref(&name)? {
            Some(there) => Ok(there == commit),
            None => Ok(matches!(self.move_ref(&name, commit, None)?, Move::Done)),
        }
    }

    fn mark_committed(&self, last: Oid) -> Result<(), Error> {
        let reference = self.run.committed();
        let earlier = self.find_ref(&reference)?;
        self.set_ref(&reference, last, earlier)
    }

    /// After a stop: what was left half done is cleared, and a commit that reached the branch counts. Returns those that
    /// `is_known` does not know, oldest first: the process may have died with several of them still to be recorded.
    pub fn take_up_commits(&self, is_known: &dyn Fn(Oid) -> bool) -> Result<Vec<FoundCommit>, Error> {
        let Some(begun) = self.begun_commit()? else { return Ok(Vec::new()) };
        Staging::clear_left(&self.repo, self.run.name(), begun.index.as_deref())?;
        self.clear_left_move(&begun.branch, begun.commit)?;
        if let Some(tag) = &begun.tag {
            self.clear_left_move(&format!("refs/tags/{tag}"), begun.commit)?;
        }
        let is_open = self.uncommitted()?.attempts.iter().any(|pending| pending.commit == begun.last);
        if is_open && self.is_on_branch(&begun)? {
            self.end_commit(&begun)?;
        }
        let (mut found, mut next) = (Vec::<FoundCommit>::new(), Some(begun));
        while let Some(begun) = next.filter(|begun| !is_known(begun.commit)) {
            next = begun.earlier.map(|earlier| self.read_begun(earlier)).transpose()?.flatten();
            // What was begun twice within a second may be the same commit.
            let is_news = found.last().is_none_or(|after| after.commit != begun.commit);
            if is_news && self.is_on_branch(&begun)? {
                found.push(self.found(begun)?);
            }
        }
        found.reverse();
        Ok(found)
    }

    fn is_on_branch(&self, begun: &Begun) -> Result<bool, Error> {
        let Some(now) = self.find_ref(&begun.branch)? else { return Ok(false) };
        let follows = || self.repo.graph_descendant_of(now, begun.commit).map_err(git("read the branch"));
        Ok(now == begun.commit || follows()?)
    }

    fn found(&self, begun: Begun) -> Result<FoundCommit, Error> {
        let message = self.repo.find_commit(begun.commit).map_err(git("read a commit"))?;
        let message = String::from_utf8_lossy(message.message_bytes()).into_owned();
        let branch = short_name(&begun.branch).to_owned();
        let tagged = begun.tag.as_ref().map(|tag| self.find_ref(&format!("refs/tags/{tag}"))).transpose()?;
        let tag = begun.tag.filter(|_| tagged == Some(Some(begun.commit)));
        Ok(FoundCommit { commit: begun.commit, branch, tag, message })
    }
}

/// A commit of which only the record is missing.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FoundCommit {
    pub commit: Oid,
    pub branch: String,
    pub tag: Option<String>,
    pub message: String,
}

fn short_name(branch: &str) -> &str {
    branch.strip_prefix(HEADS).unwrap_or(branch)
}

/// Of a path's directories, outermost last.
pub(super) fn ways(path: &[u8]) -> impl Iterator<Item = RelPath> {
    let mut way = path.to_vec();
    std::iter::from_fn(move || {
        way = super::disk::parent_of(&way).to_vec();
        (!way.is_empty()).then(|| way.clone())
    })
}
