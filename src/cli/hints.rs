//! Hints in plain words, as far as they decide the configuration: what is not understood ends the command.

use super::error::Error;
use crate::config::Config;
use crate::domains::{Hints, Pace, Rules, parse_hint};
use crate::plan::Mode;
use crate::text::safe;

/// What the hint asks for. Names are those of domains and of agents.
pub(super) fn of(config: &Config) -> Result<Hints, Error> {
    let Some(hint) = &config.hint else { return Ok(Hints::default()) };
    let rules = Rules::new(&config.domains);
    let domains: Vec<&str> = rules.names().collect();
    let mut agents = rules.agents();
    agents.extend(config.agents.names());
    agents.sort_unstable();
    agents.dedup();
    parse_hint(hint, &domains, &agents).map_err(|refused| {
        let error = Error::usage(format!("`{}` is no hint that is understood", safe(&refused.at)));
        refused.help.into_iter().fold(error, Error::hint)
    })
}

/// Lets the hint decide which tasks may overlap.
pub(super) fn apply(config: &mut Config) -> Result<(), Error> {
    match of(config)?.pace {
        Some(Pace::Sequential) => config.mode = Mode::Sequential,
        // What overlaps already may go on to.
        Some(Pace::Parallel) if config.mode == Mode::Sequential => config.mode = Mode::Parallel,
        Some(Pace::Parallel) | None => {}
    }
    Ok(())
}
