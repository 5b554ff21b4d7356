//! Metrics in the text format of Prometheus. Source: "Exposition formats", text format 0.0.4, and OpenMetrics 1.0, which is read
//! alike as far as samples go.

use super::http::Http;
use super::{Figures, Inside, alike};
use crate::census::{Blind, Census};
use crate::scenario::inside;

/// Samples read of one answer; what follows is not looked at.
const SAMPLES_MAX: usize = 1 << 17;

/// A service's metrics, some of which are figures of a census.
#[derive(Debug)]
pub struct Prometheus {
    http: Http,
    mapping: inside::Prometheus,
}

impl Prometheus {
    /// The metrics that `mapping` names, at its URL.
    pub fn new(mapping: inside::Prometheus) -> Self {
        Self { http: Http::new(), mapping }
    }
}

impl Inside for Prometheus {
    fn name(&self) -> &'static str {
        "Prometheus endpoint"
    }

    fn look(&mut self, census: &mut Census) -> Result<(), Blind> {
        let blind = |why| Blind::Inside { view: "Prometheus endpoint", why };
        let text = self.http.get(&self.mapping.url).map_err(blind)?;
        let samples: Vec<Sample<'_>> = text.lines().filter_map(Sample::parse).take(SAMPLES_MAX).collect();
        let sum = |metric: &String| {
            sum(metric, &samples).map_err(|why| blind(format!("{}: {why}", self.mapping.url)))
        };
        let gauges = self.mapping.gauges.iter().map(|(name, metric)| Ok((name.clone(), sum(metric)?)));
        let figures = Figures {
            tasks: self.mapping.tasks.as_ref().map(sum).transpose()?,
            heap_bytes: self.mapping.heap.as_ref().map(sum).transpose()?,
            heap_blocks: self.mapping.heap_blocks.as_ref().map(sum).transpose()?,
            gauges: gauges.collect::<Result<_, Blind>>()?,
        };
        figures.put_into(census);
        Ok(())
    }
}

/// One line: `name{label="value",..} figure timestamp`, or the selector of a mapping, which has no figure.
#[derive(Debug, Clone, PartialEq)]
struct Sample<'a> {
    name: &'a str,
    /// What stands between the braces.
    labels: Vec<(&'a str, &'a str)>,
    figure: f64,
}

impl<'a> Sample<'a> {
    /// `None`: a comment, an empty line, or nothing that this format knows.
    fn parse(line: &'a str) -> Option<Self> {
        let (name, labels, rest) = series(line.trim())?;
        // What may follow is a timestamp.
        let figure = rest.split_ascii_whitespace().next()?.parse().ok()?;
        Some(Self { name, labels, figure })
    }

    fn is_of(&self, name: &str, labels: &[(&str, &str)]) -> bool {
        self.name == name && labels.iter().all(|label| self.labels.contains(label))
    }
}

/// The name of a label and its value.
type Label<'a> = (&'a str, &'a str);

/// A name with its labels, and what follows.
fn series(line: &str) -> Option<(&str, Vec<Label<'_>>, &str)> {
    let is_name = |c: char| c.is_ascii_alphanumeric() || c == '_' || c == ':';
    let (name, rest) = line.split_at(line.find(|c| !is_name(c)).unwrap_or(line.len()));
    if name.is_empty() {
        return None;
    }
    let Some(mut rest) = rest.strip_prefix('{') else { return Some((name, Vec::new(), rest)) };
    let mut labels = Vec::new();
    loop {
        rest = rest.trim_start_matches([' ', ',']);
        if let Some(rest) = rest.strip_prefix('}') {
            return Some((name, labels, rest));
        }
        let (label, after) = rest.split_once("=\"")?;
        let end = end_of_value(after)?;
        labels.push((label.trim(), &after[..end]));
        rest = &after[end + 1..];
    }
}

/// Where the quotes of a value close; a quote after a backslash is part of it. Values stay as they are written.
fn end_of_value(text: &str) -> Option<usize> {
    let mut escaped = false;
    text.bytes().position(|byte| {
        let closes = byte == b'"' && !escaped;
        escaped = byte == b'\\' && !escaped;
        closes
    })
}

/// The sum over every sample that `metric`, `name` or `name{label="value"}`, selects.
fn sum(metric: &str, samples: &[Sample<'_>]) -> Result<f64, String> {
    let Some((name, labels, "")) = series(metric.trim()) else {
        return Err(format!(
            "expected a metric such as `name` or `name{{label=\"value\"}}`, found `{metric}`"
        ));
    };
    let selected = samples.iter().filter(|sample| sample.is_of(name, &labels));
    let (count, sum) = selected.fold((0, 0.0), |(count, sum), sample| (count + 1, sum + sample.figure));
    match count {
        0 if !labels.is_empty() && samples.iter().any(|sample| sample.name == name) => {
            Err(format!("`{name}` has no sample with these labels: `{metric}`"))
        }
        0 => {
            let there = samples.iter().map(|sample| sample.name);
            Err(format!("expected the metric `{name}`, which is not there; {}", alike(name, there)))
        }
        _ => Ok(sum),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const TEXT: &str = r#"
# HELP sessions Open sessions.
# TYPE sessions gauge
sessions{state="open",peer="a b"} 3 1395066363000
sessions{state="closing", peer="say \"}\" 5"} 4
go_goroutines 7
go_memstats_heap_inuse_bytes 1.2e+06
bad{label="unclosed 5
latency_bucket{le="+Inf"} +Inf
"#;

    fn of(metric: &str) -> Result<f64, String> {
        let samples: Vec<Sample<'_>> = TEXT.lines().filter_map(Sample::parse).collect();
        sum(metric, &samples)
    }

    #[test]
    fn a_metric_is_the_sum_over_its_label_sets() {
        assert_eq!(of("go_goroutines"), Ok(7.0));
        assert_eq!(of("go_memstats_heap_inuse_bytes"), Ok(1_200_000.0));
        assert_eq!(of("sessions"), Ok(7.0));
        assert_eq!(of(r#"sessions{state="open"}"#), Ok(3.0));
        assert_eq!(of(r#"sessions{peer="say \"}\" 5",state="closing"}"#), Ok(4.0));
    }

    #[test]
    fn a_metric_that_is_not_there_is_told_with_those_that_are() {
        let why = of("go_gorutines").unwrap_err();
        let expected = "expected the metric `go_gorutines`, which is not there; there is: `go_goroutines`, ";
        assert!(why.starts_with(expected), "{why}");
        let why = of(r#"sessions{state="gone"}"#).unwrap_err();
        assert!(why.starts_with("`sessions` has no sample with these labels"), "{why}");
        assert!(of("5 sessions").unwrap_err().starts_with("expected a metric such as"));
    }
}
