//! What ships has no trace of the errors that the models are tried with.

use std::fs;
use std::path::Path;

/// The names in all `mutated!("…")` of the sources, read now: built in, they would be found in this very program.
fn mutants() -> Vec<String> {
    let sources = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let sources = fs::read_dir(sources).expect("the sources are here");
    let mut names = Vec::new();
    for source in sources.map(|entry| entry.expect("they can be listed").path()).filter(|path| path.is_file())
    {
        let text = fs::read_to_string(source).expect("they are text");
        let calls = text.split("mutated!(\"").skip(1);
        names.extend(calls.filter_map(|rest| rest.split_once('"')).map(|(name, _)| name.to_owned()));
    }
    names
}

fn contains(bytes: &[u8], name: &str) -> bool {
    bytes.windows(name.len()).any(|window| window == name.as_bytes())
}

#[test]
fn what_ships_has_no_mutant() {
    let program = std::env::current_exe().expect("this program has a path");
    let program = fs::read(program).expect("it can be read");
    assert!(contains(&program, "many as may: wait for one of them"), "the machines are linked in here");
    let mutants = mutants();
    assert!(mutants.len() > 20, "{} mutants: they are written in another way", mutants.len());
    let found: Vec<_> = mutants.iter().filter(|name| contains(&program, name)).collect();
    assert!(found.is_empty(), "in the program: {found:?}");
}
