//! Go's profiles as text (`?debug=1`): how many goroutines stand at which stack, and what of the heap is alive.
//! Source: runtime/pprof, `writeProfile` and `writeHeapInternal`.

use watertight_probe::frames;

use super::http::Http;
use super::{Figures, Inside};
use crate::census::{Blind, Census};
use crate::explain::SiteCount;
use crate::resource::Resource;
use crate::scenario::inside;

const VIEW: &str = "pprof endpoint";

/// Stacks read of one profile; what follows is not looked at.
const RECORDS_MAX: usize = 1 << 14;

/// Frames kept of one stack.
const FRAMES_MAX: usize = 64;

/// A service that serves `net/http/pprof`.
#[derive(Debug)]
pub struct Pprof {
    http: Http,
    mapping: inside::Pprof,
}

impl Pprof {
    /// The profiles at the URL of `mapping`.
    pub fn new(mapping: inside::Pprof) -> Self {
        Self { http: Http::new(), mapping }
    }

    fn ask(&self, what: &str) -> Result<String, Blind> {
        let url = format!("{}/{what}", self.mapping.url.trim_end_matches('/'));
        let text = self.http.get(&url).map_err(|why| Blind::Inside { view: VIEW, why })?;
        let is_profile = text.starts_with("goroutine profile: ") || text.starts_with("heap profile: ");
        if is_profile {
            return Ok(text);
        }
        let found: String = text.lines().next().unwrap_or_default().chars().take(60).collect();
        let why = format!(
            "{url}: expected a profile of Go's as text, found `{found}`: is the URL that of pprof's index?"
        );
        Err(Blind::Inside { view: VIEW, why })
    }

    fn goroutines(&self) -> Result<String, Blind> {
        self.ask("goroutine?debug=1")
    }

    /// The heap after a collection: without it, garbage would be counted as well.
    fn heap(&self) -> Result<String, Blind> {
        self.ask("heap?gc=1&debug=1")
    }
}

impl Inside for Pprof {
    fn name(&self) -> &'static str {
        VIEW
    }

    fn look(&mut self, census: &mut Census) -> Result<(), Blind> {
        let tasks: u64 = records(&self.goroutines()?).map(|record| record.count).sum();
        let mut figures = Figures { tasks: Some(tasks as f64), ..Figures::default() };
        if self.mapping.heap {
            let text = self.heap()?;
            figures.heap_bytes = of_memory(&text, "HeapAlloc");
            figures.heap_blocks = of_memory(&text, "HeapObjects");
        }
        figures.put_into(census);
        Ok(())
    }

    fn sites(&mut self) -> Result<Vec<SiteCount>, Blind> {
        let mut sites: Vec<SiteCount> =
            records(&self.goroutines()?).filter_map(|record| record.site(Resource::Tasks)).collect();
        if self.mapping.heap {
            let text = self.heap()?;
            let rate = sample_bytes(&text);
            let whole = records(&text).map(|record| record.whole(rate));
            sites.extend(whole.filter_map(|record| record.site(Resource::Heap)));
        }
        Ok(sites)
    }
}

/// Things at one stack: goroutines, or live blocks with their bytes.
#[derive(Debug, Clone, PartialEq)]
struct Record {
    count: u64,
    bytes: u64,
    /// Innermost first.
    frames: Vec<Frame>,
}

#[derive(Debug, Clone, PartialEq)]
struct Frame {
    function: String,
    /// `path/file.go:line`, short.
    place: String,
}

/// The stacks of a profile, without the goroutine that writes it.
fn records(text: &str) -> impl Iterator<Item = Record> {
    let blocks = text.split("\n\n").flat_map(|block| block.split_once(" @ ").map(|_| block));
    blocks.take(RECORDS_MAX).filter_map(record).filter(|record| !record.writes_profile())
}

/// `3 @ 0x43b256 …` or `3: 600 [4: 800] @ 0x43b256 …`, then a line for each frame. The head of a profile may stand above.
fn record(block: &str) -> Option<Record> {
    let lines = block.lines().skip_while(|line| line.contains(" profile: "));
    let mut lines = lines.skip_while(|line| line.is_empty());
    let (counts, _) = lines.next()?.split_once(" @")?;
    let (count, bytes) = match counts.split_once(": ") {
        Some((count, rest)) => (count, rest.split(' ').next()?.parse().ok()?),
        None => (counts, 0),
    };
    let frames = lines.filter_map(frame).take(FRAMES_MAX).collect();
    Some(Record { count: count.trim().parse().ok()?, bytes, frames })
}

/// `# 0x6708d6 main.leak+0x16 /src/main.go:13`, with tabs between.
fn frame(line: &str) -> Option<Frame> {
    let mut words = line.strip_prefix('#')?.split('\t').filter(|word| !word.is_empty());
    let function = words.nth(1)?;
    let place = words.next()?;
    let function = function.rsplit_once("+0x").map_or(function, |(name, _)| name);
    Some(Frame { function: function.to_owned(), place: frames::short_path(place) })
}

impl Record {
    fn writes_profile(&self) -> bool {
        self.frames.iter().any(|frame| frame.function == "runtime/pprof.writeGoroutine")
    }

