//! `new`: a scenario file that holds together, from a template and a target; asks for what is not given.

mod ask;
mod given;
mod place;

use std::io::{self, BufRead, IsTerminal, Write};
use std::path::PathBuf;

use clap::builder::PossibleValuesParser;
use watertight::exit::Exit;
use watertight::runner::Library;
use watertight::scenario::draft::{Draft, DraftError, DraftTarget, OwnTarget, Template, check_name};
use watertight::scenario::model::EngineKind;

use crate::run::EngineArg;
use crate::screen;
use ask::Questions;
use given::Whom;
use place::Place;

const EXAMPLES: &str = "\
Examples:
  watertight new my-flap
      Asks what is to be disturbed, and whom.
  watertight new my-flap --template flapping-network --target gateway
      For the gateway that is built in.
  watertight new my-storm --template reconnect-storm --target command 'target/debug/my-service --listen 127.0.0.1:{port}'
      For a program of your own, in any language; its clients speak HTTP unless `--talk` says otherwise.
  watertight new store-gone --template silent-peer --target command 'my-service {port} {peers.store}' --peer 'store=redis-server --port {port}'
      With a server of its own behind a link.
  watertight new watched --template steady --target pid 4711 --listens 127.0.0.1:8080 --talk PING --answer PONG
      For a process that runs already.";

/// The arguments of `new`.
#[derive(Debug, clap::Args)]
#[command(after_help = EXAMPLES)]
pub struct Args {
    /// The scenario's name, which is its file's too: lower-case words joined by `-`
    name: String,
    /// What is to be disturbed
    #[arg(long, value_name = "TEMPLATE", value_parser = PossibleValuesParser::new(Template::ALL.map(Template::name)))]
    template: Option<String>,
    /// Whom: a built-in target by name, `command "PROGRAM ARGUMENTS"` (no shell; `{port}` is where it listens), or `pid NUMBER`
    #[arg(long, value_name = "TARGET", num_args = 1..=2)]
    target: Vec<String>,
    /// One more peer: of a built-in target by name; else `NAME=host:port` or `NAME=program arguments`; may be repeated
    #[arg(long, value_name = "PEER")]
    peer: Vec<String>,
    /// What clients say to a command or pid: `http`, or a line
    #[arg(long, value_name = "LINE")]
    talk: Option<String>,
    /// How the answer to that line begins
    #[arg(long, value_name = "TEXT", requires = "talk")]
    answer: Option<String>,
    /// Where clients reach a command or pid, `host:port` [default for a command: 127.0.0.1:{port}]
    #[arg(long, value_name = "ADDRESS")]
    listens: Option<String>,
    /// Play in this engine; may be repeated [default: sim and process for a built-in target, else process]
    #[arg(long, value_name = "ENGINE")]
    engine: Vec<EngineArg>,
    /// Counted cycles [default: 60 in sim, 24 on the wall clock]
    #[arg(long, value_name = "N")]
    cycles: Option<usize>,
    /// The folder of the file [default: `scenarios`, if that is there, else this one]
    #[arg(long, value_name = "DIR")]
    dir: Option<PathBuf>,
    /// Write over a file that is there
    #[arg(long)]
    force: bool,
    /// Ask nothing: what is not given is the first template, and the built-in target
    #[arg(long, short)]
    yes: bool,
}

