//! Who does a task (SPEC 5.1, 5.3): its own agent, or another of the run's chain where that one's provider is at a limit or
//! its attempts are used up. Nobody takes over of whom nothing proves that he answers.
//!
//! Knows no tasks but by the agent that they name, and decides nothing about time: what a provider allows is known to
//! `provider`.

use super::provider::{Held, ProviderIx, Providers};
use crate::event::FailureClass;
use crate::history::Handed;
use crate::policy::OnLimit;
use crate::task::Task;
use std::collections::BTreeMap;

/// A chain has so many agents at most.
pub const MAX_CHAIN: usize = 16;

/// An agent of the chain in which others take over.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Link {
    pub agent: String,
    /// It is on record that it answers as it is called now.
    pub is_proven: bool,
}

/// Position of an agent.
type AgentIx = u16;

/// Who does one task.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) struct Seat {
    /// The one it is given to.
    own: AgentIx,
    /// The one who did it last, or is to do it next.
    agent: AgentIx,
    /// Of the chain, one bit each: whose attempts the task has used up.
    used_up: u16,
}

#[derive(Clone, Debug)]
struct Agent {
    name: String,
    provider: Option<ProviderIx>,
    /// Its place in the chain.
    link: Option<u8>,
}

/// Agents of a run. Empty where no agent is called.
#[derive(Clone, Debug, Default)]
pub(super) struct Staff {
    agents: Vec<Agent>,
    by_name: BTreeMap<String, AgentIx>,
    chain: Vec<(AgentIx, bool)>,
    on_limit: OnLimit,
    /// It was said that nobody takes over.
    pub(super) has_said_why: bool,
}

impl Staff {
    /// `agents` tells whose limits each runs into. What the chain names besides is not there.
    pub(super) fn new(
        agents: &BTreeMap<String, String>,
        chain: &[Link],
        on_limit: OnLimit,
        providers: &Providers,
    ) -> Staff {
        let mut staff = Staff { on_limit, ..Staff::default() };
        for (name, provider) in agents {
            staff.by_name.insert(name.clone(), staff.agents.len() as AgentIx);
            let provider = providers.by_name(provider);
            staff.agents.push(Agent { name: name.clone(), provider, link: None });
        }
        for link in chain.iter().take(MAX_CHAIN) {
            let Some(agent) = staff.by_name.get(&link.agent).copied() else { continue };
            let known = &mut staff.agents[agent as usize];
            if known.link.is_none() {
                known.link = Some(staff.chain.len() as u8);
                staff.chain.push((agent, link.is_proven));
            }
        }
        staff
    }

    /// Who does `task`, as far as its own line says; `before`: who did it so far.
    pub(super) fn seat(&self, task: &Task, before: Option<Seat>) -> Option<Seat> {
        if self.agents.is_empty() || task.has_run_block() {
            return None;
        }
        let own = self.by_name.get(&**task.more.agent.as_ref()?).copied()?;
        let fresh = Seat { own, agent: own, used_up: 0 };
        Some(before.filter(|before| before.own == own).unwrap_or(fresh))
    }

    /// As the record of earlier sessions has it; who is not to be had any more gives it back.
    pub(super) fn handed(&self, seat: Seat, handed: &Handed) -> Seat {
        let bit = |name: &String| Some(1 << self.agents[*self.by_name.get(name)? as usize].link?);
        let used_up: u16 = handed.used_up.iter().filter_map(bit).fold(0, |all, bit| all | bit);
        let agent = self.by_name.get(&handed.agent).copied().filter(|agent| self.may_follow(seat, *agent));
        match agent {
            Some(agent) => Seat { agent, used_up, ..seat },
            // Its own again, whatever became of it: somebody has to.
            None if used_up & self.bit(seat.own) != 0 => {
                self.after_failure(Seat { used_up, ..seat }).unwrap_or(seat)
            }
            None => Seat { used_up, ..seat },
        }
    }

    pub(super) fn name(&self, seat: Seat) -> &str {
        &self.agents[seat.agent as usize].name
    }

