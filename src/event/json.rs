//! Events as JSON and back, fast: a run of ten thousand tasks writes and reads thirty thousand of them.
//!
//! Invariant: [`Event::write_json`] writes what serde would write, byte for byte, and reading accepts any order of
//! keys. The kinds that every task has take a short way; a new kind needs nothing here.

use super::{AttemptOutcome, AttemptReport, Elapsed, Event, EventKind, TaskRef, Verdict};
use crate::task::{BlockKind, TaskId};
use crate::text::put_number;
use serde::de::value::MapAccessDeserializer;
use serde::de::{Error, MapAccess, Visitor};
use serde::{Deserialize, Deserializer};
use serde_json::{Map, Value};
use std::borrow::Cow;
use std::fmt;
use std::time::Duration;

impl Event {
    /// Appends this event as one JSON object, without a line end.
    pub fn write_json(&self, out: &mut Vec<u8>) -> serde_json::Result<()> {
        let start = out.len();
        number(out, "{\"seq\":", self.seq);
        number(out, ",\"at\":", self.at.as_millis() as u64);
        if !write_kind(out, &self.kind)? {
            out.truncate(start);
            return serde_json::to_writer(out, self);
        }
        out.push(b'}');
        Ok(())
    }
}

/// False for a kind that has no short way.
fn write_kind(out: &mut Vec<u8>, kind: &EventKind) -> serde_json::Result<bool> {
    match kind {
        EventKind::AttemptStarted { task, attempt, executor, worker } => {
            string(out, ",\"kind\":\"attempt_started\",\"task\":", task.id.as_str())?;
            number(out, ",\"attempt\":", u64::from(*attempt));
            string(out, ",\"executor\":", executor)?;
            number(out, ",\"worker\":", u64::from(*worker));
        }
        EventKind::AttemptFinished { task, attempt, report } => {
            string(out, ",\"kind\":\"attempt_finished\",\"task\":", task.id.as_str())?;
            number(out, ",\"attempt\":", u64::from(*attempt));
            write_report(out, report)?;
        }
        EventKind::TaskDone { task, attempts, verdict, duration } => {
            string(out, ",\"kind\":\"task_done\",\"task\":", task.id.as_str())?;
            number(out, ",\"attempts\":", u64::from(*attempts));
            write_verdict(out, *verdict)?;
            number(out, ",\"duration\":", duration.as_millis() as u64);
        }
        EventKind::BoxTicked { task, line } => {
            string(out, ",\"kind\":\"box_ticked\",\"task\":", task.id.as_str())?;
            number(out, ",\"line\":", u64::from(*line));
        }
        _ => return Ok(false),
    }
    Ok(true)
}

fn write_verdict(out: &mut Vec<u8>, verdict: Verdict) -> serde_json::Result<()> {
    match verdict {
        Verdict::Unverified => put(out, ",\"verdict\":\"unverified\""),
        Verdict::Verified => put(out, ",\"verdict\":\"verified\""),
        _ => any(out, ",\"verdict\":", &verdict)?,
    }
    Ok(())
}

fn write_report(out: &mut Vec<u8>, report: &AttemptReport) -> serde_json::Result<()> {
    // Named one by one, so that a new field does not compile until it is written here.
    let AttemptReport {
        outcome,
        duration,
        block,
        class,
        rule,
        retry_after_ms,
        tail,
        log,
        output_bytes,
        cpu_ms,
        max_rss_kb,
        disk_read_kb,
        disk_written_kb,
        leaked,
        by_fallback,
        verified,
        agent,
    } = report;
    match outcome {
        AttemptOutcome::Success => put(out, ",\"outcome\":\"success\""),
        outcome => any(out, ",\"outcome\":", outcome)?,
    }
    number(out, ",\"duration\":", duration.as_millis() as u64);
    if let Some(block) = block {
        put(out, ",\"block\":{\"kind\":");
        put(out, block_kind(block.kind));
        number(out, ",\"number\":", u64::from(block.number));
        number(out, ",\"line\":", u64::from(block.line));
        put(out, "}");
    }
    if let Some(class) = class {
        string(out, ",\"class\":", class.as_str())?;
    }
    if let Some(rule) = rule {
        string(out, ",\"rule\":", rule)?;
    }
    if let Some(retry_after_ms) = retry_after_ms {
        number(out, ",\"retry_after_ms\":", *retry_after_ms);
    }
    for (key, text) in [(",\"tail\":", tail), (",\"log\":", log)] {
        if !text.is_empty() {
            string(out, key, text)?;
        }
    }
    let numbers = [
        (",\"output_bytes\":", output_bytes),
        (",\"cpu_ms\":", cpu_ms),
        (",\"max_rss_kb\":", max_rss_kb),
        (",\"disk_read_kb\":", disk_read_kb),
        (",\"disk_written_kb\":", disk_written_kb),
    ];
    for (key, value) in numbers {
        if *value != 0 {
            number(out, key, *value);
        }
    }
    if !leaked.is_empty() {
        any(out, ",\"leaked\":", leaked)?;
    }
    for (key, holds) in [(",\"by_fallback\":true", by_fallback), (",\"verified\":true", verified)] {
        if *holds {
            put(out, key);
        }
    }
    if let Some(agent) = agent {
        any(out, ",\"agent\":", agent)?;
    }
    Ok(())
}

