/// One recorded run: a figure per cycle.
#[derive(Debug, Clone, Default)]
pub struct Trace {
    /// Resident set size in bytes.
    pub rss: Vec<i64>,
    /// Live heap bytes.
    pub bytes: Vec<i64>,
    /// Live heap blocks.
    pub blocks: Vec<i64>,
}

/// Leaked bytes per cycle, each with its recording.
pub const RECORDINGS: [(u64, &str); 6] = [
    (0, include_str!("leak_0_bytes_per_cycle.txt")),
    (16, include_str!("leak_16_bytes_per_cycle.txt")),
    (256, include_str!("leak_256_bytes_per_cycle.txt")),
    (1_024, include_str!("leak_1024_bytes_per_cycle.txt")),
    (4_096, include_str!("leak_4096_bytes_per_cycle.txt")),
    (16_384, include_str!("leak_16384_bytes_per_cycle.txt")),
];

/// Reads a recording into its runs; the format is in the README beside it.
pub fn read(recording: &str) -> Vec<Trace> {
    let mut traces: Vec<Trace> = Vec::new();
    for line in recording.lines() {
        let mut words = line.split(' ').skip(1);
        let figure = words.next().expect("a line names its figure");
        let series = decode(words);
        match figure {
            "rss" => traces.push(Trace { rss: series, ..Trace::default() }),
            "bytes" => traces.last_mut().expect("rss comes first").bytes = series,
            "blocks" => traces.last_mut().expect("rss comes first").blocks = series,
            other => panic!("unknown figure `{other}`"),
        }
    }
    traces
}

fn decode<'a>(changes: impl Iterator<Item = &'a str>) -> Vec<i64> {
    let mut series = Vec::new();
    let mut value = 0;
    for change in changes {
        let (by, times) = change.split_once('*').unwrap_or((change, "1"));
        for _ in 0..times.parse().expect("a whole number of times") {
            value += by.parse::<i64>().expect("a whole change");
            series.push(value);
        }
    }
    series
}
