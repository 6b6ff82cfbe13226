//! What a prompt is made of, for people: its parts with their sizes, what had no room, what else is worth knowing.

use super::sheet::Sheet;
use super::text::{pad, thousands};
use super::theme::{Label, Screen};
use crate::domains::Assignment;
use crate::prompt::{Part, Prompt};
use crate::text::{safe, size};

/// Parts and what was left out are many in large features; so many are told, the rest is counted.
const MOST: usize = 60;

pub fn prompt(screen: &Screen, id: &str, prompt: &Prompt, limit: u32, assignment: &Assignment) -> String {
    let mut sheet = Sheet::new(screen);
    let total = thousands(prompt.tokens_estimate);
    let of = thousands(u64::from(limit));
    let shared = size(prompt.prefix.len() as u64);
    let whole = size(prompt.text.len() as u64);
    sheet.words("", &format!("prompt of {id}: about {total} of {of} tokens, {whole}, of which {shared} are the same for all tasks"));
    if let Some(agent) = agent(assignment) {
        sheet.words("", &agent);
    }
    sheet.section("Parts");
    prompt.parts.iter().take(MOST).for_each(|part| row(&mut sheet, part));
    more(&mut sheet, prompt.parts.len());
    if !prompt.left_out.is_empty() {
        sheet.section("Left out");
        for left in prompt.left_out.iter().take(MOST) {
            let bytes = if left.bytes > 0 { format!(", {}", size(left.bytes)) } else { String::new() };
            sheet.words("  ", &format!("{}: {}{bytes}", left.what, left.why));
        }
        more(&mut sheet, prompt.left_out.len());
    }
    if !prompt.notes.is_empty() {
        sheet.section("Worth knowing");
        prompt.notes.iter().for_each(|note| sheet.words("  ", note));
    }
    sheet.done()
}

/// Who does it, and why.
fn agent(assignment: &Assignment) -> Option<String> {
    let model = assignment.model.as_ref().map(|model| format!(" with model {model}")).unwrap_or_default();
    match (&assignment.agent, assignment.because.as_str()) {
        (Some(agent), because) => Some(format!("for {agent}{model}: {because}")),
        (None, "") => None,
        (None, because) => Some(format!("for whatever agent runs it{model}: {because}")),
    }
}

fn row(sheet: &mut Sheet<'_>, part: &Part) {
    const NAME: usize = 14;
    let screen = sheet.screen();
    let name = screen.paint(Label::Dim, pad(&safe(&part.name), NAME)).to_string();
    let tokens = format!("{:>8} tokens", thousands(part.tokens));
    sheet.path(&format!("  {name} {tokens}  "), &safe(&part.source));
}

fn more(sheet: &mut Sheet<'_>, count: usize) {
    if count > MOST {
        sheet.line(format!("  and {} more", count - MOST));
    }
}
