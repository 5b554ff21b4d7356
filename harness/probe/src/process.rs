//! What the system says about this process: resident memory and threads.

use std::io;

/// Resident set size in bytes, from `/proc/self/statm`. Never decides a leak: allocators retain.
pub fn rss_bytes() -> io::Result<u64> {
    linux::rss_bytes()
}

/// Operating-system threads, from `/proc/self/stat`.
pub fn threads() -> io::Result<u64> {
    linux::threads()
}

#[cfg(target_os = "linux")]
mod linux {
    use std::io;

    use crate::Tenant;

    pub(super) fn rss_bytes() -> io::Result<u64> {
        let _probe = Tenant::PROBE.enter();
        let statm = std::fs::read_to_string("/proc/self/statm")?;
        // Fields in pages: size, resident, …  Source: proc(5).
        let pages: u64 = nth_word(&statm, 1).ok_or_else(|| unreadable("/proc/self/statm", &statm))?;
        Ok(pages * page_bytes())
    }

    pub(super) fn threads() -> io::Result<u64> {
        let _probe = Tenant::PROBE.enter();
        let stat = std::fs::read_to_string("/proc/self/stat")?;
        // The command's name, in brackets, may hold blanks; after it, num_threads is the 18th field. Source: proc(5).
        let after_name = stat.rsplit_once(')').map_or("", |(_, rest)| rest);
        nth_word(after_name, 17).ok_or_else(|| unreadable("/proc/self/stat", &stat))
    }

    fn nth_word(line: &str, index: usize) -> Option<u64> {
        line.split_ascii_whitespace().nth(index)?.parse().ok()
    }

    fn unreadable(path: &str, found: &str) -> io::Error {
        io::Error::new(io::ErrorKind::InvalidData, format!("{path}: expected numbers, found {found:?}"))
    }

    fn page_bytes() -> u64 {
        #[expect(unsafe_code, reason = "std does not tell the page size")]
        // SAFETY: sysconf reads a constant.
        let bytes = unsafe { libc::sysconf(libc::_SC_PAGESIZE) };
        u64::try_from(bytes).unwrap_or(4096)
    }
}

#[cfg(not(target_os = "linux"))]
mod linux {
    use std::io;

    pub(super) fn rss_bytes() -> io::Result<u64> {
        Err(io::ErrorKind::Unsupported.into())
    }

    pub(super) fn threads() -> io::Result<u64> {
        Err(io::ErrorKind::Unsupported.into())
    }
}

#[cfg(all(test, target_os = "linux"))]
mod tests {
    #[test]
    fn another_thread_is_counted_while_it_lives() {
        let (stop, wait) = std::sync::mpsc::channel::<()>();
        let before = super::threads().expect("/proc is there");
        let other = std::thread::spawn(move || wait.recv());
        // Other tests run on threads of their own, which come and go: at least this one stays.
        assert!(before >= 1 && super::threads().expect("/proc is there") >= 2);
        drop(stop);
        other.join().expect("it does not panic").expect_err("the sender is dropped");
    }

    #[test]
    fn resident_memory_is_between_a_page_and_a_terabyte() {
        let bytes = super::rss_bytes().expect("/proc is there");
        assert!((4096..1 << 40).contains(&bytes), "{bytes}");
    }
}
