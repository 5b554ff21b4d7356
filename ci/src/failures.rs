//! What the tests that failed have said, kept while everything goes by, and said once more at the end.
//!
//! A run of all tests prints thousands of lines, and of a long log a pipeline often shows a part alone: its end has to
//! name what failed.

use std::io::{BufRead, BufReader, Read, Write};
use std::sync::mpsc::{self, Receiver, RecvTimeoutError, Sender};
use std::thread;
use std::time::Duration;

/// Lines kept of one test program's failures; what is beyond has been printed, and is counted.
const LINES_PER_PROGRAM: usize = 400;

/// How long the output is awaited once `cargo test` has ended: what a test has left running may hold it open for ever.
const LAST_LINES: Duration = Duration::from_secs(5);

/// The failures in the output of `cargo test`, line by line as they are heard.
#[derive(Debug)]
pub struct Failures(Receiver<String>);

impl Failures {
    /// Prints `output` as it comes, on a thread, and keeps what failed.
    pub fn follow(output: Option<impl Read + Send + 'static>) -> Self {
        // watertight: allow(unbounded-channel): the failures of one run of tests, few, and all of them are said at its end
        let (tell, told) = mpsc::channel();
        thread::spawn(move || {
            let copied =
                output.map_or(Ok(()), |output| copy(BufReader::new(output), std::io::stdout(), &tell));
            copied.or_else(|error| tell.send(format!("the rest of the output was lost: {error}")))
        });
        Self(told)
    }

    /// What failed, as it was said, once `cargo test` has ended; nothing where all passed.
    pub fn told(self) -> Vec<String> {
        let mut told = Vec::new();
        loop {
            match self.0.recv_timeout(LAST_LINES) {
                Ok(line) => told.push(line),
                Err(RecvTimeoutError::Disconnected) => return told,
                Err(RecvTimeoutError::Timeout) => {
                    told.push("what a test has left running holds the output open".to_owned());
                    return told;
                }
            }
        }
    }
}

/// Copies `output` to `echo` line by line, and tells what failed.
fn copy(mut output: impl BufRead, mut echo: impl Write, tell: &Sender<String>) -> std::io::Result<()> {
    let mut line = Vec::new();
    // Inside of a program's failures: how many lines of them there were.
    let mut heard = None;
    while output.read_until(b'\n', &mut line)? > 0 {
        echo.write_all(&line)?;
        echo.flush()?;
        heard = hear(String::from_utf8_lossy(&line).trim_end(), heard, |line| {
            // Nobody listens once the steps are over.
            tell.send(line).ok();
        });
        line.clear();
    }
    Ok(())
}

/// libtest and libtest-mimic print `failures:`, each failed test's output, `failures:`, the names, and the result.
fn hear(line: &str, heard: Option<usize>, mut tell: impl FnMut(String)) -> Option<usize> {
    let heard = match (heard, line) {
        (None, "failures:") => 0,
        (None, _) => return None,
        (Some(heard), _) => heard,
    };
    let is_result = line.starts_with("test result:");
    if heard < LINES_PER_PROGRAM {
        tell(line.to_owned());
    } else if is_result {
        tell(format!("({} more lines are further up)", heard - LINES_PER_PROGRAM));
        tell(line.to_owned());
    }
    (!is_result).then_some(heard + 1)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What was kept of `output`, and what was passed on.
    fn of(output: &str) -> (Vec<String>, String) {
        let (tell, told) = mpsc::channel();
        let mut echo = Vec::new();
        copy(output.as_bytes(), &mut echo, &tell).unwrap();
        drop(tell);
        (Failures(told).told(), String::from_utf8(echo).unwrap())
    }

    const FAILED: &str = "\
running 2 tests
test a ... ok
test b ... FAILED

failures:

---- b stdout ----
left: 1

failures:
    b

test result: FAILED. 1 passed; 1 failed; 0 ignored
";

    #[test]
    fn what_failed_is_kept_from_each_program_and_all_is_passed_on() {
        let passed = "running 1 test\ntest c ... ok\n\ntest result: ok. 1 passed; 0 failed\n";
        let output = format!("{FAILED}{passed}{FAILED}");
        let (told, echo) = of(&output);
        assert_eq!(echo, output);
        let once = &FAILED[FAILED.find("failures:").unwrap()..];
        assert_eq!(told.join("\n") + "\n", format!("{once}{once}"));
    }

    #[test]
    fn where_all_passed_there_is_nothing_to_say() {
        assert_eq!(of("test c ... ok\n\ntest result: ok. 1 passed; 0 failed\n").0, [""; 0]);
    }

    #[test]
    fn a_test_that_says_too_much_is_cut_and_the_result_is_kept() {
        let lines = "said\n".repeat(LINES_PER_PROGRAM);
        let (told, _) = of(&format!("failures:\n{lines}test result: FAILED.\n"));
        assert_eq!(told.len(), LINES_PER_PROGRAM + 2);
        assert_eq!(told[LINES_PER_PROGRAM..], ["(1 more lines are further up)", "test result: FAILED."]);
    }
}
