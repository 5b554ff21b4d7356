//! Limits of the machine that a run has reached, by their names: what follows from them is not the target's doing.

use std::fs;

use super::Kernel;
use crate::chaos::starved;
use crate::timeline::Audit;

/// What was counted when the run began, and how much of it may be held against the run.
#[derive(Debug, Clone)]
pub(in crate::engine) struct Limits {
    before: Kernel,
    starved: starved::Counts,
    /// Whether nobody else's connections are counted.
    is_own: bool,
    /// Whether the scenario stops processes or has connects hang: a listener that stands still must let its queue run over.
    pauses: bool,
}

/// A limit of the machine.
struct Limit {
    /// What happens at it.
    what: &'static str,
    /// The setting that moves it.
    setting: &'static str,
    /// Whose count rises at it.
    rises: fn(&Kernel) -> u64,
    /// Whether it may be others that reached it: it then counts in a network of the run's own alone.
    is_shared: bool,
}

/// Whatever tells of its limit in a counter of the kernel.
const LIMITS: [Limit; 4] = [
    Limit {
        what: "connects dropped as a listener's queue was full (ListenOverflows)",
        setting: "net.core.somaxconn",
        rises: |kernel| kernel.counter("ListenOverflows"),
        is_shared: true,
    },
    Limit {
        what: "connects dropped as too many were half-open (TCPReqQFullDrop)",
        setting: "net.ipv4.tcp_max_syn_backlog",
        rises: |kernel| kernel.counter("TCPReqQFullDrop"),
        is_shared: true,
    },
    Limit {
        what: "connections aborted as memory for TCP was short (TCPAbortOnMemory)",
        setting: "net.ipv4.tcp_mem",
        rises: |kernel| kernel.counter("TCPAbortOnMemory"),
        is_shared: false,
    },
    Limit {
        what: "packets dropped as the table of tracked connections was full",
        setting: "net.netfilter.nf_conntrack_max",
        rises: |kernel| kernel.untracked,
        is_shared: false,
    },
];

/// Closed connections that are remembered take ports away from those to come: from so many percent of the range on it is told.
const PORTS_SCARCE_PERCENT: u64 = 80;

impl Limits {
    /// Reads what is counted before the run.
    pub(in crate::engine) fn begin(is_own: bool, pauses: bool) -> Self {
        Self { before: Kernel::read(), starved: starved::counts(), is_own, pauses }
    }

    /// Controls of the run: a limit of the machine that was reached makes it invalid, whatever was measured.
    pub(in crate::engine) fn audits(&self, after: &Kernel) -> Vec<Audit> {
        let reached = self.reached(after).into_iter().filter(|(limit, _)| self.holds_against(limit));
        let mut audits: Vec<Audit> =
            reached.map(|(limit, found)| at_most_none(limit.text(), found)).collect();
        let now = starved::counts();
        let ports = now.ports - self.starved.ports;
        let files = now.descriptors - self.starved.descriptors;
        if ports > 0 {
            let range = setting("net.ipv4.ip_local_port_range");
            audits
                .push(at_most_none(format!("connects of the harness without a free port ({range})"), ports));
        }
        if files > 0 {
            let what = "sockets of the harness without a free descriptor (ulimit -n)".to_owned();
            audits.push(at_most_none(what, files));
        }
        audits
    }

    /// What a reader must know: limits that are near. Of a counter that others raise too, or that the scenario's own faults do,
    /// nothing is said: it would stand under every run.
    pub(in crate::engine) fn notes(&self, after: &Kernel) -> Vec<String> {
        ports_are_scarce(after).into_iter().collect()
    }

    fn reached(&self, after: &Kernel) -> Vec<(&'static Limit, u64)> {
        let rise =
            |limit: &'static Limit| (limit, (limit.rises)(after).saturating_sub((limit.rises)(&self.before)));
        LIMITS.iter().map(rise).filter(|(_, found)| *found > 0).collect()
    }

    fn holds_against(&self, limit: &Limit) -> bool {
        !limit.is_shared || (self.is_own && !self.pauses)
    }
}

impl Limit {
    fn text(&self) -> String {
        format!("{} ({})", self.what, setting(self.setting))
    }
}

fn at_most_none(what: String, found: u64) -> Audit {
    Audit { what: format!("machine: {what}"), found, at_least: 0, at_most: Some(0) }
}

/// `net.core.somaxconn = 4096`, as `sysctl` prints it; the name alone where it cannot be read.
fn setting(name: &str) -> String {
    let value = fs::read_to_string(format!("/proc/sys/{}", name.replace('.', "/")));
    let words = value.map(|value| value.split_ascii_whitespace().collect::<Vec<_>>().join(" "));
    words.map_or_else(|_| name.to_owned(), |value| format!("{name} = {value}"))
}

