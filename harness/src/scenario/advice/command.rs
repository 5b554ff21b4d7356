//! Commands that are started otherwise than they are meant: no shell is there, and nobody tells a program its port.

use std::path::Path;

use super::{Look, Remark};
use crate::scenario::target::Ready;
use crate::scenario::template;
use crate::scenario::tree::{Entry, Node, Value};
use crate::world::{Seat, World};

/// Signs that join programs, or lead their output elsewhere; a word of its own each.
const SIGNS: [&str; 12] = ["&&", "||", "|", ";", "&", ">", ">>", "<", "2>", "2>>", "&>", "2>&1"];

/// How a shell is had after all; without `exec` it would stand between the run and the program.
const HELP: &str = "write out what is meant, or start a shell: `[sh, -c, \"cd /srv && exec my-service ..\"]`";

pub(super) fn remarks<W: World>(look: Look<'_, W>) -> Vec<Remark> {
    let target = look.root.entry("target").map(|target| &target.value);
    let world = look.root.entry("world").map_or(&[][..], |world| world.value.entries());
    let peers = world.iter().filter_map(|peer| Some(&peer.value.entries().first()?.value));
    let commands = target.into_iter().chain(peers).filter_map(|party| party.entry("command"));
    commands.filter_map(remark).chain(untold(look)).collect()
}

/// Clients connect to a free port of the run's choice, and the program has never heard of it.
fn untold<W: World>(look: Look<'_, W>) -> Option<Remark> {
    let target = &look.scenario.target;
    let is_asked = look.scenario.world.values().any(|peer| look.world.seat(peer) == Seat::Consumer);
    let told = target.command.as_ref()?.iter().chain(target.env.values());
    let is_told = told.flat_map(|text| template::names(text)).any(|name| name == PORT);
    let is_placed = target.listens.is_some() || matches!(target.ready, Some(Ready::Tcp(_)));
    if target.image.is_some() || is_told || is_placed || !is_asked {
        return None;
    }
    let at = look.at(&["target", "command"]);
    let message = "clients connect to `127.0.0.1:{port}`, a free port, and the program is not told of it";
    let help = "put `{port}` where the program takes its port, or say where it listens: `listens: \"127.0.0.1:8080\"`";
    Some(Remark::new("port-that-nobody-is-told", at, message, help))
}

/// The name of the port at which the target is to listen.
const PORT: &str = "port";

/// The first word of a command that a shell would read in another way than its program does.
fn remark(command: &Entry) -> Option<Remark> {
    let words: Vec<(&Node, &str)> = command.value.items().iter().filter_map(word).collect();
    // What a shell, or another interpreter, is given as its program is its own affair.
    let given = words.iter().position(|(_, word)| *word == "-c").unwrap_or(words.len());
    let wrong = |(number, (node, word)): (usize, &(&Node, &str))| {
        let message = match number {
            0 => of_program(word)?,
            _ => of_argument(word)?,
        };
        Some(Remark::new("command-that-needs-a-shell", node.at.clone(), message, HELP))
    };
    words[..given].iter().enumerate().find_map(wrong)
}

fn word(node: &Node) -> Option<(&Node, &str)> {
    match &node.value {
        Value::Scalar(scalar) => Some((node, scalar.text.as_str())),
        _ => None,
    }
}

fn of_program(word: &str) -> Option<String> {
    let is_line = word.contains(char::is_whitespace) && !Path::new(word).is_file();
    let sets_variable = word.split_once('=').is_some_and(|(name, _)| !name.is_empty() && !name.contains('/'));
    if is_line {
        return Some(format!("`{word}` is taken as the name of one program: each word stands by itself"));
    }
    if sets_variable {
        return Some(format!("`{word}` is taken as the name of a program: variables stand under `env`"));
    }
    of_argument(word)
}

fn of_argument(word: &str) -> Option<String> {
    let has_variable = word.split('$').skip(1).any(|rest| rest.starts_with(begins_name));
    let is_read_by_a_shell = SIGNS.contains(&word) || word.starts_with("~/") || has_variable;
    is_read_by_a_shell.then(|| format!("`{word}` is handed on as it stands: there is no shell"))
}

fn begins_name(letter: char) -> bool {
    letter.is_ascii_alphabetic() || "_{(".contains(letter)
}
