//! JSON Schemas of what specter writes for programs: one version for all, named by each file's `schema` field.

use super::{agents, kept};
use schemars::{JsonSchema, generate::SchemaSettings};

/// Version of the published shapes. Fields are only added within one.
pub const VERSION: u32 = 1;

/// The published shapes by name, in the order in which they are listed.
pub const NAMES: [&str; 10] = [
    "agents",
    "checkpoints",
    "doctor",
    "events",
    "metrics",
    "plan",
    "recover",
    "recover-show",
    "rollback",
    "status",
];

/// Schema text of a name in [`NAMES`].
pub fn named(name: &str) -> Option<String> {
    match name {
        "agents" => Some(text::<agents::AgentsJson>()),
        "checkpoints" => Some(text::<kept::CheckpointsJson>()),
        "doctor" => Some(text::<kept::DoctorJson>()),
        "events" => Some(text::<crate::event::Event>()),
        "metrics" => Some(super::metrics::schema()),
        "plan" => Some(text::<crate::plan::export::PlanJson>()),
        "recover" => Some(text::<kept::RecoverJson>()),
        "recover-show" => Some(text::<kept::ShownJson>()),
        "rollback" => Some(text::<kept::RollbackJson>()),
        "status" => Some(super::status::schema()),
        _ => None,
    }
}

/// Pretty JSON of a type's schema, as it is written (not as it is read).
pub fn text<T: JsonSchema>() -> String {
    let schema = SchemaSettings::draft2020_12().for_serialize().into_generator().into_root_schema_for::<T>();
    super::json::text(&schema)
}