fn ports_are_scarce(now: &Kernel) -> Option<String> {
    let name = "net.ipv4.ip_local_port_range";
    let range = fs::read_to_string(format!("/proc/sys/{}", name.replace('.', "/"))).ok()?;
    let mut ends = range.split_ascii_whitespace().filter_map(|end| end.parse::<u64>().ok());
    let ports = ends.next().zip(ends.next()).map(|(first, last)| last.saturating_sub(first) + 1)?;
    let taken = now.time_wait + now.in_use;
    (taken * 100 >= ports * PORTS_SCARCE_PERCENT).then(|| {
        format!(
            "machine: {taken} sockets in use or in TIME-WAIT at the end, of {ports} ports ({})",
            setting(name)
        )
    })
}

#[cfg(test)]
mod tests {
    use std::io;
    use std::net::{TcpListener, TcpStream};
    use std::time::Duration;

    use super::*;
    use crate::engine::network::{Network, enter};

    fn limits(is_own: bool, pauses: bool) -> Limits {
        Limits { before: Kernel::default(), starved: starved::counts(), is_own, pauses }
    }

    #[test]
    fn a_queue_that_ran_over_makes_a_run_invalid_where_nobody_else_is_counted() {
        let after = Kernel::with("ListenOverflows", 3);
        let audits = limits(true, false).audits(&after);
        assert!(audits[0].what.contains("ListenOverflows) (net.core.somaxconn"), "{}", audits[0].what);
        assert_eq!((audits[0].found, audits[0].holds()), (3, false));
        assert!(limits(true, false).notes(&after).is_empty());
    }

    #[test]
    fn nothing_follows_from_it_where_others_or_the_scenario_s_own_faults_count() {
        let after = Kernel::with("ListenOverflows", 3);
        for limits in [limits(false, false), limits(true, true)] {
            assert!(limits.audits(&after).is_empty() && limits.notes(&after).is_empty());
        }
    }

    #[test]
    fn memory_that_is_short_is_short_for_everybody() {
        let after = Kernel::with("TCPAbortOnMemory", 1);
        assert!(!limits(false, true).audits(&after)[0].holds());
    }

    /// Plays `test` on a thread in a network of its own, where the machine permits one.
    fn in_own_network(test: impl FnOnce() + Send + 'static) {
        let played = std::thread::spawn(|| match enter(Network::Auto) {
            Ok(super::super::Entered::Own) => test(),
            other => {
                let must_have_all =
                    std::env::var("WATERTIGHT_REQUIRE").is_ok_and(|required| required == "all");
                assert!(!must_have_all, "this machine permits no network of its own: {other:?}");
                println!("skipped: this machine permits no network of its own: {other:?}");
            }
        });
        played.join().expect("the test on its thread passes");
    }

    #[test]
    fn a_small_backlog_is_reported_by_name() {
        in_own_network(|| {
            fs::write("/proc/sys/net/core/somaxconn", "1").expect("the network is ours");
            let limits = Limits::begin(true, false);
            let listener = TcpListener::bind("127.0.0.1:0").expect("loopback is up");
            let place = listener.local_addr().expect("it is bound");
            let waiting: Vec<io::Result<TcpStream>> =
                (0..4).map(|_| TcpStream::connect_timeout(&place, Duration::from_millis(50))).collect();
            let audits = limits.audits(&Kernel::read());
            assert!(waiting.iter().any(Result::is_err), "the queue takes two");
            let named = |audit: &Audit| audit.what.contains("net.core.somaxconn = 1") && !audit.holds();
            assert!(audits.iter().any(named), "{audits:?}");
        });
    }

    #[test]
    fn ports_that_ran_out_are_reported_by_name() {
        in_own_network(|| {
            fs::write("/proc/sys/net/ipv4/ip_local_port_range", "40000 40003").expect("the network is ours");
            let limits = Limits::begin(true, false);
            let listener = TcpListener::bind("127.0.0.1:50000").expect("loopback is up");
            let place = listener.local_addr().expect("it is bound");
            let runtime =
                tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
            runtime.block_on(async {
                let mut open = Vec::new();
                for _ in 0..5 {
                    open.extend(crate::chaos::proxy::dial(place, 8192).await);
                }
                assert_eq!(open.len(), 4, "one port for each");
                let audits = limits.audits(&Kernel::read());
                let name = "connects of the harness without a free port (net.ipv4.ip_local_port_range = 40000 40003)";
                assert!(audits.iter().any(|audit| audit.what.ends_with(name) && audit.found >= 1), "{audits:?}");
                assert!(limits.notes(&Kernel::read())[0].contains("of 4 ports"), "{:?}", limits.notes(&Kernel::read()));
            });
        });
    }
}