    /// Of the heap a few blocks are drawn, one in `rate` bytes; so many there are on the whole. Source: runtime/pprof, `scaleHeapSample`.
    fn whole(mut self, rate: f64) -> Self {
        if self.count > 0 && self.bytes > 0 && rate > 1.0 {
            let each = self.bytes as f64 / self.count as f64;
            let scale = 1.0 / (1.0 - (-each / rate).exp());
            self.count = (self.count as f64 * scale).round() as u64;
            self.bytes = (self.bytes as f64 * scale).round() as u64;
        }
        self
    }

    /// Named by the innermost frame of the user's own code; one of the runtime's alone is nobody's.
    fn site(self, resource: Resource) -> Option<SiteCount> {
        let named = self.frames.iter().find(|frame| frame.is_own()).or(self.frames.first())?;
        Some(SiteCount {
            resource,
            site: named.place.clone(),
            function: Some(named.function.clone()),
            stack: self.frames.iter().map(|frame| format!("{} at {}", frame.function, frame.place)).collect(),
            task: None,
            count: self.count,
            bytes: self.bytes,
            tenants: Default::default(),
        })
    }
}

impl Frame {
    /// Whether it is neither Go's own library nor a module of others.
    fn is_own(&self) -> bool {
        let package = self.function.split(['/', '.']).next().unwrap_or_default();
        let is_fetched = self.place.contains("/pkg/mod/") || self.place.contains("/vendor/");
        !is_fetched && !GO_OWN.contains(&package)
    }
}

/// The first parts of the paths of packages that come with Go. Source: `go list std`.
const GO_OWN: [&str; 51] = [
    "archive",
    "bufio",
    "bytes",
    "cmp",
    "compress",
    "container",
    "context",
    "crypto",
    "database",
    "debug",
    "embed",
    "encoding",
    "errors",
    "expvar",
    "flag",
    "fmt",
    "go",
    "hash",
    "html",
    "image",
    "index",
    "internal",
    "io",
    "iter",
    "log",
    "maps",
    "math",
    "mime",
    "net",
    "os",
    "path",
    "plugin",
    "reflect",
    "regexp",
    "runtime",
    "slices",
    "sort",
    "strconv",
    "strings",
    "structs",
    "sync",
    "syscall",
    "testing",
    "text",
    "time",
    "unicode",
    "unique",
    "unsafe",
    "vendor",
    "weak",
    "_cgo",
];

/// Bytes between two blocks that are drawn: half of what stands in `@ heap/1048576`.
fn sample_bytes(text: &str) -> f64 {
    let head = text.lines().next().unwrap_or_default();
    let twice: Option<f64> = head.rsplit_once("@ heap/").and_then(|(_, twice)| twice.trim().parse().ok());
    twice.map_or(0.0, |twice| twice / 2.0)
}

/// A figure of `# runtime.MemStats` at the end of a heap profile: `# HeapAlloc = 1994320`.
fn of_memory(text: &str, name: &str) -> Option<f64> {
    let figure = |line: &str| line.strip_prefix("# ")?.strip_prefix(name)?.strip_prefix(" = ")?.parse().ok();
    text.lines().rev().find_map(figure)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Of go 1.19, `goroutine?debug=1`, shortened.
    const GOROUTINES: &str = include_str!("../../../testdata/pprof/goroutine.txt");

    /// Of the same, `heap?gc=1&debug=1`.
    const HEAP: &str = include_str!("../../../testdata/pprof/heap.txt");

    #[test]
    fn goroutines_are_counted_and_named_by_the_line_at_which_they_stand() {
        let all: Vec<Record> = records(GOROUTINES).collect();
        assert_eq!(all.iter().map(|record| record.count).sum::<u64>(), 8, "without the one that writes");
        let sites: Vec<SiteCount> =
            all.into_iter().filter_map(|record| record.site(Resource::Tasks)).collect();
        let named: Vec<(&str, u64)> = sites.iter().map(|site| (site.site.as_str(), site.count)).collect();
        assert_eq!(named[..2], [("/srv/leaky/main.go:13", 3), ("/srv/leaky/main.go:17", 3)]);
        assert_eq!(sites[1].function.as_deref(), Some("main.serve.func1"));
        assert_eq!(sites[1].stack[0], "time.Sleep at /usr/lib/go-1.19/src/runtime/time.go:195");
    }

    #[test]
    fn the_heap_is_that_after_a_collection_and_named_by_site() {
        assert_eq!(of_memory(HEAP, "HeapObjects"), Some(832.0));
        assert_eq!(of_memory(HEAP, "HeapAlloc"), Some(1_990_296.0));
        let rate = sample_bytes(HEAP);
        assert_eq!(rate, 524_288.0);
        let sites: Vec<SiteCount> =
            records(HEAP).filter_map(|record| record.whole(rate).site(Resource::Heap)).collect();
        assert_eq!(sites[0].site, "/srv/leaky/main.go:18");
        // Two were drawn; blocks of 606,208 bytes are with a probability of 69 %.
        assert_eq!((sites[0].count, sites[0].bytes), (3, 1_769_083));
    }

    #[test]
    fn text_that_is_no_profile_has_no_records() {
        for text in ["", "\n\n\n", "goroutine profile: total 0\n", "x @ y\n#\t\n", "9 @", "1: x [1: 1] @ 0x1"]
        {
            assert!(records(text).all(|record| record.frames.is_empty()), "{text}");
        }
    }
}
