//! The conversation itself: which call comes next, what an answer means, what is answered to the agent's own requests.
//!
//! One call of ours waits at a time, always with a deadline ([`Client::wait`]); whoever drives this says when it has passed
//! ([`Client::too_late`]). Every request of the agent is answered at once. After the turn the input can be closed
//! ([`Client::is_over`]), unless something more is to be said ([`Client::say`]).

use super::offer::{Choice, Offer};
use super::updates::Updates;
use super::wire::{self, Heard, Refused};
use super::{errors, permission};
use crate::agent::told::{AgentError, StepKind, StopReason, Told, one_line};
use agent_client_protocol_schema::ProtocolVersion;
use agent_client_protocol_schema::v1::{
    AGENT_METHOD_NAMES as AGENT, CLIENT_METHOD_NAMES as CLIENT, CancelNotification, Implementation,
    InitializeRequest, InitializeResponse, LoadSessionRequest, NewSessionRequest, PromptRequest,
    RequestPermissionOutcome, RequestPermissionResponse, ResumeSessionRequest, SessionId, ToolCallUpdate,
};
use serde::{Deserialize as _, Serialize};
use serde_json::Value;
use std::time::Duration;

const METHOD_NOT_FOUND: i32 = -32_601;
/// A longer text in a request is no name of anything.
const SHOWN: usize = 100;

/// What is wanted of the agent.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Wanted {
    /// Where it works, absolute.
    pub dir: String,
    /// What it may touch, absolute; `dir` is the first of them.
    pub roots: Vec<String>,
    /// To go on with, where the agent can.
    pub session: Option<String>,
    pub prompt: String,
    /// Instead, if it goes on in that session.
    pub prompt_resumed: String,
    /// To choose, if the agent has it; empty: its own.
    pub mode: String,
    /// To choose by the protocol.
    pub model: Option<String>,
}

/// How long an answer may take.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Patience {
    /// Of everything but a turn.
    pub call: Duration,
    pub turn: Duration,
    /// Of a turn that was called off.
    pub cancel: Duration,
}

/// A deadline that runs. Another number is another deadline.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Wait {
    pub number: u64,
    pub limit: Duration,
}

