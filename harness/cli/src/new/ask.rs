//! Questions on a terminal: a choice out of a list, or a line.

use std::io::{BufRead, Write};

/// So many wrong answers in a row, and nobody is asked any more.
const TRIES_MAX: usize = 10;

/// The most bytes of an answer.
const ANSWER_BYTES_MAX: u64 = 64 * 1024;

/// Whom is asked, and where.
pub(super) struct Questions<'a> {
    pub(super) input: &'a mut dyn BufRead,
    pub(super) output: &'a mut dyn Write,
}

impl Questions<'_> {
    /// Which of `options`, each a name and what it means; the first unless said. `None`: nobody answers.
    pub(super) fn choose(&mut self, question: &str, options: &[(&str, &str)]) -> Option<usize> {
        let widest = options.iter().map(|(name, _)| name.len()).max().unwrap_or_default();
        let mut text = format!("{question}\n");
        for (number, (name, about)) in (1..).zip(options) {
            text += &format!("  {number}) {name:<widest$}  {about}\n");
        }
        self.say(&text)?;
        for _ in 0..TRIES_MAX {
            let answer = self.line("Number or name", Some("1"))?;
            let by_number = answer.parse::<usize>().ok().and_then(|number| number.checked_sub(1));
            let by_name = || options.iter().position(|(name, _)| *name == answer);
            if let Some(chosen) = by_number.or_else(by_name).filter(|chosen| *chosen < options.len()) {
                return Some(chosen);
            }
            self.say(&format!("`{answer}`? Please a number from 1 to {}, or a name.\n", options.len()))?;
        }
        None
    }

    /// A line; without one the `default`, if there is any. `None`: nobody answers.
    pub(super) fn line(&mut self, question: &str, default: Option<&str>) -> Option<String> {
        let shown = default.map_or_else(String::new, |default| format!(" [{default}]"));
        for _ in 0..TRIES_MAX {
            self.say(&format!("{question}{shown}: "))?;
            let mut answer = String::new();
            let mut input = std::io::Read::take(&mut *self.input, ANSWER_BYTES_MAX);
            if input.read_line(&mut answer).ok()? == 0 {
                return None;
            }
            match (answer.trim(), default) {
                ("", None) => {}
                ("", Some(default)) => return Some(default.to_owned()),
                (answer, _) => return Some(answer.to_owned()),
            }
        }
        None
    }

    fn say(&mut self, text: &str) -> Option<()> {
        self.output.write_all(text.as_bytes()).and_then(|()| self.output.flush()).ok()
    }
}
