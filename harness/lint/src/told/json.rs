//! As JSON: [`Report`] as it is.

use crate::run::Report;

/// All of `report`.
///
/// # Errors
/// Those of the serializer: none is known.
pub fn text(report: &Report) -> serde_json::Result<String> {
    serde_json::to_string_pretty(report).map(|text| text + "\n")
}
