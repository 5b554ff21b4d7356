//! `--record`: a file for each PLC, with its recorder.

use std::fs::File;
use std::io::{self, BufWriter};
use std::path::{Path, PathBuf};
use std::time::Duration;

use crate::recorder::Recorder;

/// Creates the file and its recorder; when it stops early, that is said on stderr, once.
pub(super) fn recorder(path: &Path, max: u64) -> io::Result<Recorder> {
    let out = Box::new(BufWriter::new(File::create(path)?));
    let path = path.to_owned();
    Ok(Recorder::new(out, max, since_1970(), move |why| {
        anstream::eprintln!("s7-sim: {}: {why}", path.display());
    }))
}

/// The file of one of several PLCs: `plc.pcap` becomes `plc-2.pcap`. They would share addresses in one.
pub(super) fn path_of(path: &Path, index: usize, plcs: usize) -> PathBuf {
    if plcs == 1 {
        return path.to_owned();
    }
    let stem = path.file_stem().unwrap_or_default().to_string_lossy();
    let extension = path.extension().map(|extension| format!(".{}", extension.to_string_lossy()));
    path.with_file_name(format!("{stem}-{}{}", index + 1, extension.unwrap_or_default()))
}

#[expect(
    clippy::disallowed_methods,
    reason = "a recording of real traffic says when it was; nothing else depends on it"
)]
fn since_1970() -> Duration {
    std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_of_several_plcs_has_its_own_file() {
        let path = |name, index, plcs| path_of(Path::new(name), index, plcs);
        assert_eq!(path("a/b.pcap", 0, 1), Path::new("a/b.pcap"));
        assert_eq!(path("a/b.pcap", 1, 2), Path::new("a/b-2.pcap"));
        assert_eq!(path("b", 0, 2), Path::new("b-1"));
    }
}
