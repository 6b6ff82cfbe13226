//! What extensions of Spec Kit want done around a run, and who does it: a section behind the plan.

use super::sheet::Sheet;
use super::theme::{Label, Screen};
use crate::hooks::{Condition, Hook, Moment};

pub fn hooks(screen: &Screen, hooks: &[Hook], env: &dyn Fn(&str) -> Option<String>) -> String {
    let mut sheet = Sheet::new(screen);
    if hooks.is_empty() {
        return sheet.done();
    }
    sheet.line("");
    sheet.line(screen.paint(Label::Heading, "Hooks of Spec Kit's extensions"));
    let mut must = false;
    for hook in hooks {
        let moment = if hook.moment == Moment::Before { "before" } else { "after" };
        let holds = hook.condition.holds(env);
        let how = match (&hook.condition, hook.optional) {
            (Condition::Unknown(text), _) => {
                format!("counts as not asked for: its condition `{text}` is not known here")
            }
            _ if !holds => "not asked for: its condition does not hold".to_owned(),
            (_, true) => "optional, left to you".to_owned(),
            (_, false) => "has to be run".to_owned(),
        };
        must |= holds && !hook.optional;
        let about =
            if hook.description.is_empty() { String::new() } else { format!("; {}", hook.description) };
        sheet.row(moment, &format!("/{} of {}: {how}{about}", hook.command, hook.extension));
    }
    let advice = if must {
        "they are commands of an agent: the run's agent (`--agent`) carries out those that have to be run, and without one \
         nothing begins; `--no-hooks` leaves them to you"
    } else {
        "they are commands of an agent: run them in yours, before and after this run"
    };
    sheet.words("  ", advice);
    sheet.done()
}
