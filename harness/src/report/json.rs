//! JSON: the whole report for machines, or one line a case for shards.
//!
//! Every time is a number of seconds in a field whose name ends in `_seconds`, every size a number of bytes in one that
//! ends in `_bytes`. `version` says which form this is; `watertight schema --report` prints its schema.

use schemars::generate::SchemaSettings;
use serde_json::Value;

use super::{CaseReport, RunReport, VERSION};

/// Why a document is no report.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ReadError {
    /// Not JSON, or not a report.
    #[error("not a report of `watertight run`: {0}")]
    NoReport(String),
    /// Of a form that this program does not know.
    #[error("expected `version` {VERSION}, found {found}: read it with the Watertight that wrote it")]
    Version {
        /// What it says it is.
        found: String,
    },
}

/// Reads a report back.
///
/// # Errors
/// What is no report, or one of another form.
pub fn read(text: &str) -> Result<RunReport, ReadError> {
    let no_report = |error: serde_json::Error| ReadError::NoReport(error.to_string());
    let version = serde_json::from_str::<Value>(text).map_err(no_report)?["version"].take();
    if version.as_u64() == Some(u64::from(VERSION)) {
        return serde_json::from_str(text).map_err(no_report);
    }
    let found = if version.is_null() { "none".to_owned() } else { version.to_string() };
    Err(ReadError::Version { found })
}

/// The JSON Schema of a report, as `harness/report.schema.json` has it.
pub fn schema() -> Value {
    let settings = SchemaSettings::draft2020_12().for_serialize();
    let mut schema = settings.into_generator().into_root_schema_for::<RunReport>().to_value();
    schema["title"] = "Report of a Watertight run".into();
    schema
}

/// The report as indented JSON with a final newline.
pub fn pretty(report: &RunReport) -> serde_json::Result<String> {
    serde_json::to_string_pretty(report).map(|text| text + "\n")
}

/// One case as one line of NDJSON, newline included.
pub fn line(case: &CaseReport) -> serde_json::Result<String> {
    serde_json::to_string(case).map(|text| text + "\n")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::fixtures;

    #[test]
    fn a_report_survives_json_and_ndjson() {
        let report = fixtures::run(vec![fixtures::clean("flapping-network"), fixtures::tenants_leak()]);
        let read: RunReport =
            serde_json::from_str(&pretty(&report).expect("a report is JSON")).expect("read back");
        for (again, once) in pretty(&read).expect("JSON").lines().zip(pretty(&report).expect("JSON").lines())
        {
            assert_eq!(again, once);
        }
        assert_eq!(read, report);
        let lines: String = report.cases.iter().map(|case| line(case).expect("a case is JSON")).collect();
        assert_eq!(lines.lines().count(), 2);
        let read = lines.lines().map(|line| serde_json::from_str(line).expect("read back"));
        assert_eq!(read.collect::<Vec<CaseReport>>(), report.cases);
    }

    #[test]
    fn a_finding_lists_its_tenants_and_one_without_has_no_such_field() {
        let text = line(&fixtures::tenants_leak()).expect("a case is JSON");
        let value: serde_json::Value = serde_json::from_str(&text).expect("JSON");
        let plc_7 = &value["findings"][0]["tenants"][0];
        assert_eq!((plc_7["name"].as_str(), plc_7["survivors"].as_i64()), (Some("plc-7"), Some(156)));
        assert_eq!(plc_7["bytes_per_cycle"].as_f64(), Some(255_590.4));
        assert_eq!(value["findings"][0]["tenants_grown"].as_u64(), Some(2));
        assert!(!line(&fixtures::heap_leak()).expect("a case is JSON").contains("tenants"));
    }

    #[test]
    fn the_published_schema_is_current_and_holds_for_every_report() {
        let published = include_str!("../../report.schema.json");
        let again = "write it again with `watertight schema --report >harness/report.schema.json`";
        assert!(published.trim_end() == format!("{:#}", schema()), "{again}");
        let validator = jsonschema::validator_for(&schema()).expect("a schema");
        for report in fixtures::all() {
            let value = serde_json::to_value(&report).expect("a report is JSON");
            let errors: Vec<String> = validator.iter_errors(&value).map(|error| error.to_string()).collect();
            assert_eq!(errors, [""; 0]);
        }
        let mut broken = serde_json::to_value(fixtures::run(vec![fixtures::task_leak()])).expect("JSON");
        broken["cases"][0]["wall_time_seconds"] = "0.4s".into();
        assert!(!validator.is_valid(&broken));
    }

    #[test]
    fn a_report_says_its_form_and_another_one_is_refused() {
        let report = fixtures::run(vec![fixtures::clean("flapping-network")]);
        let text = pretty(&report).expect("JSON");
        assert!(text.starts_with("{\n  \"version\": 1,\n"), "{text}");
        assert_eq!(read(&text), Ok(report));
        let found = |found: &str| Err(ReadError::Version { found: found.to_owned() });
        assert_eq!(read(&text.replace("\"version\": 1", "\"version\": 2")), found("2"));
        assert_eq!(read("{}"), found("none"));
        let error = read("[").unwrap_err().to_string();
        assert!(error.starts_with("not a report of `watertight run`: EOF"), "{error}");
        let error = read("{\"version\": 1}").unwrap_err().to_string();
        assert!(error.contains("missing field `cases`"), "{error}");
    }

    #[test]
    fn times_are_seconds_under_a_name_that_says_so() {
        let value = serde_json::to_value(fixtures::run(vec![fixtures::inconclusive()])).expect("JSON");
        let case = &value["cases"][0];
        assert_eq!(value["wall_time_seconds"], 1.87);
        assert_eq!(
            (&case["scenario_time_seconds"], &case["wall_time_seconds"]),
            (&1_890.0.into(), &0.412.into())
        );
        let cycle = &case["timeline"]["cycles"][23];
        assert_eq!((&cycle["at_seconds"], &cycle["settled_after_seconds"]), (&1_008.0.into(), &Value::Null));
        assert!(!value.to_string().contains("nanos"));
    }
}
