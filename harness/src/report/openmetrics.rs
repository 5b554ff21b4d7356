//! Metrics as Prometheus reads them: in its own text format, or as OpenMetrics where the scraper asks for that.
//!
//! Ours: the formats are three kinds of line, and crates for them keep registries of atomics; here a page is made from a value.

use std::fmt::Write as _;

/// One of the two texts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Format {
    /// Prometheus' own, 0.0.4.
    Prometheus,
    /// OpenMetrics 1.0.
    OpenMetrics,
}

impl Format {
    /// What a scraper's `Accept` asks for.
    pub fn accepted(accept: &str) -> Self {
        if accept.contains("application/openmetrics-text") { Self::OpenMetrics } else { Self::Prometheus }
    }

    /// The content type of a page.
    pub const fn content_type(self) -> &'static str {
        match self {
            Self::Prometheus => "text/plain; version=0.0.4; charset=utf-8",
            Self::OpenMetrics => "application/openmetrics-text; version=1.0.0; charset=utf-8",
        }
    }
}

/// A page of metrics while it is written.
#[derive(Debug)]
pub struct Page {
    text: String,
    format: Format,
}

/// The samples of one metric. Those of one metric stand together, as both formats want it.
#[derive(Debug)]
pub struct Family<'p> {
    page: &'p mut Page,
    /// The name of its samples.
    name: &'static str,
}

impl Page {
    /// An empty page.
    pub const fn new(format: Format) -> Self {
        Self { text: String::new(), format }
    }

    /// A metric that goes up and down.
    pub fn gauge(&mut self, name: &'static str, help: &str) -> Family<'_> {
        self.family("gauge", name, name, help)
    }

    /// A metric that only rises; its name ends in `_total`.
    pub fn counter(&mut self, name: &'static str, help: &str) -> Family<'_> {
        debug_assert!(name.ends_with("_total"), "{name}: a counter's name ends in _total");
        // OpenMetrics names the family without the ending that its samples have.
        let family = match self.format {
            Format::Prometheus => name,
            Format::OpenMetrics => name.trim_end_matches("_total"),
        };
        self.family("counter", family, name, help)
    }

    fn family(&mut self, kind: &str, family: &str, name: &'static str, help: &str) -> Family<'_> {
        // Writing to a String cannot fail.
        let _ = writeln!(self.text, "# HELP {family} {help}\n# TYPE {family} {kind}");
        Family { page: self, name }
    }

    /// The page.
    pub fn finish(mut self) -> String {
        if self.format == Format::OpenMetrics {
            self.text.push_str("# EOF\n");
        }
        self.text
    }
}

impl Family<'_> {
    /// A sample with these labels, if there is a value.
    pub fn sample(self, labels: &[(&str, &str)], value: impl Into<Option<f64>>) -> Self {
        let Some(value) = value.into() else { return self };
        let text = &mut self.page.text;
        text.push_str(self.name);
        for (at, (label, value)) in labels.iter().enumerate() {
            let _ = write!(text, "{}{label}=\"{}\"", if at == 0 { '{' } else { ',' }, escaped(value));
        }
        let _ = writeln!(text, "{} {value}", if labels.is_empty() { "" } else { "}" });
        self
    }
}

/// A label's value: both formats escape the same three characters.
fn escaped(value: &str) -> String {
    value.replace('\\', r"\\").replace('"', "\\\"").replace('\n', r"\n")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn page(format: Format) -> String {
        let mut page = Page::new(format);
        page.gauge("a_fds", "open files").sample(&[], 3.0).sample(&[], None);
        page.counter("a_looks_total", "looks").sample(&[("at", "x\"y\\z\nw"), ("b", "")], 1e21);
        page.finish()
    }

    #[test]
    fn prometheus_has_the_ending_in_the_family_too() {
        let text = "# HELP a_fds open files\n# TYPE a_fds gauge\na_fds 3\n\
                    # HELP a_looks_total looks\n# TYPE a_looks_total counter\n\
                    a_looks_total{at=\"x\\\"y\\\\z\\nw\",b=\"\"} 1000000000000000000000\n";
        assert_eq!(page(Format::Prometheus), text);
    }

    #[test]
    fn openmetrics_has_not_and_says_where_it_ends() {
        let text = page(Format::OpenMetrics);
        assert!(text.contains("# TYPE a_looks counter\na_looks_total{"), "{text}");
        assert!(text.ends_with("# EOF\n"), "{text}");
    }

    #[test]
    fn a_scraper_gets_what_it_asks_for() {
        let prometheus =
            "application/openmetrics-text;version=1.0.0;q=0.75,text/plain;version=0.0.4;q=0.5,*/*;q=0.1";
        assert_eq!(Format::accepted(prometheus), Format::OpenMetrics);
        assert_eq!(Format::accepted("*/*"), Format::Prometheus);
    }
}
