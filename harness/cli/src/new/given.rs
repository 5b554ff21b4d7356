//! What is given on the command line: target, peers and talk, read into a draft's words.

use watertight::scenario::draft::{DraftPeer, DraftTarget, OwnTarget, Talk};
use watertight::scenario::model::EngineKind;

use super::Args;
use super::ask::Questions;
use crate::run::EngineArg;

/// What cannot be understood.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub(super) enum GivenError {
    #[error("unknown target `{found}`; there is: {known}`command \"PROGRAM ARGUMENTS\"`, `pid NUMBER`")]
    Target { found: String, known: String },
    #[error("`--target command` needs a program: `--target command \"PROGRAM ARGUMENTS\"`")]
    NoProgram,
    #[error("`{0}` is no command: a quotation mark is not closed")]
    Quotes(String),
    #[error("expected the number of a process, such as `--target pid 4711`, found `{0}`")]
    Pid(String),
    #[error("no target is built in: give `--target command \"PROGRAM ARGUMENTS\"` or `--target pid NUMBER`")]
    NoOwn,
}

/// The target, and how clients reach it.
#[derive(Debug)]
pub(super) struct Whom {
    pub(super) target: DraftTarget,
    pub(super) talk: Talk,
    pub(super) listens: Option<String>,
}

impl Whom {
    /// From the command line alone; without `--target` the built-in one.
    pub(super) fn given(args: &Args, own: Option<&OwnTarget>) -> Result<Self, GivenError> {
        Ok(Self { target: target(&args.target, own)?, talk: talk(args), listens: args.listens.clone() })
    }

    /// From answers, where the command line does not say; `None`: nobody answers.
    pub(super) fn asked(
        args: &Args,
        own: Option<&OwnTarget>,
        questions: &mut Questions<'_>,
    ) -> Result<Option<Self>, GivenError> {
        let mut options: Vec<(&str, &str)> = own.map(|own| (own.name, "built in")).into_iter().collect();
        options.push(("command", "a program that the run starts, in any language"));
        options.push(("pid", "a process that runs already, and is left alone"));
        let Some(chosen) = questions.choose("Who is under test?", &options) else { return Ok(None) };
        let answers = match options[chosen].0 {
            "command" => command(questions),
            "pid" => pid(args, questions),
            name => Some((vec![name.to_owned()], None)),
        };
        let Some((words, listens)) = answers else { return Ok(None) };
        let target = target(&words, own)?;
        let talk = match (&target, &args.talk) {
            (DraftTarget::Own(_), _) | (_, Some(_)) => talk(args),
            _ => match asked_talk(questions) {
                Some(talk) => talk,
                None => return Ok(None),
            },
        };
        Ok(Some(Self { target, talk, listens: listens.or_else(|| args.listens.clone()) }))
    }
}

fn command(questions: &mut Questions<'_>) -> Option<(Vec<String>, Option<String>)> {
    let line =
        questions.line("Program and arguments; `{port}` stands for the port it shall listen at", None)?;
    Some((vec!["command".to_owned(), line], None))
}

fn pid(args: &Args, questions: &mut Questions<'_>) -> Option<(Vec<String>, Option<String>)> {
    let number = questions.line("Number of the process", None)?;
    let listens = match &args.listens {
        Some(listens) => listens.clone(),
        None => questions.line("Where it listens, host:port", None)?,
    };
    Some((vec!["pid".to_owned(), number], Some(listens)))
}

fn asked_talk(questions: &mut Questions<'_>) -> Option<Talk> {
    let line = questions.line("What clients say to it: `http`, or a line", Some(HTTP))?;
    if line == HTTP {
        return Some(Talk::Http);
    }
    let answer = questions.line("How the answer begins; `-`: none is expected", Some("-"))?;
    Some(Talk::Line(line, Some(answer).filter(|answer| answer != "-")))
}

const HTTP: &str = "http";

