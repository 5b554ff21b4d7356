//! What the kernel counts of a network. Source: proc_pid_net(5), Linux net/ipv4/proc.c, net/netfilter/nf_conntrack_standalone.c.

use std::collections::BTreeMap;
use std::fs;

/// One reading of the network that this thread is in. What cannot be read is not there.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(in crate::engine) struct Kernel {
    counters: BTreeMap<String, u64>,
    /// Sockets that wait for late packets of a closed connection.
    pub time_wait: u64,
    /// TCP sockets that are in use.
    pub in_use: u64,
    /// Packets that found the table of tracked connections full.
    pub untracked: u64,
}

/// Columns of `/proc/net/stat/nf_conntrack` that count what the full table cost.
const CONNTRACK_LOST: [&str; 2] = ["drop", "early_drop"];

impl Kernel {
    /// Reads what is counted now.
    pub(in crate::engine) fn read() -> Self {
        let text = |path: &str| fs::read_to_string(path).unwrap_or_default();
        // The thread's own: the first thread of the process may be in another network.
        let mut counters = pairs(&text("/proc/thread-self/net/netstat"));
        counters.extend(pairs(&text("/proc/thread-self/net/snmp")));
        let sockets = text("/proc/thread-self/net/sockstat");
        Self {
            counters,
            time_wait: sockstat(&sockets, "tw"),
            in_use: sockstat(&sockets, "inuse"),
            untracked: untracked(&text("/proc/thread-self/net/stat/nf_conntrack")),
        }
    }

    /// The counter `name`, as in `TcpExt: ListenOverflows`; 0 where this kernel has none.
    pub(in crate::engine) fn counter(&self, name: &str) -> u64 {
        self.counters.get(name).copied().unwrap_or_default()
    }

    #[cfg(test)]
    pub(super) fn with(name: &str, count: u64) -> Self {
        Self { counters: [(name.to_owned(), count)].into(), ..Self::default() }
    }
}

/// Lines come in pairs: names, then figures, each after the word that both begin with.
fn pairs(text: &str) -> BTreeMap<String, u64> {
    let lines: Vec<&str> = text.lines().collect();
    let named = lines.chunks_exact(2).flat_map(|pair| {
        let words =
            |line: &'_ str| line.split_ascii_whitespace().skip(1).map(str::to_owned).collect::<Vec<_>>();
        words(pair[0]).into_iter().zip(words(pair[1]))
    });
    named.filter_map(|(name, figure)| Some((name, figure.parse().ok()?))).collect()
}

/// `TCP: inuse 5 orphan 0 tw 12 alloc 6 mem 1`.
fn sockstat(text: &str, name: &str) -> u64 {
    let line = text.lines().find_map(|line| line.strip_prefix("TCP:")).unwrap_or_default();
    let mut words = line.split_ascii_whitespace().skip_while(|word| *word != name);
    words.nth(1).and_then(|figure| figure.parse().ok()).unwrap_or_default()
}

/// A line of names, then one of hexadecimal figures for each processor.
fn untracked(text: &str) -> u64 {
    let mut lines = text.lines().map(|line| line.split_ascii_whitespace().collect::<Vec<_>>());
    let names = lines.next().unwrap_or_default();
    let is_lost: Vec<bool> = names.iter().map(|name| CONNTRACK_LOST.contains(name)).collect();
    let of_line = |line: Vec<&str>| {
        let lost = line.iter().zip(&is_lost).filter(|(_, is_lost)| **is_lost);
        lost.filter_map(|(figure, _)| u64::from_str_radix(figure, 16).ok()).sum::<u64>()
    };
    lines.map(of_line).sum()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_and_figures_are_matched_by_place() {
        let text = "TcpExt: SyncookiesSent ListenOverflows ListenDrops\nTcpExt: 0 12 13\nIpExt: InNoRoutes\nIpExt: 7\n";
        let counters = pairs(text);
        assert_eq!(
            (counters["ListenOverflows"], counters["ListenDrops"], counters["InNoRoutes"]),
            (12, 13, 7)
        );
    }

    #[test]
    fn sockets_are_those_of_tcp() {
        let text = "sockets: used 20\nTCP: inuse 1 orphan 0 tw 42 alloc 1 mem 283\nUDP: inuse 9 mem 0\n";
        assert_eq!((sockstat(text, "inuse"), sockstat(text, "tw"), sockstat("", "tw")), (1, 42, 0));
    }

    #[test]
    fn what_the_full_table_cost_is_summed_over_processors() {
        let text = "entries  clashres drop early_drop icmp_error\n\
                    0000000b 00000001 00000010 00000002 00000003\n\
                    0000000b 00000001 00000001 00000000 00000003\n";
        assert_eq!(untracked(text), 0x10 + 2 + 1);
    }

    #[test]
    fn this_kernel_counts_what_is_asked_of_it() {
        let now = Kernel::read();
        assert!(
            now.counters.contains_key("ListenOverflows") && now.counters.contains_key("TCPAbortOnMemory")
        );
        assert!(
            now.counters.contains_key("TCPTimeWaitOverflow") && now.counters.contains_key("PassiveOpens")
        );
    }
}
