//! How what an agent prints is understood: as events that it tells on its own, or as its side of a conversation
//! ([`Client`]). Of the latter this keeps the time and what is to be written; both end in the same [`Told`].

use crate::agent::acp::{Client, Patience, Said, Wait, Wanted};
use crate::agent::dialect::Lines;
use crate::agent::{AgentError, Reader, Told};
use std::time::Duration;

/// What an agent has not read; one that sends requests and reads no answers is given up.
const MAX_UNREAD: usize = 32 << 20;
/// How long an agent may take to go once its input is closed.
const LINGER: Duration = Duration::from_secs(2);

pub(super) enum Source {
    Events(Reader),
    Talk(Box<Talk>),
}

pub(super) struct Talk {
    client: Client,
    lines: Lines,
    /// Written to its input as soon as it reads.
    unsaid: Vec<u8>,
    /// The deadline that runs, and since when.
    wait: Option<(Wait, Duration)>,
    is_given_up: bool,
}

impl Talk {
    pub(super) fn new(wanted: Wanted, patience: Patience) -> Talk {
        let mut said = Said::default();
        let client = Client::begin(wanted, patience, &mut said);
        Talk { client, lines: Lines::default(), unsaid: said.lines, wait: None, is_given_up: false }
    }

    fn act(&mut self, told: &mut Vec<Told>, act: impl FnOnce(&mut Client, &mut Said)) {
        let mut said = Said { told: std::mem::take(told), lines: std::mem::take(&mut self.unsaid) };
        act(&mut self.client, &mut said);
        (*told, self.unsaid) = (said.told, said.lines);
    }

    fn feed(&mut self, piece: &[u8], told: &mut Vec<Told>) {
        let mut lines = std::mem::take(&mut self.lines);
        self.act(told, |client, said| {
            lines.feed(piece, |line| match line {
                Ok(line) => client.line(line, said),
                Err(bytes) => said.told.push(Told::Unreadable { bytes }),
            });
        });
        self.lines = lines;
    }

    fn finish(&mut self, is_clean: bool, told: &mut Vec<Told>) {
        let mut lines = std::mem::take(&mut self.lines);
        let was_over = self.client.is_over();
        self.act(told, |client, said| {
            lines.finish(|line| match line {
                Ok(line) => client.line(line, said),
                Err(bytes) => said.told.push(Told::Unreadable { bytes }),
            });
            client.gone(said);
        });
        if is_clean && !was_over && !self.client.has_answered() {
            let what = "the agent ended in the middle of its turn";
            told.push(Told::Failed(AgentError::new("ended_early", what)));
        }
    }

    /// Whatever deadline has passed by `now`; how long until the next.
    fn time(&mut self, now: Duration, told: &mut Vec<Told>) -> Option<Duration> {
        let wait = self.client.wait()?;
        let since = match self.wait {
            Some((known, since)) if known.number == wait.number => since,
            _ => now,
        };
        self.wait = Some((wait, since));
        let left = (since + wait.limit).saturating_sub(now);
        if left.is_zero() {
            self.act(told, Client::too_late);
            return Some(Duration::ZERO);
        }
        Some(left)
    }
}

impl Source {
    pub(super) fn feed(&mut self, piece: &[u8], told: &mut Vec<Told>) {
        match self {
            Source::Events(reader) => reader.feed(piece, told),
            Source::Talk(talk) => talk.feed(piece, told),
        }
    }

    /// The output has ended. `is_clean`: so did the process, by itself and with 0.
    pub(super) fn finish(&mut self, is_clean: bool, told: &mut Vec<Told>) {
        match self {
            Source::Events(reader) => reader.finish(told),
            Source::Talk(talk) => talk.finish(is_clean, told),
        }
    }

    /// Until when its input stays open: for ever, as far as events go, once the prompt is in it.
    pub(super) fn is_over(&self) -> bool {
        match self {
            Source::Events(_) => true,
            Source::Talk(talk) => talk.client.is_over() || talk.is_given_up,
        }
    }

    /// It answered, so that its exit code says nothing.
    pub(super) fn has_answered(&self) -> bool {
        matches!(self, Source::Talk(talk) if talk.client.has_answered())
    }

    /// For its input; `unread` is what it has not read of what was said before.
    pub(super) fn say(&mut self, unread: usize, told: &mut Vec<Told>) -> Vec<u8> {
        let Source::Talk(talk) = self else { return Vec::new() };
        if unread + talk.unsaid.len() > MAX_UNREAD && !talk.is_given_up {
            talk.is_given_up = true;
            let what = "the agent sends requests and does not read the answers";
            told.push(Told::Failed(AgentError::new("no_answer", what)));
        }
        let said = std::mem::take(&mut talk.unsaid);
        if talk.is_given_up { Vec::new() } else { said }
    }