fn block_kind(kind: BlockKind) -> &'static str {
    match kind {
        BlockKind::Run => "\"run\"",
        BlockKind::Fallback => "\"fallback\"",
        BlockKind::Verify => "\"verify\"",
    }
}

#[expect(
    clippy::inline_always,
    reason = "the text is known then: a copy of known length is a few moves, no call"
)]
#[inline(always)]
fn put(out: &mut Vec<u8>, text: &str) {
    out.extend_from_slice(text.as_bytes());
}

fn any<T: serde::Serialize>(out: &mut Vec<u8>, key: &str, value: &T) -> serde_json::Result<()> {
    put(out, key);
    serde_json::to_writer(out, value)
}

#[expect(clippy::inline_always, reason = "as for `put`")]
#[inline(always)]
fn number(out: &mut Vec<u8>, key: &str, value: u64) {
    put(out, key);
    put_number(out, value);
}

#[expect(clippy::inline_always, reason = "as for `put`")]
#[inline(always)]
fn string(out: &mut Vec<u8>, key: &str, text: &str) -> serde_json::Result<()> {
    put(out, key);
    quoted(out, text)
}

/// From so many bytes on, many are looked at a time.
const LONG: usize = 32;

/// Stands for itself in a JSON string.
const PLAIN: [bool; 256] = {
    let mut table = [true; 256];
    let mut byte = 0;
    while byte < 0x20 {
        table[byte] = false;
        byte += 1;
    }
    table[b'"' as usize] = false;
    table[b'\\' as usize] = false;
    table
};

fn quoted(out: &mut Vec<u8>, text: &str) -> serde_json::Result<()> {
    let is_plain = if text.len() < LONG {
        text.bytes().all(|byte| PLAIN[byte as usize])
    } else {
        // Without a branch, so that it is done many bytes at a time.
        text.bytes().fold(true, |plain, b| plain & (b >= 0x20) & (b != b'"') & (b != b'\\'))
    };
    if !is_plain {
        return serde_json::to_writer(out, text);
    }
    // Room for all of it is made once.
    out.reserve(text.len() + 2);
    out.push(b'"');
    out.extend_from_slice(text.as_bytes());
    out.push(b'"');
    Ok(())
}

impl<'de> Deserialize<'de> for TaskRef {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<TaskRef, D::Error> {
        struct Id;
        impl Visitor<'_> for Id {
            type Value = TaskRef;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a task's id")
            }

            fn visit_str<E: Error>(self, id: &str) -> Result<TaskRef, E> {
                Ok(TaskRef { ix: TaskRef::UNRESOLVED, id: TaskId::new(id) })
            }
        }
        deserializer.deserialize_str(Id)
    }
}

impl<'de> Deserialize<'de> for Event {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Event, D::Error> {
        deserializer.deserialize_map(EventVisitor)
    }
}

struct EventVisitor;

impl<'de> Visitor<'de> for EventVisitor {
    type Value = Event;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an event")
    }

    /// As it is written, `seq`, `at` and `kind` come first and nothing has to be kept aside.
    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Event, A::Error> {
        let mut seen = Map::new();
        let Some(seq) = expect::<u64, A>(&mut map, &Key::Seq, &mut seen)? else {
            return any_order(map, seen);
        };
        let Some(at) = expect::<u64, A>(&mut map, &Key::At, &mut seen)? else {
            seen.insert("seq".to_owned(), seq.into());
            return any_order(map, seen);
        };
        let Some(kind) = expect::<KindName, A>(&mut map, &Key::Kind, &mut seen)? else {
            seen.insert("seq".to_owned(), seq.into());
            seen.insert("at".to_owned(), at.into());
            return any_order(map, seen);
        };
        Ok(Event { seq, at: Elapsed::from_millis(at), kind: read_kind(kind, map)? })
    }
}

#[derive(PartialEq)]
enum Key {
    Seq,
    At,
    Kind,
    Task,
    Attempt,
    Other(String),
}

impl<'de> Deserialize<'de> for Key {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Key, D::Error> {
        struct Name;
        impl Visitor<'_> for Name {
            type Value = Key;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a key")
            }

            fn visit_str<E: Error>(self, key: &str) -> Result<Key, E> {
                Ok(match key {
                    "seq" => Key::Seq,
                    "at" => Key::At,
                    "kind" => Key::Kind,
                    "task" => Key::Task,
                    "attempt" => Key::Attempt,
                    other => Key::Other(other.to_owned()),
                })
            }
        }
        deserializer.deserialize_identifier(Name)
    }
}

impl Key {
    fn into_string(self) -> String {
        match self {
            Key::Seq => "seq".to_owned(),
            Key::At => "at".to_owned(),
            Key::Kind => "kind".to_owned(),
            Key::Task => "task".to_owned(),
            Key::Attempt => "attempt".to_owned(),
            Key::Other(key) => key,
        }
    }
}

