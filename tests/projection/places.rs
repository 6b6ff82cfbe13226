//! How files on disk take up what is rendered: nothing twice, nothing of others lost.

use super::stories::{parallel, resumed, serial};
use specter::event::Event;
use specter::projection::{Content, Moment, Place, Projections, log, memory};
use specter::summary::Summary;
use std::collections::BTreeMap;

/// A disk in memory.
#[derive(Default)]
struct Disk(BTreeMap<String, String>);

impl Disk {
    fn write(&mut self, writes: Vec<specter::projection::Write>) {
        for write in writes {
            let path = write.place.path();
            let text = write.content.onto(self.0.get(&path).map(String::as_str));
            self.0.insert(path, text);
        }
    }

    fn text(&self, place: Place) -> &str {
        &self.0[&place.path()]
    }
}

#[test]
fn a_run_writes_every_file_once_it_rests_and_none_twice() {
    let run = parallel();
    let (mut projections, mut summary, mut disk) =
        (Projections::new(true), Summary::new(&run.plan), Disk::default());
    for event in &run.events {
        summary.apply(&run.plan, event);
        projections.on_event(&run.plan, &summary, event);
        disk.write(projections.due(&run.plan, &summary, Moment::Going));
    }
    disk.write(projections.due(&run.plan, &summary, Moment::Rest));
    assert_eq!(projections.due(&run.plan, &summary, Moment::Rest), []);
    // Nothing departed from the plan, and no files were saved.
    let silent =
        [Place::DecisionsLog, Place::LatestCheckpoint, Place::RollbackPlan, Place::SpeckitRollbackPlan];
    for place in Place::ALL.into_iter().filter(|place| !silent.contains(place)) {
        assert!(disk.0.contains_key(&place.path()), "{}", place.path());
    }
    assert_eq!(disk.text(Place::Log), log::render(&run.plan, &run.events));
    assert_eq!(disk.text(Place::History).lines().count(), 12);
}

#[test]
fn a_project_without_spec_kit_gets_none_of_its_files() {
    let run = serial();
    let (mut projections, summary) = Projections::resumed(&run.plan, &run.events, false);
    let writes = projections.due(&run.plan, &summary, Moment::Rest);
    assert!(writes.iter().all(|write| !write.place.path().starts_with(".specify")));
    assert!(writes.len() > 8);
}

#[test]
fn files_behind_by_any_number_of_events_catch_up_after_a_crash() {
    let run = resumed();
    let whole = log::render(&run.plan, &run.events);
    for written in 0..run.events.len() {
        let mut disk = Disk::default();
        disk.0.insert(Place::Log.path(), String::from("written by hand\n"));
        let (mut projections, mut summary) = (Projections::new(false), Summary::new(&run.plan));
        feed(&run.plan, &mut projections, &mut summary, &run.events[..written]);
        disk.write(projections.due(&run.plan, &summary, Moment::Going));
        let torn = disk.0.get_mut(&Place::Log.path()).unwrap();
        torn.truncate(torn.len().saturating_sub(written % 7).max(16));

        let (mut projections, summary) = Projections::resumed(&run.plan, &run.events, false);
        disk.write(projections.due(&run.plan, &summary, Moment::Rest));
        assert_eq!(disk.text(Place::Log), format!("written by hand\n{whole}"), "{written} events");
        assert_eq!(disk.text(Place::History).lines().count(), 10);
    }
}

fn feed(plan: &specter::plan::Plan, projections: &mut Projections, summary: &mut Summary, events: &[Event]) {
    for event in events {
        summary.apply(plan, event);
        projections.on_event(plan, summary, event);
    }
}

#[test]
fn the_log_of_a_resumed_run_leaves_later_runs_alone() {
    let run = resumed();
    let text = log::render(&run.plan, &run.events);
    let later = text.replace("run r1 ", "run r2 ");
    let half = &text[..text.find("T004").unwrap() - 28];
    assert_eq!(log::caught_up(&format!("{half}{later}"), "r1", &text), format!("{text}{later}"));
    assert_eq!(log::caught_up(&later, "r1", &text), format!("{later}{text}"));
    assert_eq!(log::caught_up("no end of line", "r1", &text), format!("no end of line\n{text}"));
}