/// What comes of a line or a deadline.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Said {
    /// For the agent's input.
    pub lines: Vec<u8>,
    pub told: Vec<Told>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Step {
    Initialize,
    Open(Opening),
    Mode,
    Model,
    Turn,
    Over,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Opening {
    New,
    Resume,
    Load,
}

#[derive(Debug)]
pub struct Client {
    wanted: Wanted,
    patience: Patience,
    step: Step,
    /// Of the call that waits.
    id: u64,
    /// Deadlines so far.
    waits: u64,
    session: Option<SessionId>,
    is_resumed: bool,
    offer: Offer,
    updates: Updates,
    is_cancelled: bool,
    /// The next turn's prompt.
    next: Option<String>,
    /// The agent answered a prompt, however.
    has_answered: bool,
    permissions: u64,
}

impl Client {
    /// What to say first is in `said`.
    pub fn begin(wanted: Wanted, patience: Patience, said: &mut Said) -> Client {
        let mut client = Client {
            wanted,
            patience,
            step: Step::Initialize,
            id: 0,
            waits: 0,
            session: None,
            is_resumed: false,
            offer: Offer::default(),
            updates: Updates::default(),
            is_cancelled: false,
            next: None,
            has_answered: false,
            permissions: 0,
        };
        // Neither files nor terminals: agents that are offered them use them, and creating a file failed with it.
        let request = InitializeRequest::new(ProtocolVersion::V1)
            .client_info(Implementation::new("specter", env!("CARGO_PKG_VERSION")));
        client.call(Step::Initialize, AGENT.initialize, &request, said);
        client
    }

    /// A line of the agent, without its end.
    pub fn line(&mut self, line: &[u8], said: &mut Said) {
        if line.trim_ascii().is_empty() {
            return;
        }
        let Some(messages) = wire::read(line) else {
            said.told.push(Told::Unreadable { bytes: line.len() as u64 });
            return;
        };
        for message in messages {
            match message {
                Heard::Request { id, method, params } => self.serve(&id, &method, &params, said),
                Heard::Note { method, params } if method == CLIENT.session_update => {
                    self.update(&params, said);
                }
                Heard::Answer { id, result } if id == self.id && self.step != Step::Over => {
                    self.answered(result, said);
                }
                // Notes of the agent's own, and answers nobody waits for any more.
                Heard::Note { .. } | Heard::Answer { .. } => {}
                Heard::Strange => said.told.push(Told::Unreadable { bytes: line.len() as u64 }),
            }
        }
    }

    /// The deadline that runs; none once it is over.
    pub fn wait(&self) -> Option<Wait> {
        let limit = match self.step {
            Step::Over => return None,
            Step::Turn if self.is_cancelled => self.patience.cancel,
            Step::Turn => self.patience.turn,
            _ => self.patience.call,
        };
        Some(Wait { number: self.waits, limit })
    }

    /// That deadline has passed.
    pub fn too_late(&mut self, said: &mut Said) {
        let silent = |method: &str, limit: Duration| {
            let what = format!("the agent did not answer `{method}` within {} s", limit.as_secs());
            AgentError::new("no_answer", what)
        };
        let limit = self.patience.call;
        match self.step {
            Step::Over => {}
            Step::Initialize => self.fail(silent(AGENT.initialize, limit), said),
            Step::Open(opening) => self.fail(silent(opening.method(), limit), said),
            // It works without.
            Step::Mode => self.choose_model(said),
            Step::Model => self.fail(silent("the choice of a model", limit), said),
            Step::Turn if self.is_cancelled => self.end_turn(None, Some(StopReason::Cancelled), said),
            Step::Turn => {
                said.told.push(Told::Failed(silent(AGENT.session_prompt, self.patience.turn)));
                self.cancel(said);
            }
        }
    }

    /// Calls off the turn that runs: it ends with the agent's answer or its deadline. Anything before a turn is over at once.
    pub fn cancel(&mut self, said: &mut Said) {
        self.next = None;
        match (self.step, &self.session) {
            (Step::Over, _) => {}
            (Step::Turn, Some(session)) => {
                let note = CancelNotification::new(session.clone());
                self.call_off(&note, said);
            }
            _ => self.step = Step::Over,
        }
    }

    /// Says something more in the same session: instead of the turn that runs, which is called off for it, or after the one
    /// that was the last. False where there is no session to say it in, or the agent was told to end.
    pub fn say(&mut self, text: String, said: &mut Said) -> bool {
        let Some(session) = self.session.clone() else { return false };
        match self.step {
            Step::Turn if !self.is_cancelled || self.next.is_some() => {
                self.next = Some(text);
                self.call_off(&CancelNotification::new(session), said);
                true
            }
            Step::Over if self.has_answered => {
                self.prompt(text, said);
                true
            }
            _ => false,
        }
    }

    /// Nothing is waited for: the agent's input can be closed.
    pub fn is_over(&self) -> bool {
        self.step == Step::Over
    }

    /// It answered its prompt, well or not: how its process ends says nothing more.
    pub fn has_answered(&self) -> bool {
        self.has_answered && self.is_over()
    }

    /// Its output has ended, and it with it.
    pub fn gone(&mut self, said: &mut Said) {
        if self.step != Step::Over {
            self.updates.finish(None, &mut said.told);
            self.step = Step::Over;
        }
    }

    // ── calls ─────────────────────────────────────────────────────────────────────────────────────────────────

    fn call(&mut self, step: Step, method: &str, params: &impl Serialize, said: &mut Said) {
        self.step = step;
        self.id += 1;
        self.waits += 1;
        wire::request(self.id, method, params, &mut said.lines);
    }

    fn call_off(&mut self, note: &CancelNotification, said: &mut Said) {
        if !self.is_cancelled {
            self.is_cancelled = true;
            self.waits += 1;
            wire::note(AGENT.session_cancel, note, &mut said.lines);
        }
    }

    fn answered(&mut self, result: Result<Value, Refused>, said: &mut Said) {
        match (self.step, result) {
            (Step::Initialize, Ok(answer)) => self.open(&answer, said),
            // It knows the session no more: a new one does.
            (Step::Open(Opening::Resume | Opening::Load), Err(_)) => self.open_new(said),
            (Step::Open(opening), Ok(answer)) => self.opened(opening, &answer, said),
            (Step::Mode, _) => self.choose_model(said),
            (Step::Model, Ok(_)) => {
                said.told.extend(self.wanted.model.as_deref().map(one_line).map(Told::Model));
                self.first_prompt(said);
            }
            (Step::Turn, Ok(answer)) => {
                let stop = answer["stopReason"].as_str().map_or(StopReason::EndTurn, StopReason::of_word);
                self.end_turn(Some(&answer), Some(stop), said);
            }
            (Step::Turn, Err(refused)) => {
                self.updates.finish(None, &mut said.told);
                self.has_answered = true;
                self.fail(errors::told(&refused), said);
            }
            (Step::Initialize | Step::Open(_) | Step::Model, Err(refused)) => {
                self.fail(errors::told(&refused), said);
            }
            (Step::Over, _) => {}
        }
    }

    fn fail(&mut self, error: AgentError, said: &mut Said) {
        said.told.push(Told::Failed(error));
        self.step = Step::Over;
    }

    /// It told what it can.
    fn open(&mut self, answer: &Value, said: &mut Said) {
        if let Some(version) = answer["protocolVersion"].as_u64().filter(|version| *version != 1) {
            let what = format!("the agent speaks version {version} of the protocol, specter version 1");
            return self.fail(AgentError::new("config", what), said);
        }
        self.updates.quirks.meet(answer["agentInfo"]["name"].as_str().unwrap_or_default());
        let can = InitializeResponse::deserialize(answer).ok().map(|answer| answer.agent_capabilities);
        let Some((session, can)) = self.wanted.session.clone().zip(can) else { return self.open_new(said) };
        let dir = self.wanted.dir.clone();
        if can.session_capabilities.resume.is_some() {
            let request = ResumeSessionRequest::new(session, dir);
            self.call(Step::Open(Opening::Resume), AGENT.session_resume, &request, said);
        } else if can.load_session {
            let request = LoadSessionRequest::new(session, dir);
            self.call(Step::Open(Opening::Load), AGENT.session_load, &request, said);
        } else {
            self.open_new(said);
        }
    }

    fn open_new(&mut self, said: &mut Said) {
        let request = NewSessionRequest::new(self.wanted.dir.clone());
        self.call(Step::Open(Opening::New), AGENT.session_new, &request, said);
    }

    fn opened(&mut self, opening: Opening, answer: &Value, said: &mut Said) {
        let id = match opening {
            Opening::New => answer["sessionId"].as_str().filter(|id| !id.is_empty()).map(str::to_owned),
            Opening::Resume | Opening::Load => self.wanted.session.clone(),
        };
        let Some(id) = id else {
            return self.fail(AgentError::new("", "the agent opened a session without an id"), said);
        };
        said.told.push(Told::Session(one_line(&id)));
        let session = SessionId::new(id);
        self.is_resumed = opening != Opening::New;
        self.offer = Offer::of(answer);
        said.told.extend(self.offer.model_in_use().map(one_line).map(Told::Model));
        let mode = self.offer.mode(&session, &self.wanted.mode).filter(|_| !self.wanted.mode.is_empty());
        self.session = Some(session);
        match mode {
            Some(Choice { method, params }) => self.call(Step::Mode, method, &params, said),
            None => self.choose_model(said),
        }
    }

    fn choose_model(&mut self, said: &mut Said) {
        let (Some(session), Some(model)) = (&self.session, &self.wanted.model) else {
            return self.first_prompt(said);
        };
        match self.offer.model(session, model) {
            Ok(Some(Choice { method, params })) => self.call(Step::Model, method, &params, said),
            Ok(None) => self.first_prompt(said),
            Err(()) => {
                let what =
                    format!("the agent lets nobody choose a model by the protocol: `{}`", one_line(model));
                self.fail(AgentError::new("config", what), said);
            }
        }
    }

    fn first_prompt(&mut self, said: &mut Said) {
        let Wanted { prompt, prompt_resumed, .. } = &mut self.wanted;
        let text = std::mem::take(if self.is_resumed { prompt_resumed } else { prompt });
        self.prompt(text, said);
    }

    fn prompt(&mut self, text: String, said: &mut Said) {
        let Some(session) = self.session.clone() else { return self.step = Step::Over };
        self.is_cancelled = false;
        self.call(Step::Turn, AGENT.session_prompt, &PromptRequest::new(session, vec![text.into()]), said);
    }

    fn end_turn(&mut self, answer: Option<&Value>, stop: Option<StopReason>, said: &mut Said) {
        self.updates.finish(answer, &mut said.told);
        said.told.extend(stop.map(Told::Stop));
        self.has_answered |= answer.is_some();
        self.step = Step::Over;
        // Not in a session whose turn may still run.
        if let Some(next) = self.next.take().filter(|_| answer.is_some()) {
            self.prompt(next, said);
        }
    }

    // ── what the agent sends by itself ────────────────────────────────────────────────────────────────────────

    /// Of this session, and of this run: a session that is loaded tells its past first.
    fn update(&mut self, params: &Value, said: &mut Said) {
        let is_ours = self.session.as_ref().is_some_and(|session| params["sessionId"] == *session.0);
        if is_ours && self.step != Step::Over {
            self.updates.hear(&params["update"], &mut said.told);
        }
    }

    fn serve(&mut self, id: &Value, method: &str, params: &Value, said: &mut Said) {
        if method == CLIENT.session_request_permission {
            let answer = self.permit(params, said);
            return wire::answer(id, &answer, &mut said.lines);
        }
        let shown: String = method.chars().take(SHOWN).collect();
        wire::refuse(id, METHOD_NOT_FOUND, &format!("method not found: {shown}"), &mut said.lines);
    }

    fn permit(&mut self, params: &Value, said: &mut Said) -> RequestPermissionResponse {
        if self.is_cancelled || self.step == Step::Over {
            return RequestPermissionResponse::new(RequestPermissionOutcome::Cancelled);
        }
        let call = ToolCallUpdate::deserialize(&params["toolCall"]).ok();
        // What cannot be read cannot be known to be harmless.
        let outside = match &call {
            Some(call) => permission::outside(&call.fields, &self.wanted.roots),
            None => Some(permission::UNNAMED.to_owned()),
        };
        if let Some(call) = &call {
            self.updates.tool(call, true, &mut said.told);
        }
        let about = call.map(|call| self.updates.tools.title(&call)).unwrap_or_default();
        let title = match &outside {
            None => format!("allowed: {about}"),
            Some(path) => format!("refused, as `{path}` is outside: {about}"),
        };
        self.permissions += 1;
        let key = format!("permission {}", self.permissions);
        let paths = outside.clone().into_iter().collect();
        said.told.push(Told::StepBegun {
            key: key.clone(),
            kind: StepKind::Permit,
            title: one_line(&title),
            paths,
        });
        let ok = Some(outside.is_none());
        said.told.push(Told::StepEnded { key, ok, exit: None, output: String::new() });
        permission::choose(&params["options"], outside.is_none())
    }
}

impl Opening {
    fn method(self) -> &'static str {
        match self {
            Opening::New => AGENT.session_new,
            Opening::Resume => AGENT.session_resume,
            Opening::Load => AGENT.session_load,
        }
    }
}
