//! What a session lets one choose: modes and models, by the protocol's modes, its options, or the list of models that it
//! once had and agents still send.

use agent_client_protocol_schema::v1::{
    AGENT_METHOD_NAMES, SessionConfigKind, SessionConfigOption, SessionConfigOptionCategory as Category,
    SessionConfigSelectOptions, SessionId, SessionModeState, SetSessionConfigOptionRequest,
    SetSessionModeRequest,
};
use serde::Deserialize as _;
use serde_json::{Value, json};

#[derive(Debug, Default)]
pub(super) struct Offer {
    modes: Option<SessionModeState>,
    options: Vec<SessionConfigOption>,
    /// `models` of version 1 before it had options.
    models: Value,
}

/// A call that chooses.
#[derive(Debug, PartialEq)]
pub(super) struct Choice {
    pub(super) method: &'static str,
    pub(super) params: Value,
}

impl Offer {
    /// From the answer to the call that opened the session.
    pub(super) fn of(answer: &Value) -> Offer {
        let options = answer["configOptions"].as_array().into_iter().flatten();
        Offer {
            modes: SessionModeState::deserialize(&answer["modes"]).ok(),
            options: options.filter_map(|option| SessionConfigOption::deserialize(option).ok()).collect(),
            models: answer["models"].clone(),
        }
    }

    /// How `mode` is chosen; nothing where it is chosen already or not to be had.
    pub(super) fn mode(&self, session: &SessionId, mode: &str) -> Option<Choice> {
        if let Some(modes) = &self.modes {
            let is_there = modes.available_modes.iter().any(|known| &*known.id.0 == mode);
            let is_chosen = &*modes.current_mode_id.0 == mode;
            return (is_there && !is_chosen).then(|| Choice {
                method: AGENT_METHOD_NAMES.session_set_mode,
                params: value(&SetSessionModeRequest::new(session.clone(), mode.to_owned())),
            });
        }
        let option = self.option(&Category::Mode)?;
        let is_there = values(option).any(|known| known == mode) && current(option) != Some(mode);
        is_there.then(|| choose(session, option, mode))
    }

    /// The model in use.
    pub(super) fn model_in_use(&self) -> Option<&str> {
        self.option(&Category::Model).and_then(current).or(self.models["currentModelId"].as_str())
    }

    /// How `model` is chosen, also where it is not among those that are offered: what an account may use is not always told.
    /// Nothing where it is in use; an error where none can be chosen.
    pub(super) fn model(&self, session: &SessionId, model: &str) -> Result<Option<Choice>, ()> {
        if self.model_in_use() == Some(model) {
            return Ok(None);
        }
        if let Some(option) = self.option(&Category::Model) {
            return Ok(Some(choose(session, option, model)));
        }
        if !self.models["availableModels"].is_array() {
            return Err(());
        }
        let params = json!({ "sessionId": session, "modelId": model });
        Ok(Some(Choice { method: "session/set_model", params }))
    }

    fn option(&self, category: &Category) -> Option<&SessionConfigOption> {
        self.options.iter().find(|option| option.category.as_ref() == Some(category))
    }
}

fn choose(session: &SessionId, option: &SessionConfigOption, to: &str) -> Choice {
    let request = SetSessionConfigOptionRequest::new(session.clone(), option.id.clone(), to);
    Choice { method: AGENT_METHOD_NAMES.session_set_config_option, params: value(&request) }
}

fn value(request: &impl serde::Serialize) -> Value {
    serde_json::to_value(request).unwrap_or_default()
}

fn current(option: &SessionConfigOption) -> Option<&str> {
    match &option.kind {
        SessionConfigKind::Select(select) => Some(&select.current_value.0),
        _ => None,
    }
}

fn values(option: &SessionConfigOption) -> impl Iterator<Item = &str> {
    let select = match &option.kind {
        SessionConfigKind::Select(select) => Some(&select.options),
        _ => None,
    };
    let (plain, grouped) = match select {
        Some(SessionConfigSelectOptions::Ungrouped(options)) => (Some(options), None),
        Some(SessionConfigSelectOptions::Grouped(groups)) => (None, Some(groups)),
        _ => (None, None),
    };
    let grouped = grouped.into_iter().flatten().flat_map(|group| &group.options);
    plain.into_iter().flatten().chain(grouped).map(|option| &*option.value.0)
}
