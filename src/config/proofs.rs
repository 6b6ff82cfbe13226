//! Which agents answered when they were last asked, in the user's state directory: who is to take over in the night must
//! have been seen to answer. A proof is of one program as it was called then; another version, or another call, needs its
//! own. Nothing in a repository has a say in it, and a record that cannot be read proves nothing.

use super::Environment;
use crate::agent::{Call, Preset};
use crate::fs;
use crate::text::fnv1a;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};
use std::time::Duration;

const VERSION: u32 = 1;
const MAX_BYTES: u64 = 4 << 20;
/// Log-ins expire, and so does what they prove.
pub const LASTS: Duration = Duration::from_hours(30 * 24);

/// What an agent is, so that it is known again: its program's file, and how it is called.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Identity {
    program: PathBuf,
    size: u64,
    modified_ns: i128,
    call: u64,
}

impl Identity {
    /// `program` is where it was found; none if it is not there.
    pub fn of(preset: &Preset, program: &Path) -> Option<Identity> {
        let program = program.canonicalize().ok()?;
        let meta = program.metadata().ok()?;
        let line = preset.command_line(&Call::default());
        let call = format!("{:?} {:?} {:?} {:?}", line.args, line.env, line.stdin, preset.provider);
        let modified_ns = i128::from(meta.mtime()) * 1_000_000_000 + i128::from(meta.mtime_nsec());
        Some(Identity { program, size: meta.len(), modified_ns, call: fnv1a(call.as_bytes()) })
    }
}

/// That an agent answered.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Proof {
    pub identity: Identity,
    /// As it told it, for people.
    pub version: String,
    /// Wall time in milliseconds since the epoch.
    pub at: u64,
}

impl Proof {
    /// Whether it still says something about `identity` at `now`, as wall time in milliseconds.
    pub fn holds(&self, identity: &Identity, now: u64) -> bool {
        let age = now.saturating_sub(self.at);
        self.identity == *identity && u128::from(age) <= LASTS.as_millis()
    }
}

#[derive(Debug, Default, Serialize, Deserialize)]
struct Record {
    version: u32,
    agents: BTreeMap<String, Proof>,
}

/// The file of proofs.
#[derive(Clone, Debug)]
pub struct Proofs {
    path: PathBuf,
}

impl Proofs {
    /// `$XDG_STATE_HOME/specter/agents.json`; none without a home.
    pub fn of_user(env: &Environment) -> Option<Proofs> {
        let dir = env.base_dir("XDG_STATE_HOME", ".local/state")?;
        Some(Proofs { path: dir.join("specter/agents.json") })
    }

    pub fn path(&self) -> &Path {
        &self.path
    }

    /// By agent.
    pub fn read(&self) -> BTreeMap<String, Proof> {
        let record = fs::read(&self.path, MAX_BYTES).ok();
        let record = record.and_then(|read| serde_json::from_slice::<Record>(&read.bytes).ok());
        record.filter(|record| record.version == VERSION).map(|record| record.agents).unwrap_or_default()
    }

    /// `agent` answered, or no longer does.
    pub fn set(&self, agent: &str, proof: Option<Proof>) -> Result<(), fs::Error> {
        let mut agents = self.read();
        match proof {
            Some(proof) => {
                agents.insert(agent.to_owned(), proof);
            }
            None if agents.remove(agent).is_none() => return Ok(()),
            None => {}
        }
        let text = serde_json::to_vec_pretty(&Record { version: VERSION, agents })
            .map_err(|error| fs::Error::io("write", &self.path, std::io::Error::other(error)))?;
        fs::create_private_dirs(fs::parent(&self.path))?;
        fs::atomic_replace(&self.path, &text, fs::Access::Private)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::agent::Presets;

    fn agent(dir: &Path) -> (Preset, PathBuf) {
        let program = dir.join("claude");
        std::fs::write(&program, "#!/bin/sh\n").unwrap();
        (Presets::default().get("claude").unwrap().clone(), program)
    }

    #[test]
    fn a_proof_is_kept_until_the_program_or_its_call_is_another_or_a_month_has_passed() {
        let dir = tempfile::tempdir().unwrap();
        let (preset, program) = agent(dir.path());
        let proofs = Proofs { path: dir.path().join("state/agents.json") };
        let identity = Identity::of(&preset, &program).unwrap();
        let proof = Proof { identity: identity.clone(), version: "1.0".to_owned(), at: 1_000 };
        proofs.set("claude", Some(proof.clone())).unwrap();
        assert_eq!(proofs.read()["claude"], proof);
        assert!(proof.holds(&identity, 2_000) && proof.holds(&identity, 500), "clocks differ");
        assert!(!proof.holds(&identity, 1_000 + LASTS.as_millis() as u64 + 1));
        let mut other = preset.clone();
        other.args.push("--new".to_owned());
        assert!(!proof.holds(&Identity::of(&other, &program).unwrap(), 2_000));
        std::fs::write(&program, "#!/bin/sh\necho 2\n").unwrap();
        assert!(!proof.holds(&Identity::of(&preset, &program).unwrap(), 2_000));
        proofs.set("claude", None).unwrap();
        assert!(proofs.read().is_empty());
    }

    #[test]
    fn a_record_that_cannot_be_read_proves_nothing() {
        let dir = tempfile::tempdir().unwrap();
        let proofs = Proofs { path: dir.path().join("agents.json") };
        for text in ["", "{", "{\"version\":2,\"agents\":{}}", "\0"] {
            std::fs::write(&proofs.path, text).unwrap();
            assert!(proofs.read().is_empty(), "{text:?}");
        }
        assert_eq!(Identity::of(&Preset::default(), &dir.path().join("gone")), None);
    }
}
