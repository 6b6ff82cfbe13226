//! What an agent may do that asks first: whatever touches only the workspace, by the paths that it names. A command names
//! none; where it may write is what its own sandbox, or specter's, is for.

use crate::text::without_dots;
use agent_client_protocol_schema::v1::{
    RequestPermissionOutcome, RequestPermissionResponse, SelectedPermissionOutcome, ToolCallContent,
    ToolCallUpdateFields,
};
use serde_json::Value;
use std::borrow::Cow;
use std::path::Path;

/// What a tool's input calls its file or directory.
const KEYS: [&str; 10] = [
    "file_path",
    "filePath",
    "filepath",
    "path",
    "absolute_path",
    "notebook_path",
    "fileName",
    "dir_path",
    "cwd",
    "workdir",
];

/// The first path that is not in one of `roots`.
pub(super) fn outside(call: &ToolCallUpdateFields, roots: &[String]) -> Option<String> {
    let locations = call.locations.iter().flatten().map(|location| location.path.to_string_lossy());
    let diffs = call.content.iter().flatten().filter_map(|content| match content {
        ToolCallContent::Diff(diff) => Some(diff.path.to_string_lossy()),
        _ => None,
    });
    let input = call.raw_input.as_ref().unwrap_or(&Value::Null);
    let named = KEYS.iter().filter_map(|key| input[*key].as_str()).map(Into::into);
    locations.chain(diffs).chain(named).find(|path| !is_inside(path, roots)).map(Cow::into_owned)
}

/// By the path's words alone: links are not followed.
fn is_inside(path: &str, roots: &[String]) -> bool {
    let home = path.starts_with('~');
    let Some(first) = roots.first().filter(|_| !home) else { return false };
    let whole = without_dots(&Path::new(first).join(path));
    roots.iter().any(|root| whole.starts_with(without_dots(Path::new(root))))
}

/// The option of the kind that is meant, for this once if there is one; without any, the request is called off.
pub(super) fn choose(options: &Value, allow: bool) -> RequestPermissionResponse {
    let kinds = if allow { ["allow_once", "allow_always"] } else { ["reject_once", "reject_always"] };
    let of_kind = |kind: &&str| {
        let option = options.as_array()?.iter().find(|option| option["kind"] == **kind)?;
        option["optionId"].as_str()
    };
    RequestPermissionResponse::new(match kinds.iter().find_map(of_kind) {
        Some(id) => RequestPermissionOutcome::Selected(SelectedPermissionOutcome::new(id.to_owned())),
        None => RequestPermissionOutcome::Cancelled,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn inside_is_what_stays_below_the_workspace_by_its_words() {
        let roots = ["/w/tree".to_owned(), "/tmp/own".to_owned()];
        for path in
            ["/w/tree", "/w/tree/src/a.rs", "src/a.rs", "./a", "/w/tree/x/../y", "/tmp/own/t", "/w//tree/a"]
        {
            assert!(is_inside(path, &roots), "{path}");
        }
        for path in [
            "/w/tree2/a",
            "/w",
            "../a",
            "src/../../a",
            "/etc/passwd",
            "~/.ssh/id",
            "/tmp/other",
            "/w/tree/../x",
        ] {
            assert!(!is_inside(path, &roots), "{path}");
        }
        assert!(!is_inside("a", &[]));
    }

    #[test]
    fn an_option_is_chosen_by_its_kind_and_for_once_where_that_is_offered() {
        let options = json!([
            { "optionId": "always", "kind": "allow_always" }, { "optionId": "p1", "kind": "allow_once" },
            { "optionId": "no", "kind": "reject_always" }, { "optionId": 7, "kind": "reject_once" }, 3,
        ]);
        let chosen = |allow| serde_json::to_value(choose(&options, allow)).expect("serialises");
        assert_eq!(chosen(true), json!({ "outcome": { "outcome": "selected", "optionId": "p1" } }));
        assert_eq!(chosen(false), json!({ "outcome": { "outcome": "selected", "optionId": "no" } }));
        let none = serde_json::to_value(choose(&json!("?"), true)).expect("serialises");
        assert_eq!(none, json!({ "outcome": { "outcome": "cancelled" } }));
    }
}
