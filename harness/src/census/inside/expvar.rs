//! JSON whose numbers are figures, such as Go's expvar serves at `/debug/vars`.

use serde_json::Value;

use super::http::Http;
use super::{Figures, Inside, alike};
use crate::census::{Blind, Census};
use crate::scenario::inside;

/// A service's JSON, some of whose numbers are figures of a census.
#[derive(Debug)]
pub struct Expvar {
    http: Http,
    mapping: inside::Expvar,
}

impl Expvar {
    /// The numbers that `mapping` names, at its URL.
    pub fn new(mapping: inside::Expvar) -> Self {
        Self { http: Http::new(), mapping }
    }
}

impl Inside for Expvar {
    fn name(&self) -> &'static str {
        "JSON endpoint"
    }

    fn look(&mut self, census: &mut Census) -> Result<(), Blind> {
        let url = &self.mapping.url;
        let blind = |why| Blind::Inside { view: "JSON endpoint", why };
        let text = self.http.get(url).map_err(blind)?;
        let json: Value = serde_json::from_str(&text)
            .map_err(|error| blind(format!("{url}: expected JSON, found something else: {error}")))?;
        let number = |path: &String| number(&json, path).map_err(|why| blind(format!("{url}: {why}")));
        let gauges = self.mapping.gauges.iter().map(|(name, path)| Ok((name.clone(), number(path)?)));
        let figures = Figures {
            tasks: self.mapping.tasks.as_ref().map(number).transpose()?,
            heap_bytes: self.mapping.heap.as_ref().map(number).transpose()?,
            heap_blocks: self.mapping.heap_blocks.as_ref().map(number).transpose()?,
            gauges: gauges.collect::<Result<_, Blind>>()?,
        };
        figures.put_into(census);
        Ok(())
    }
}

/// The number at `path`: keys joined by dots, or a JSON pointer.
fn number(json: &Value, path: &str) -> Result<f64, String> {
    let keys: Vec<&str> = match path.strip_prefix('/') {
        Some(pointer) => pointer.split('/').collect(),
        None => path.split('.').collect(),
    };
    let mut value = json;
    for key in keys {
        let below = value.as_array().and_then(|items| items.get(key.parse::<usize>().ok()?));
        value = below.or_else(|| value.get(key)).ok_or_else(|| {
            let there = value.as_object().into_iter().flatten().map(|(key, _)| key.as_str());
            format!("`{path}`: expected the key `{key}`, which is not there; {}", alike(key, there))
        })?;
    }
    value.as_f64().ok_or_else(|| format!("`{path}`: expected a number, found {value}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_path_leads_to_a_number_or_says_where_it_ends() {
        let json =
            serde_json::json!({ "memstats": { "HeapAlloc": 7, "Frees": 3 }, "pools": [{ "idle": 2.5 }] });
        assert_eq!(number(&json, "memstats.HeapAlloc"), Ok(7.0));
        assert_eq!(number(&json, "/memstats/HeapAlloc"), Ok(7.0));
        assert_eq!(number(&json, "pools.0.idle"), Ok(2.5));
        let why = number(&json, "memstats.HeapAloc").unwrap_err();
        assert_eq!(
            why,
            "`memstats.HeapAloc`: expected the key `HeapAloc`, which is not there; there is: `HeapAlloc`, `Frees`"
        );
        assert!(number(&json, "memstats").unwrap_err().contains("expected a number, found {"));
    }
}
