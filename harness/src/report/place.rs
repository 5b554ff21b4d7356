//! The file and line that a site or a frame names, for formats that point into the source.

use crate::explain::is_own;

/// A place in a source file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Place<'a> {
    /// As the compiler or the probe names it: relative to the workspace for code of the user's own.
    pub file: &'a str,
    /// From 1.
    pub line: u64,
    /// From 1, where it is known.
    pub column: Option<u64>,
    /// Whether it is code of the user's own.
    pub own: bool,
}

impl<'a> Place<'a> {
    /// The place in `text`: `src/a.rs:7`, `run at src/a.rs:7:3`, or `src/a.rs:7 run`. `None`: it names none, as a descriptor does.
    pub fn of(text: &'a str) -> Option<Self> {
        let place = match text.rsplit_once(" at ") {
            Some((_, place)) => place,
            None => text.split(' ').next()?,
        };
        let (rest, last) = number_after_colon(place)?;
        let (file, line, column) = match number_after_colon(rest) {
            Some((file, line)) => (file, line, Some(last)),
            None => (rest, last, None),
        };
        let is_file = is_source(file) && line > 0;
        is_file.then(|| Self { file, line, column: column.filter(|column| *column > 0), own: is_own(place) })
    }
}

fn number_after_colon(text: &str) -> Option<(&str, u64)> {
    let (rest, number) = text.rsplit_once(':')?;
    Some((rest, number.parse().ok()?))
}

/// Whether `file` ends as a file does (`.rs`), not as an address (`127.0.0.1`).
fn is_source(file: &str) -> bool {
    let name = file.rsplit('/').next().unwrap_or(file);
    let extension = name.rsplit_once('.').map(|(_, extension)| extension);
    extension.is_some_and(|extension| extension.starts_with(|c: char| c.is_ascii_alphabetic()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sites_and_frames_name_a_file_and_a_line() {
        let place = |file, line, column, own| Some(Place { file, line, column, own });
        assert_eq!(Place::of("src/a.rs:7"), place("src/a.rs", 7, None, true));
        assert_eq!(Place::of("waits in run at src/a.rs:7:3"), place("src/a.rs", 7, Some(3), true));
        assert_eq!(Place::of("src/a.rs:7 krate::run"), place("src/a.rs", 7, None, true));
        let tokio = "tokio-1.54.1/src/time/interval.rs";
        assert_eq!(Place::of(&format!("tick at {tokio}:459")), place(tokio, 459, None, false));
    }

    #[test]
    fn a_descriptor_or_a_bare_function_names_none() {
        for text in ["tcp to 127.0.0.1:102, CLOSE-WAIT", "127.0.0.1:102", "tokio::time::Sleep", "", "a.rs:0"]
        {
            assert_eq!(Place::of(text), None, "{text}");
        }
    }
}
