//! The chaos proxy beside nothing at all and beside a naive copy, in one run: throughput, round trips, connections, memory,
//! control.
//!
//! `cargo bench -p watertight --bench proxy [-- ROUNDS]`
//!
//! Server and proxies are processes of their own; measurements are interleaved, round by round, so that a busy machine is
//! busy for all, and each figure is the median of its rounds. What counts are ratios within one run.

mod control;
mod measure;
mod roles;

use std::net::SocketAddr;

use crate::roles::{Child, ROLE};

/// Rounds unless said.
const ROUNDS: usize = 7;

/// One way to the server.
struct Way {
    name: &'static str,
    role: Option<&'static str>,
    at: SocketAddr,
    figures: [Vec<f64>; 3],
    kib_per_connection: Vec<f64>,
}

fn main() {
    if let Ok(role) = std::env::var(ROLE) {
        return roles::play(&role);
    }
    let rounds = std::env::args().nth(1).and_then(|arg| arg.parse().ok()).unwrap_or(ROUNDS);
    roles::allow_descriptors();
    let runtime = roles::runtime();
    let server = Child::start("server", None);
    let named = [
        ("direct", None),
        ("naive copy", Some("naive")),
        ("chaos proxy", Some("chaos")),
        ("  a toxic at work", Some("chaos-toxic")),
        ("  buffer: 1MiB", Some("chaos-wide")),
    ];
    let children: Vec<Option<Child>> =
        named.iter().map(|(_, role)| role.map(|role| Child::start(role, Some(server.at)))).collect();
    let mut ways: Vec<Way> = named
        .iter()
        .zip(&children)
        .map(|((name, role), child)| Way {
            name,
            role: *role,
            at: child.as_ref().map_or(server.at, |child| child.at),
            figures: Default::default(),
            kib_per_connection: Vec::new(),
        })
        .collect();
    for _ in 0..rounds {
        for way in &mut ways {
            way.figures[0].push(runtime.block_on(measure::megabytes_per_second(way.at)));
            way.figures[1].push(runtime.block_on(measure::median_round_trip_us(way.at)));
            way.figures[2].push(runtime.block_on(measure::connections_per_second(way.at)));
        }
    }
    for way in &mut ways {
        if let Some(role) = way.role {
            let fresh = Child::start(role, Some(server.at));
            way.kib_per_connection.push(runtime.block_on(measure::kib_per_idle_connection(&fresh)));
        }
    }
    print(&ways, rounds);
    control::print(server.at);
}

fn print(ways: &[Way], rounds: usize) {
    println!("\nmedians of {rounds} interleaved rounds; least and most in brackets");
    println!(
        "{:<18} {:>26} {:>24} {:>28} {:>14}",
        "", "MB/s", "p50 added, us", "connections/s", "KiB/idle conn"
    );
    let direct = median(&ways[0].figures[1]);
    for way in ways {
        let added: Vec<f64> = way.figures[1].iter().map(|us| us - direct).collect();
        let kib = way.kib_per_connection.first().map_or("-".to_owned(), |kib| format!("{kib:.1}"));
        println!(
            "{:<18} {:>26} {:>24} {:>28} {:>14}",
            way.name,
            spread(&way.figures[0], 0),
            spread(&added, 1),
            spread(&way.figures[2], 0),
            kib
        );
    }
    let naive = &ways[1];
    for way in &ways[2..] {
        // Others on the machine only ever take away, so the best round tells most about the way itself.
        let ratios = |at: usize| {
            let (ours, theirs) = (&way.figures[at], &naive.figures[at]);
            format!("{:.2} (best rounds {:.2})", median(ours) / median(theirs), best(ours) / best(theirs))
        };
        println!("{} / naive copy: throughput {}, connections {}", way.name.trim(), ratios(0), ratios(2));
    }
    println!(
        "published, another two-core machine: toxiproxy 1091 MB/s, +24 us, 4257 connections/s; \
         naive copy 2466, +18, 12869; direct 4972, -, 22171"
    );
}

fn median(figures: &[f64]) -> f64 {
    let mut sorted = figures.to_vec();
    sorted.sort_by(f64::total_cmp);
    sorted[sorted.len() / 2]
}

fn best(figures: &[f64]) -> f64 {
    figures.iter().copied().fold(f64::NEG_INFINITY, f64::max)
}

fn spread(figures: &[f64], digits: usize) -> String {
    let least = figures.iter().copied().fold(f64::INFINITY, f64::min);
    let most = figures.iter().copied().fold(f64::NEG_INFINITY, f64::max);
    format!("{:.digits$} ({least:.digits$}..{most:.digits$})", median(figures))
}