fn talk(args: &Args) -> Talk {
    match args.talk.as_deref() {
        None | Some(HTTP) => Talk::Http,
        Some(line) => Talk::Line(line.to_owned(), args.answer.clone()),
    }
}

fn target(words: &[String], own: Option<&OwnTarget>) -> Result<DraftTarget, GivenError> {
    let words: Vec<&str> = words.iter().map(String::as_str).collect();
    match (words.as_slice(), own) {
        ([], Some(own)) => Ok(DraftTarget::Own(own.clone())),
        ([], None) => Err(GivenError::NoOwn),
        ([name], Some(own)) if [own.name, own.short].contains(name) => Ok(DraftTarget::Own(own.clone())),
        (["command"], _) => Err(GivenError::NoProgram),
        (["command", line], _) => match split(line)? {
            words if words.is_empty() => Err(GivenError::NoProgram),
            words => Ok(DraftTarget::Command(words)),
        },
        (["pid"], _) => Err(GivenError::Pid(String::new())),
        (["pid", number], _) => {
            let number = number.parse().ok().filter(|number| *number > 0);
            number.map(DraftTarget::Pid).ok_or_else(|| GivenError::Pid(words[1].to_owned()))
        }
        (words, own) => {
            let known = own.map_or_else(String::new, |own| format!("`{}`, ", own.short));
            Err(GivenError::Target { found: words.join(" "), known })
        }
    }
}

/// Words as a shell would split them; nothing else of a shell.
fn split(line: &str) -> Result<Vec<String>, GivenError> {
    shlex::split(line).ok_or_else(|| GivenError::Quotes(line.to_owned()))
}

/// `NAME`, `NAME=host:port` or `NAME=program arguments`.
pub(super) fn peer(text: &str) -> Result<DraftPeer, GivenError> {
    let Some((name, place)) = text.split_once('=') else { return Ok(DraftPeer::Own(text.to_owned())) };
    let is_address = place
        .rsplit_once(':')
        .is_some_and(|(host, port)| !host.contains(char::is_whitespace) && port.parse::<u16>().is_ok());
    if is_address {
        return Ok(DraftPeer::Address(name.to_owned(), place.to_owned()));
    }
    match split(place)? {
        words if words.is_empty() => Ok(DraftPeer::Own(name.to_owned())),
        words => Ok(DraftPeer::Command(name.to_owned(), words)),
    }
}

/// The engines that one word stands for.
pub(super) fn engines(engine: EngineArg) -> Vec<EngineKind> {
    match engine {
        EngineArg::Sim => vec![EngineKind::Sim],
        EngineArg::Process => vec![EngineKind::Process],
        EngineArg::Container => vec![EngineKind::Container],
        EngineArg::All => vec![EngineKind::Sim, EngineKind::Process, EngineKind::Container],
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_peer_is_a_name_an_address_or_a_program() {
        assert_eq!(peer("broker"), Ok(DraftPeer::Own("broker".to_owned())));
        assert_eq!(peer("db=127.0.0.1:5432"), Ok(DraftPeer::Address("db".into(), "127.0.0.1:5432".into())));
        let words = ["redis-server", "--port", "{port}"].map(str::to_owned).to_vec();
        assert_eq!(peer("db=redis-server --port {port}"), Ok(DraftPeer::Command("db".into(), words)));
        assert_eq!(peer("db='x"), Err(GivenError::Quotes("'x".to_owned())));
    }

    #[test]
    fn what_is_no_target_is_told_with_what_there_is() {
        let target = |words: &[&str]| {
            target(&words.iter().map(|word| (*word).to_owned()).collect::<Vec<_>>(), None)
                .expect_err("it is none")
                .to_string()
        };
        assert!(target(&["gatway"]).contains("unknown target `gatway`; there is: `command"));
        assert!(target(&["pid", "0"]).contains("found `0`"));
        assert!(target(&["command", " "]).contains("needs a program"));
    }
}