/// The next value, if its key is `expected`; another one is kept in `seen`.
fn expect<'de, T: Deserialize<'de>, A: MapAccess<'de>>(
    map: &mut A,
    expected: &Key,
    seen: &mut Map<String, Value>,
) -> Result<Option<T>, A::Error> {
    match map.next_key::<Key>()? {
        Some(key) if key == *expected => map.next_value().map(Some),
        Some(key) => {
            let value = map.next_value()?;
            seen.insert(key.into_string(), value);
            Ok(None)
        }
        None => Ok(None),
    }
}

/// The kinds with a short way, and the names of all others.
enum KindName {
    AttemptStarted,
    AttemptFinished,
    TaskDone,
    BoxTicked,
    Other(String),
}

impl<'de> Deserialize<'de> for KindName {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<KindName, D::Error> {
        struct Name;
        impl Visitor<'_> for Name {
            type Value = KindName;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("the kind of an event")
            }

            fn visit_str<E: Error>(self, name: &str) -> Result<KindName, E> {
                Ok(match name {
                    "attempt_started" => KindName::AttemptStarted,
                    "attempt_finished" => KindName::AttemptFinished,
                    "task_done" => KindName::TaskDone,
                    "box_ticked" => KindName::BoxTicked,
                    other => KindName::Other(other.to_owned()),
                })
            }
        }
        deserializer.deserialize_str(Name)
    }
}

fn read_kind<'de, A: MapAccess<'de>>(kind: KindName, mut map: A) -> Result<EventKind, A::Error> {
    match kind {
        KindName::AttemptStarted => {
            Started::deserialize(MapAccessDeserializer::new(map)).map(EventKind::from)
        }
        KindName::TaskDone => Done::deserialize(MapAccessDeserializer::new(map)).map(EventKind::from),
        KindName::BoxTicked => Boxed::deserialize(MapAccessDeserializer::new(map)).map(EventKind::from),
        KindName::AttemptFinished => read_finished(map),
        KindName::Other(name) => {
            let mut seen = Map::new();
            seen.insert("kind".to_owned(), name.into());
            kind_of(rest(&mut map, seen)?)
        }
    }
}

fn read_finished<'de, A: MapAccess<'de>>(mut map: A) -> Result<EventKind, A::Error> {
    let mut seen = Map::new();
    if let Some(task) = expect::<TaskRef, A>(&mut map, &Key::Task, &mut seen)? {
        if let Some(attempt) = expect::<u32, A>(&mut map, &Key::Attempt, &mut seen)? {
            let report = AttemptReport::deserialize(MapAccessDeserializer::new(map))?;
            return Ok(EventKind::AttemptFinished { task, attempt, report: Box::new(report) });
        }
        seen.insert("task".to_owned(), task.id.as_str().into());
    }
    seen.insert("kind".to_owned(), "attempt_finished".into());
    kind_of(rest(&mut map, seen)?)
}

/// Everything not yet read, beside what was.
fn rest<'de, A: MapAccess<'de>>(
    map: &mut A,
    mut seen: Map<String, Value>,
) -> Result<Map<String, Value>, A::Error> {
    while let Some((key, value)) = map.next_entry()? {
        seen.insert(key, value);
    }
    Ok(seen)
}

fn any_order<'de, A: MapAccess<'de>>(mut map: A, seen: Map<String, Value>) -> Result<Event, A::Error> {
    let mut seen = rest(&mut map, seen)?;
    let mut take = |key: &'static str| {
        let value = seen.remove(key).ok_or_else(|| A::Error::missing_field(key))?;
        value.as_u64().ok_or_else(|| A::Error::custom(format_args!("`{key}` is not a whole number")))
    };
    let (seq, at) = (take("seq")?, take("at")?);
    Ok(Event { seq, at: Elapsed::from_millis(at), kind: kind_of(seen)? })
}

fn kind_of<E: Error>(fields: Map<String, Value>) -> Result<EventKind, E> {
    EventKind::deserialize(Value::Object(fields)).map_err(E::custom)
}

#[derive(Deserialize)]
struct Started {
    task: TaskRef,
    attempt: u32,
    executor: Cow<'static, str>,
    worker: u32,
}

impl From<Started> for EventKind {
    fn from(Started { task, attempt, executor, worker }: Started) -> EventKind {
        EventKind::AttemptStarted { task, attempt, executor, worker }
    }
}

#[derive(Deserialize)]
struct Done {
    task: TaskRef,
    attempts: u32,
    verdict: Verdict,
    /// In milliseconds.
    duration: u64,
}

impl From<Done> for EventKind {
    fn from(Done { task, attempts, verdict, duration }: Done) -> EventKind {
        EventKind::TaskDone { task, attempts, verdict, duration: Duration::from_millis(duration) }
    }
}

#[derive(Deserialize)]
struct Boxed {
    task: TaskRef,
    line: u32,
}

impl From<Boxed> for EventKind {
    fn from(Boxed { task, line }: Boxed) -> EventKind {
        EventKind::BoxTicked { task, line }
    }
}