    pub(super) fn time(&mut self, now: Duration, told: &mut Vec<Told>) -> Option<Duration> {
        match self {
            Source::Events(_) => None,
            Source::Talk(talk) => talk.time(now, told),
        }
    }

    /// Asks it to end its turn. False where there is nothing to ask: its processes are ended at once.
    pub(super) fn cancel(&mut self, told: &mut Vec<Told>) -> bool {
        match self {
            Source::Talk(talk) if !talk.client.is_over() => {
                talk.act(told, Client::cancel);
                !talk.client.is_over()
            }
            _ => false,
        }
    }

    /// Says something more, instead of the turn that runs. False where an agent hears nothing after its prompt.
    pub(super) fn nudge(&mut self, text: String, told: &mut Vec<Told>) -> bool {
        let Source::Talk(talk) = self else { return false };
        let mut is_heard = false;
        talk.act(told, |client, said| is_heard = client.say(text, said));
        is_heard
    }

    /// How long it may take to go once it is done, if not as long as all others.
    pub(super) fn linger(&self) -> Option<Duration> {
        matches!(self, Source::Talk(_)).then_some(LINGER)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const PATIENCE: Patience = Patience {
        call: Duration::from_secs(10),
        turn: Duration::from_secs(100),
        cancel: Duration::from_secs(1),
    };

    fn talk() -> Source {
        Source::Talk(Box::new(Talk::new(Wanted { dir: "/w".into(), ..Wanted::default() }, PATIENCE)))
    }

    fn prompted() -> Source {
        let (mut source, mut told) = (talk(), Vec::new());
        source
            .feed(b"{\"id\":1,\"result\":{\"protocolVersion\":1}}\n{\"id\":2,\"result\":{\"sess", &mut told);
        source.feed(b"ionId\":\"s\"}}\n", &mut told);
        assert_eq!(told, [Told::Session("s".into())]);
        source
    }

    fn said(source: &mut Source) -> String {
        String::from_utf8(source.say(0, &mut Vec::new())).unwrap()
    }

    #[test]
    fn a_deadline_runs_from_when_it_was_set_and_each_call_has_its_own() {
        let (mut source, mut told) = (talk(), Vec::new());
        let secs = Duration::from_secs;
        assert_eq!(source.time(secs(3), &mut told), Some(secs(10)));
        assert_eq!(source.time(secs(9), &mut told), Some(secs(4)));
        source.feed(b"{\"id\":1,\"result\":{}}\n", &mut told);
        assert_eq!(source.time(secs(9), &mut told), Some(secs(10)));
        assert!(told.is_empty() && !source.is_over());
        assert_eq!(source.time(secs(19), &mut told), Some(secs(0)));
        assert!(matches!(&told[..], [Told::Failed(_)]) && source.is_over());
        assert_eq!(source.time(secs(20), &mut told), None);
    }

    #[test]
    fn a_nudge_calls_the_turn_off_and_says_more_in_the_same_session() {
        let (mut source, mut told) = (prompted(), Vec::new());
        assert!(said(&mut source).contains("session/prompt"));
        assert!(source.nudge("are you stuck?".to_owned(), &mut told));
        assert!(said(&mut source).contains("session/cancel"));
        source.feed(b"{\"id\":3,\"result\":{\"stopReason\":\"cancelled\"}}\n", &mut told);
        assert!(said(&mut source).contains("are you stuck?") && !source.is_over());
        let mut events = Source::Events(Reader::new(crate::agent::Events::Text));
        assert!(!events.nudge("?".to_owned(), &mut told) && !events.cancel(&mut told) && events.is_over());
    }

    #[test]
    fn who_ends_in_the_middle_of_a_turn_has_failed_even_with_0_and_who_answered_has_not() {
        for (is_clean, failed) in [(true, true), (false, false)] {
            let (mut source, mut told) = (prompted(), Vec::new());
            source.finish(is_clean, &mut told);
            assert_eq!(told.iter().any(|told| matches!(told, Told::Failed(_))), failed);
            assert!(!source.has_answered());
        }
        let (mut source, mut told) = (prompted(), Vec::new());
        source.feed(b"{\"id\":3,\"result\":{\"stopReason\":\"end_turn\"}}", &mut told);
        source.finish(true, &mut told);
        assert!(source.has_answered() && !told.iter().any(|told| matches!(told, Told::Failed(_))));
    }

    #[test]
    fn who_asks_and_does_not_read_the_answers_is_given_up() {
        let (mut source, mut told) = (prompted(), Vec::new());
        source.feed(b"{\"id\":1,\"method\":\"x\"}\n", &mut told);
        assert!(!source.say(MAX_UNREAD, &mut told).is_empty() || source.is_over());
        assert!(source.is_over() && told.iter().any(|told| matches!(told, Told::Failed(_))));
    }
}
