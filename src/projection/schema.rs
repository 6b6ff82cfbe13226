//! JSON Schemas of what specter writes for programs: one version for all, named by each file's `schema` field.

use schemars::{JsonSchema, generate::SchemaSettings};

/// Version of the published shapes. Fields are only added within one.
pub const VERSION: u32 = 1;

/// The published shapes by name, in the order in which they are listed.
pub const NAMES: [&str; 4] = ["events", "metrics", "plan", "status"];

/// Schema text of a name in [`NAMES`].
pub fn named(name: &str) -> Option<String> {
    match name {
        "events" => Some(text::<crate::event::Event>()),
        "metrics" => Some(super::metrics::schema()),
        "plan" => Some(text::<crate::plan::export::PlanJson>()),
        "status" => Some(super::status::schema()),
        _ => None,
    }
}

/// Pretty JSON of a type's schema, as it is written (not as it is read).
pub fn text<T: JsonSchema>() -> String {
    let schema = SchemaSettings::draft2020_12().for_serialize().into_generator().into_root_schema_for::<T>();
    super::json::text(&schema)
}
