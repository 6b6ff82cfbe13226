//! Kiro's `{"waves":[{"id":0,"tasks":["1.1","1.2"]},…]}` block.

use crate::source::Span;
use crate::task::Waves;
use serde_json::Value;

/// Reads the content of a fence; None if it is no waves block. `base` is where `code` stands in the source.
pub(in super::super) fn read(code: &str, base: usize, line: u32) -> Option<Waves> {
    if !code.contains("\"waves\"") {
        return None;
    }
    let value: Value = serde_json::from_str(code).ok()?;
    let list = value.get("waves")?.as_array()?;
    let mut cursor = code.find("\"waves\"").unwrap_or(0);
    let mut waves = Waves { waves: Vec::new(), line };
    for wave in list {
        let Some(tasks) = wave.get("tasks").unwrap_or(wave).as_array() else { continue };
        waves.waves.push(tasks.iter().filter_map(|task| placed(task, code, base, &mut cursor)).collect());
    }
    Some(waves)
}

/// An id with its place, looked for from where the last one was found.
fn placed(task: &Value, code: &str, base: usize, cursor: &mut usize) -> Option<(String, Span)> {
    let id = match task {
        Value::String(id) => id.clone(),
        Value::Number(number) => number.to_string(),
        Value::Object(fields) => fields.get("id")?.as_str()?.to_owned(),
        _ => return None,
    };
    let at = code[*cursor..].find(&id).map_or(*cursor, |n| *cursor + n);
    let end = if code[at..].starts_with(&id) { at + id.len() } else { at };
    *cursor = end;
    Some((id, Span::new(base + at, base + end)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn waves_keep_their_order_and_places() {
        let code =
            "{\n \"waves\": [{\"id\": 0, \"tasks\": [\"1.1\", \"1.2\"]}, {\"id\": 1, \"tasks\": [\"3\"]}]\n}";
        let waves = read(code, 100, 7).unwrap();
        let ids: Vec<Vec<&str>> =
            waves.waves.iter().map(|w| w.iter().map(|(id, _)| id.as_str()).collect()).collect();
        assert_eq!(ids, [vec!["1.1", "1.2"], vec!["3"]]);
        let (id, span) = &waves.waves[0][1];
        assert_eq!(&code[span.start as usize - 100..span.end as usize - 100], id);
        assert_eq!(read("{\"a\": 1}", 0, 1), None);
        assert_eq!(read("{\"waves\": oops", 0, 1), None);
    }
}