#[test]
fn a_section_is_replaced_and_everything_around_it_stays() {
    let first = memory::merge(None, "Changes planned", "001-auth", "## 001-auth\n\n- [ ] T001\n");
    let second = memory::merge(Some(&first), "Changes planned", "002-mail", "## 002-mail\n");
    let edited = format!("my notes\r\n{second}\nmore notes without an end");
    let merged = memory::merge(Some(&edited), "Changes planned", "001-auth", "## 001-auth\n\nnothing left\n");
    assert_eq!(merged, edited.replace("- [ ] T001", "nothing left"));
    assert_eq!(memory::merge(Some(&merged), "x", "001-auth", "## 001-auth\n\nnothing left\n"), merged);
}

#[test]
fn a_marker_that_someone_deleted_costs_no_text() {
    let text = memory::merge(None, "Notes", "a", "section\n");
    let without_end = text.replace("<!-- specter:end a -->\n", "user text\n");
    let merged = memory::merge(Some(&without_end), "Notes", "a", "new\n");
    assert!(merged.contains("user text") && merged.contains("new"));
    let without_begin = text.replace("<!-- specter:begin a -->\n", "");
    assert!(memory::merge(Some(&without_begin), "Notes", "a", "new\n").starts_with(&without_begin));
}

#[test]
fn keys_that_differ_never_share_a_section() {
    let mut text = String::new();
    let keys = ["a", "a -->", "a--", "a-", "A", "a%2d", "ä", "a\nb", "=totals2", ""];
    for (n, key) in keys.iter().enumerate() {
        text = memory::merge(Some(&text), "", key, &format!("section {n}\n"));
    }
    assert_eq!(text.matches("<!-- specter:begin ").count(), keys.len());
    assert_eq!(text.matches("-->").count(), 2 * keys.len());
    assert_eq!(memory::merge(Some(&text), "", "a -->", "section 1\n"), text);
}

#[test]
fn progress_adds_up_over_features() {
    let run = serial();
    let section = memory::workflow(&run.plan, &run.summary());
    let one = memory::merge_progress(None, "001-auth", &section);
    assert!(one.contains("1 feature: 8/8 tasks done, 1m 24s"), "{one}");
    let two = memory::merge_progress(Some(&one), "002-mail", &section);
    assert!(two.contains("2 features: 16/16 tasks done, 2m 48s"), "{two}");
    assert_eq!(memory::merge_progress(Some(&two), "002-mail", &section), two);
}

#[test]
fn a_large_run_rewrites_its_long_files_only_when_it_rests() {
    let text: String = (0..2000).map(|n| format!("T{n:04} Task\n")).collect();
    let mut run = super::run::Run::new(super::run::plan(specter::plan::Mode::Sequential, &text), 1);
    let (mut projections, mut summary) = (Projections::new(true), Summary::new(&run.plan));
    feed(&run.plan, &mut projections, &mut summary, &run.events);
    projections.due(&run.plan, &summary, Moment::Going);
    let told = run.events.len();
    run.serially(&[("T0000", 1), ("T0001", 1)]);
    feed(&run.plan, &mut projections, &mut summary, &run.events[told..]);
    let going = projections.due(&run.plan, &summary, Moment::Going);
    let size: usize = going.iter().map(|write| size(&write.content)).sum();
    assert!(size < 10_000, "{size}");
    let rest = projections.due(&run.plan, &summary, Moment::Rest);
    assert!(rest.iter().any(|write| write.place == Place::Metrics));
}

fn size(content: &Content) -> usize {
    match content {
        Content::Append(text) | Content::Replace(text) | Content::History(text) => text.len(),
        Content::Log { text, .. } | Content::Section { text, .. } | Content::Progress { text, .. } => {
            text.len()
        }
    }
}