    /// Whose limits who does it now runs into.
    pub(super) fn provider(&self, seat: Seat) -> Option<ProviderIx> {
        self.provider_of(seat.agent)
    }

    fn provider_of(&self, agent: AgentIx) -> Option<ProviderIx> {
        self.agents[agent as usize].provider
    }

    fn held(&self, agent: AgentIx, providers: &Providers) -> Option<Held> {
        providers.holds(self.provider_of(agent)?)
    }

    fn bit(&self, agent: AgentIx) -> u16 {
        self.agents[agent as usize].link.map_or(0, |link| 1 << link)
    }

    fn may_follow(&self, seat: Seat, agent: AgentIx) -> bool {
        let link = self.agents[agent as usize].link;
        let is_proven = link.is_some_and(|link| self.chain[link as usize].1);
        agent == seat.own || (is_proven && self.agents[seat.own as usize].link.is_some())
    }

    /// Who may do it instead of who does it now, in the order in which they are asked: those that stand behind him in
    /// the chain, then those before.
    fn others(&self, seat: Seat) -> impl Iterator<Item = AgentIx> + '_ {
        let count = self.chain.len();
        let place = self.agents[seat.agent as usize].link.map_or(0, |link| link as usize);
        let others = (1..count).map(move |n| self.chain[(place + n) % count].0);
        others.filter(move |agent| {
            seat.used_up & self.bit(*agent) == 0 && *agent != seat.agent && self.may_follow(seat, *agent)
        })
    }

    /// Whether who is held so lets others take over.
    fn gives_way(&self, held: Held) -> bool {
        match held {
            Held::Until(None, _) => true,
            Held::Until(Some(_), FailureClass::UsageLimit) => self.on_limit == OnLimit::Failover,
            Held::Until(..) | Held::Probed | Held::Full(_) => false,
        }
    }

    /// Who would do it, if it were started now; none: nobody may.
    pub(super) fn choose(&self, seat: Seat, providers: &Providers) -> Option<Seat> {
        let Some(held) = self.held(seat.agent, providers) else { return Some(seat) };
        if !self.gives_way(held) {
            return None;
        }
        let open = self.others(seat).find(|agent| self.held(*agent, providers).is_none())?;
        Some(Seat { agent: open, ..seat })
    }

    /// Who tries it next when the attempts of who did it are used up; none: all have tried.
    pub(super) fn after_failure(&self, seat: Seat) -> Option<Seat> {
        let seat = Seat { used_up: seat.used_up | self.bit(seat.agent), ..seat };
        let next = self.others(seat).next()?;
        Some(Seat { agent: next, ..seat })
    }

    /// Whose end of a limit would let it go on.
    pub(super) fn awaited(&self, seat: Seat, providers: &Providers) -> Vec<ProviderIx> {
        let gives_way = self.held(seat.agent, providers).is_some_and(|held| self.gives_way(held));
        let others = self.others(seat).filter(|_| gives_way);
        std::iter::once(seat.agent).chain(others).filter_map(|agent| self.provider_of(agent)).collect()
    }

    /// Why nobody takes over from who is at `limited`, in words, if a limit is to make others take over.
    pub(super) fn why_nobody(&self, limited: ProviderIx) -> Option<String> {
        if self.on_limit != OnLimit::Failover {
            return None;
        }
        let others = self.chain.iter().filter(|(agent, _)| self.provider_of(*agent) != Some(limited));
        let (proven, unproven): (Vec<_>, Vec<_>) = others.partition(|(_, is_proven)| *is_proven);
        if !proven.is_empty() {
            return None;
        }
        let names: Vec<String> =
            unproven.iter().map(|(agent, _)| format!("`{}`", self.agents[*agent as usize].name)).collect();
        if names.is_empty() {
            return Some(
                "no other agent can take over: name several, `--agent one,other`; until then it waits"
                    .to_owned(),
            );
        }
        Some(format!(
            "nothing proves that {} would answer, so nobody takes over and it waits: `specter doctor --agents` proves it",
            names.join(", ")
        ))
    }
}
