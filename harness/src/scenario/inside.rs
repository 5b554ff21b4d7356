//! How a target in any language is looked into: which of the figures it serves is what in a census.

use garde::Validate;
use indexmap::IndexMap;
use schemars::JsonSchema;
use serde::Deserialize;

/// What a target serves of itself. What none of these tells is `not measured`, and the report says so.
#[derive(Debug, Clone, Default, PartialEq, Deserialize, JsonSchema, Validate)]
#[serde(deny_unknown_fields, default)]
#[garde(allow_unvalidated)]
pub struct Views {
    /// Metrics in the text format of Prometheus.
    pub prometheus: Option<Prometheus>,
    /// Go's profiles (`net/http/pprof`): goroutines are tasks, with the lines at which they stand; the heap after a collection.
    pub pprof: Option<Pprof>,
    /// JSON, such as Go's `expvar` serves.
    pub expvar: Option<Expvar>,
}

impl Views {
    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        *self == Self::default()
    }
}

/// Metrics in the text format of Prometheus. A metric is `name`, the sum over all of its label sets, or `name{label="value"}`, the
/// sum over those that have it.
#[derive(Debug, Clone, Default, PartialEq, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Prometheus {
    /// Where they are: `http://127.0.0.1:{port}/metrics`.
    pub url: String,
    /// The metric that counts live tasks: `go_goroutines`.
    #[serde(default)]
    pub tasks: Option<String>,
    /// The metric of live heap bytes: `go_memstats_heap_alloc_bytes`.
    #[serde(default)]
    pub heap: Option<String>,
    /// The metric of live heap blocks: `go_memstats_heap_objects`.
    #[serde(default)]
    pub heap_blocks: Option<String>,
    /// Figures that `until` and `each_cycle` may name, each with its metric.
    #[serde(default)]
    pub gauges: IndexMap<String, String>,
}

/// Go's profiles.
#[derive(Debug, Clone, PartialEq, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Pprof {
    /// Where they are: `http://127.0.0.1:{port}/debug/pprof`.
    pub url: String,
    /// Whether the heap is counted too: each look has the target collect its garbage, so that what is counted is alive. `true`
    /// unless said.
    #[serde(default = "yes")]
    pub heap: bool,
}

/// JSON whose numbers are figures. A path is the keys joined by dots, `memstats.HeapAlloc`, or a JSON pointer, `/memstats/HeapAlloc`.
#[derive(Debug, Clone, Default, PartialEq, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Expvar {
    /// Where it is: `http://127.0.0.1:{port}/debug/vars`.
    pub url: String,
    /// The path of the number of live tasks.
    #[serde(default)]
    pub tasks: Option<String>,
    /// The path of live heap bytes: `memstats.HeapAlloc`.
    #[serde(default)]
    pub heap: Option<String>,
    /// The path of live heap blocks: `memstats.HeapObjects`.
    #[serde(default)]
    pub heap_blocks: Option<String>,
    /// Figures that `until` and `each_cycle` may name, each with its path.
    #[serde(default)]
    pub gauges: IndexMap<String, String>,
}

fn yes() -> bool {
    true
}
