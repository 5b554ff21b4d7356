//! JSON: the whole report for machines, or one line a case for shards.

use std::io;

use super::{CaseReport, RunReport};

/// The report as indented JSON with a final newline.
pub fn pretty(report: &RunReport) -> serde_json::Result<String> {
    serde_json::to_string_pretty(report).map(|text| text + "\n")
}

/// One case as one line of NDJSON, newline included.
pub fn line(case: &CaseReport) -> serde_json::Result<String> {
    serde_json::to_string(case).map(|text| text + "\n")
}

/// Reads cases back from NDJSON; empty lines are skipped, the first broken one is an error with its line number.
pub fn read_lines(text: &str) -> io::Result<Vec<CaseReport>> {
    let filled = text.lines().enumerate().filter(|(_, line)| !line.trim().is_empty());
    filled
        .map(|(i, line)| {
            serde_json::from_str(line)
                .map_err(|error| io::Error::other(format!("line {}: not a case report: {error}", i + 1)))
        })
        .collect()
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
        assert_eq!(read_lines(&lines).expect("read back"), report.cases);
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
    fn a_broken_line_is_named() {
        let error = read_lines("\n{").unwrap_err().to_string();
        assert!(error.starts_with("line 2: not a case report: "), "{error}");
    }
}
