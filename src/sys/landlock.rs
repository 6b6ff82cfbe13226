//! Landlock: a thread that gives up changing files and signalling processes elsewhere, for itself and for everything
//! it starts from then on. Nothing can be taken back. Knows which rights there are, not what they are wanted for.
//!
//! Reading is not restricted, nor are the network, sockets that have a path, and a file's mode, owner and times:
//! Landlock cannot express them, or not yet. The restricted can gain no privileges either (`no_new_privs`).

use landlock::{
    ABI, AccessFs, BitFlags, LandlockStatus, PathBeneath, PathFd, RestrictionStatus, Ruleset,
    RulesetAttr as _, RulesetCreatedAttr as _, RulesetStatus, Scope, make_bitflags,
};
use std::io;
use std::path::PathBuf;

/// How much of a restriction this kernel holds to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Held {
    All,
    /// Not this.
    But(&'static str),
}

/// What is given up besides changing files elsewhere.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Also {
    Nothing,
    /// Making devices, wherever it be: a disk's node would be a way out. And signalling processes that came before.
    DevicesAndSignals,
}

/// All that changes something by its path.
const HANDLED: BitFlags<AccessFs> = make_bitflags!(AccessFs::{
    WriteFile | Truncate | MakeReg | MakeDir | MakeSym | MakeSock | MakeFifo | MakeChar | MakeBlock | RemoveFile
    | RemoveDir | Refer
});
const IN_DIRECTORIES: BitFlags<AccessFs> = make_bitflags!(AccessFs::{
    WriteFile | Truncate | MakeReg | MakeDir | MakeSym | MakeSock | MakeFifo | RemoveFile | RemoveDir | Refer
});
const IN_FILES: BitFlags<AccessFs> = make_bitflags!(AccessFs::{WriteFile | Truncate});

/// From now on the calling thread, and what it starts, may change files only in `writable` (directories with all that
/// is in them, or single files; what does not exist is passed over), and gives `also` up. An error, and nothing is
/// restricted, where the kernel cannot hold to the first half.
pub fn restrict_thread(writable: &[PathBuf], also: Also) -> io::Result<Held> {
    let ruleset = match also {
        Also::Nothing => Ruleset::default().handle_access(IN_DIRECTORIES),
        Also::DevicesAndSignals => Ruleset::default()
            .handle_access(HANDLED)
            .and_then(|ruleset| ruleset.scope(Scope::Signal | Scope::AbstractUnixSocket)),
    };
    let ruleset = ruleset.and_then(Ruleset::create).map_err(io::Error::other)?;
    let mut ruleset = ruleset.no_new_privs(true);
    for path in writable {
        let Ok(meta) = path.metadata() else { continue };
        let place = PathFd::new(path).map_err(io::Error::other)?;
        let rights = if meta.is_dir() { IN_DIRECTORIES } else { IN_FILES };
        ruleset = ruleset.add_rule(PathBeneath::new(place, rights)).map_err(io::Error::other)?;
    }
    held(&ruleset.restrict_self().map_err(io::Error::other)?, also)
}

fn held(status: &RestrictionStatus, also: Also) -> io::Result<Held> {
    let abi = match (&status.ruleset, status.landlock) {
        (RulesetStatus::NotEnforced, _) => ABI::Unsupported,
        (_, LandlockStatus::Available { effective_abi, .. }) => effective_abi,
        _ => ABI::Unsupported,
    };
    match abi {
        // The first version forbids every move between directories, which no build can do without.
        ABI::Unsupported | ABI::V1 => {
            Err(io::Error::new(io::ErrorKind::Unsupported, "this kernel has no Landlock, or a too old one"))
        }
        ABI::V2 if also == Also::Nothing => Ok(Held::But("emptying files")),
        ABI::V2 => Ok(Held::But("emptying files and signalling processes elsewhere")),
        _ if also == Also::Nothing => Ok(Held::All),
        ABI::V3 | ABI::V4 | ABI::V5 => Ok(Held::But("signalling processes elsewhere")),
        _ => Ok(Held::All),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_an_older_kernel_cannot_hold_to_is_named() {
        let of_all = |abi: i32, ruleset, also| {
            let landlock = LandlockStatus::Available { effective_abi: ABI::from(abi), kernel_abi: None };
            let status = std::thread::spawn(move || {
                let mut status = Ruleset::default()
                    .handle_access(AccessFs::MakeBlock)
                    .and_then(Ruleset::create)
                    .and_then(landlock::RulesetCreated::restrict_self)
                    .expect("best effort never fails");
                (status.ruleset, status.landlock) = (ruleset, landlock);
                status
            });
            held(&status.join().expect("no panic"), also).map_err(|error| error.kind())
        };
        let of = |abi: i32, ruleset| of_all(abi, ruleset, Also::DevicesAndSignals);
        let partly = || RulesetStatus::PartiallyEnforced;
        assert_eq!(of(0, RulesetStatus::NotEnforced), Err(io::ErrorKind::Unsupported));
        assert_eq!(of(7, RulesetStatus::NotEnforced), Err(io::ErrorKind::Unsupported));
        assert_eq!(of(1, partly()), Err(io::ErrorKind::Unsupported));
        assert!(matches!(of(2, partly()), Ok(Held::But(what)) if what.contains("emptying")));
        assert!(matches!(of(5, partly()), Ok(Held::But(what)) if !what.contains("emptying")));
        assert_eq!(of(6, RulesetStatus::FullyEnforced), Ok(Held::All));
        assert_eq!(of_all(2, partly(), Also::Nothing), Ok(Held::But("emptying files")));
        assert_eq!(of_all(3, RulesetStatus::FullyEnforced, Also::Nothing), Ok(Held::All));
        assert_eq!(of_all(1, partly(), Also::Nothing), Err(io::ErrorKind::Unsupported));
    }
}
