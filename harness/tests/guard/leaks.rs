//! Each kind of leak is found and named by its line; its twin passes.

use crate::{marked, play};

#[test]
fn a_task_is_named_by_the_line_that_spawned_it() {
    let line = marked("task");
    for specimen in
        ["leaks_a_task", "leaks_a_task_on_threads", "leaks_a_task_in_paused_time", "returns_ok_and_leaks"]
    {
        play(specimen).fails_with(&["watertight: leak of tasks in", &line, "1 task", "spawn_for_ever"]);
    }
    play("leaks_a_task_a_cycle").fails_with(&["leak of tasks", &line, "+1.00 tasks/cycle", "20 tasks"]);
}

#[test]
fn tasks_that_end_are_waited_for() {
    for specimen in ["joins_its_task", "task_ends_soon", "task_ends_soon_in_paused_time", "uses_a_local_set"]
    {
        play(specimen).passes();
    }
}

#[test]
fn heap_that_grows_in_each_cycle_is_named_by_the_line_that_allocates_it() {
    let line = marked("heap");
    for specimen in ["keeps_a_kilobyte_a_cycle", "keeps_a_kilobyte_a_cycle_in_tasks"] {
        play(specimen).fails_with(&[
            "leak of heap",
            &line,
            "20 blocks (20.0 KiB)",
            "would have been seen: 1 task",
        ]);
    }
    play("writes_a_log_that_only_grows").fails_with(&["leak of heap", "specimens.rs:"]);
    play("keeps_nothing").passes();
}

#[test]
fn a_descriptor_is_told_by_what_it_refers_to() {
    play("forgets_a_file").fails_with(&["leak of fds", "file /dev/null", &marked("file")]);
    play("forgets_a_file_beside_one_of_first_use").fails_with(&["fds      1 open", "file /dev/null  1 fd\n"]);
    play("forgets_a_file_a_cycle").fails_with(&["leak of fds", "+1.00 fds/cycle", &marked("file")]);
    play("keeps_a_socket").fails_with(&["leak of fds", &marked("socket"), "LISTEN"]);
    for specimen in ["closes_its_socket", "opens_a_file_on_first_use"] {
        play(specimen).passes();
    }
}

#[test]
fn a_thread_is_named_by_the_line_that_spawned_it() {
    play("leaves_a_thread").fails_with(&["leak of threads", &marked("thread")]);
    play("blocks_for_ever").fails_with(&["leak of threads", &marked("blocking")]);
    play("forgets_a_runtime").fails_with(&["threads", "fds", "specimens.rs"]);
    for specimen in [
        "joins_its_thread",
        "starts_a_thread_on_first_use",
        "blocks_and_ends",
        "blocks_and_ends_later",
        "blocks_in_place",
        "ends_its_runtimes",
    ] {
        play(specimen).passes();
    }
}

#[test]
fn what_is_known_is_put_up_with_until_its_day_is_over() {
    for specimen in ["leaks_what_is_known", "leaks_what_is_tolerated", "keeps_what_is_tolerated"] {
        play(specimen).passes();
    }
    let over = "no longer ignored: guard/specimens.rs (known), until 2020-01-31";
    play("leaks_what_was_known").fails_with(&["leak of tasks", over]);
}