/// Why no file was written. All of it is usage: nothing has been played.
#[derive(Debug, thiserror::Error)]
enum NewError {
    #[error("{0}")]
    Draft(#[from] DraftError),
    #[error("{0}")]
    Given(#[from] given::GivenError),
    #[error("{0}")]
    Place(#[from] place::PlaceError),
    #[error("no terminal to ask on: give {missing}, or `--yes` for the defaults")]
    NoTerminal { missing: String },
    #[error("no answer: standard input ended; give `--template` and `--target`")]
    NoAnswer,
    #[error("what was given does not hold together, so nothing was written:\n{0}")]
    Broken(String),
}

/// Writes the file and says what comes next.
pub fn new(args: &Args, library: &dyn Library) -> Exit {
    match write(args, library) {
        Ok(text) => screen::out(&text),
        Err(error) => crate::run::fail(Exit::Usage, &error),
    }
}

fn write(args: &Args, library: &dyn Library) -> Result<String, NewError> {
    check_name(&args.name)?;
    let place = Place::of(&args.name, args.dir.as_deref(), args.force)?;
    let draft = draft(args, library.own_target(), place.schema_path())?;
    let text = draft.yaml()?;
    let cases = library.cases_of_text(&place.file, &text).map_err(|error| NewError::Broken(error.0))?;
    place.write(&text, &|| format!("{:#}\n", library.schema()))?;
    // A built-in target is there.
    let is_own = matches!(draft.target, DraftTarget::Own(_));
    let missing = cases.first().filter(|_| !is_own).and_then(|case| case.missing(EngineKind::Process));
    Ok(place.what_next(missing.as_deref()))
}

/// What is given, and what is asked for.
fn draft(args: &Args, own: Option<OwnTarget>, schema: String) -> Result<Draft, NewError> {
    let is_asked = args.template.is_none() || args.target.is_empty();
    let may_ask = io::stdin().is_terminal() && io::stderr().is_terminal();
    let (template, whom) = if is_asked && !args.yes {
        if !may_ask {
            return Err(NewError::NoTerminal { missing: missing(args, own.as_ref()) });
        }
        asked(args, own.as_ref(), &mut io::stdin().lock(), &mut io::stderr())?
    } else {
        let template = args.template.as_deref().and_then(Template::named).unwrap_or(Template::ALL[0]);
        (template, Whom::given(args, own.as_ref())?)
    };
    let peers = args.peer.iter().map(|peer| given::peer(peer)).collect::<Result<_, _>>()?;
    let engines = args.engine.iter().flat_map(|engine| given::engines(*engine)).collect();
    let Whom { target, talk, listens } = whom;
    let name = args.name.clone();
    Ok(Draft { name, template, target, peers, talk, listens, engines, cycles: args.cycles, schema })
}

fn missing(args: &Args, own: Option<&OwnTarget>) -> String {
    let names = Template::ALL.map(|template| format!("`{}`", template.name())).join(", ");
    let template = args.template.is_none().then(|| format!("`--template` ({names})"));
    let own = own.map_or_else(String::new, |own| format!("`{}`, ", own.short));
    let target = args.target.is_empty().then(|| format!("`--target` ({own}`command \"..\"`, `pid N`)"));
    template.into_iter().chain(target).collect::<Vec<_>>().join(" and ")
}

/// Asks for template and target, each unless it is given.
fn asked(
    args: &Args,
    own: Option<&OwnTarget>,
    input: &mut dyn BufRead,
    output: &mut dyn Write,
) -> Result<(Template, Whom), NewError> {
    let mut questions = Questions { input, output };
    let template = match args.template.as_deref().and_then(Template::named) {
        Some(template) => template,
        None => {
            let options = Template::ALL.map(|template| (template.name(), template.finds()));
            let chosen = questions.choose("What is to be disturbed? Each finds something else:", &options);
            Template::ALL[chosen.ok_or(NewError::NoAnswer)?]
        }
    };
    let whom = match args.target.is_empty() {
        true => Whom::asked(args, own, &mut questions)?.ok_or(NewError::NoAnswer)?,
        false => Whom::given(args, own)?,
    };
    Ok((template, whom))
}

#[cfg(test)]
mod tests {
    use clap::Parser;
    use watertight::scenario::draft::Talk;

    use super::*;

    #[derive(Debug, Parser)]
    struct Line {
        #[command(flatten)]
        args: Args,
    }

    fn args(words: &[&str]) -> Args {
        Line::parse_from(["new"].iter().chain(words)).args
    }

    fn own() -> OwnTarget {
        OwnTarget { name: "s7-gateway", short: "gateway", peers: Vec::new(), reload_with: "{}" }
    }

    /// What is made of these answers, and what was printed.
    fn answered(words: &[&str], answers: &str) -> (Result<(Template, Whom), NewError>, String) {
        let mut printed = Vec::new();
        let answered = asked(&args(words), Some(&own()), &mut answers.as_bytes(), &mut printed);
        (answered, String::from_utf8(printed).expect("questions are text"))
    }

    #[test]
    fn answers_are_numbers_or_names_and_nothing_is_the_first() {
        let (first, printed) = answered(&["x"], "\n\n");
        let (template, whom) = first.expect("both are answered");
        assert_eq!((template, whom.target), (Template::FlappingNetwork, DraftTarget::Own(own())));
        assert!(printed.contains("1) flapping-network"), "{printed}");
        let (by_name, _) = answered(&["x"], "half-open\n3\n4711\n127.0.0.1:80\n\n");
        let (template, whom) = by_name.expect("all is answered");
        assert_eq!((template, whom.target), (Template::HalfOpen, DraftTarget::Pid(4711)));
        assert_eq!((whom.listens.as_deref(), whom.talk), (Some("127.0.0.1:80"), Talk::Http));
    }

    #[test]
    fn a_wrong_answer_is_asked_again_and_the_end_of_input_is_no_answer() {
        let (again, printed) = answered(&["x", "--target", "gateway"], "99\nsteady\n");
        assert_eq!(again.expect("the second answer counts").0, Template::Steady);
        assert!(printed.contains("a number from 1 to 8, or a name"), "{printed}");
        assert!(matches!(answered(&["x"], "1\n").0, Err(NewError::NoAnswer)));
    }

    #[test]
    fn a_command_is_split_as_a_shell_would_and_never_run_through_one() {
        let (command, _) =
            answered(&["x", "--template", "steady"], "2\nmy-service 'a b' {port}\nPING\nPONG\n");
        let whom = command.expect("all is answered").1;
        let words = ["my-service", "a b", "{port}"].map(str::to_owned).to_vec();
        assert_eq!(whom.target, DraftTarget::Command(words));
        assert_eq!(whom.talk, Talk::Line("PING".to_owned(), Some("PONG".to_owned())));
    }
}
