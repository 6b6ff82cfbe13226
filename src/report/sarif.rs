//! Diagnostics as SARIF 2.1.0, which code hosts show beside the lines of a change.
//!
//! Columns count characters (`unicodeCodePoints`), as in every other output of specter.

use crate::diagnostic::{Code, Diagnostic, Severity};
use crate::source::{SourceText, Span};
use crate::text::{json_safe, safe};
use serde_json::{Value, json};
use std::fmt::Write as _;

const SCHEMA: &str = "https://json.schemastore.org/sarif-2.1.0.json";

/// One log with one run over all files, indented, with a line end. File names are relative, with forward slashes.
pub fn sarif(files: &[(SourceText, Vec<Diagnostic>)]) -> String {
    let results: Vec<Value> = files
        .iter()
        .flat_map(|(source, found)| found.iter().map(move |diagnostic| result(source, diagnostic)))
        .collect();
    let log = json!({
        "$schema": SCHEMA,
        "version": "2.1.0",
        "runs": [{
            "tool": { "driver": {
                "name": "specter",
                "semanticVersion": env!("CARGO_PKG_VERSION"),
                "rules": Code::ALL.iter().map(|code| rule(*code)).collect::<Vec<_>>(),
            } },
            "columnKind": "unicodeCodePoints",
            "results": results,
        }],
    });
    format!("{}\n", json_safe(&format!("{log:#}")))
}

fn rule(code: Code) -> Value {
    let explain = code.explain();
    let first = explain.split_inclusive(". ").next().unwrap_or(explain).trim_end();
    json!({
        "id": code.as_str(),
        "shortDescription": { "text": first },
        "fullDescription": { "text": explain },
        "help": { "text": explain },
    })
}

fn result(source: &SourceText, diagnostic: &Diagnostic) -> Value {
    let level = match diagnostic.severity {
        Severity::Error => "error",
        Severity::Warning => "warning",
    };
    let mut text = safe(&diagnostic.message);
    for help in &diagnostic.help {
        text.push('\n');
        text.push_str(&safe(help));
    }
    let mut result = json!({
        "ruleId": diagnostic.code.as_str(),
        "ruleIndex": Code::ALL.iter().position(|code| *code == diagnostic.code),
        "level": level,
        "message": { "text": text },
        "locations": [location(source, diagnostic.span(), None)],
    });
    let related: Vec<Value> = diagnostic
        .labels
        .iter()
        .skip(1)
        .map(|label| location(source, Some(label.span), Some(&label.text)))
        .collect();
    if !related.is_empty() {
        result["relatedLocations"] = related.into();
    }
    result
}

fn location(source: &SourceText, span: Option<Span>, message: Option<&str>) -> Value {
    let mut place = json!({ "artifactLocation": { "uri": uri(source.name()) } });
    if let Some(span) = span {
        place["region"] = json!({
            "startLine": source.line(span.start),
            "startColumn": source.column(span.start),
            "endLine": source.line(span.end),
            "endColumn": source.column(span.end),
        });
    }
    let mut location = json!({ "physicalLocation": place });
    if let Some(message) = message {
        location["message"] = json!({ "text": safe(message) });
    }
    location
}

/// A path as a relative reference: everything but the plainest characters in percents.
fn uri(path: &str) -> String {
    let path = path.replace('\\', "/");
    let mut out = String::with_capacity(path.len());
    for c in path.chars() {
        let is_plain = c.is_ascii_alphanumeric() || matches!(c, '/' | '.' | '-' | '_' | '~');
        if is_plain {
            out.push(c);
        } else {
            for byte in c.encode_utf8(&mut [0; 4]).bytes() {
                let _ = write!(out, "%{byte:02X}");
            }
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_become_references() {
        assert_eq!(uri("specs/001 a/tasks.md"), "specs/001%20a/tasks.md");
        assert_eq!(uri("a\\b:c\x1b\u{202e}.md"), "a/b%3Ac%1B%E2%80%AE.md");
    }
}
